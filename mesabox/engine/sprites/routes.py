"""Every route of the Sprites service, one line each; paths are the raw ones, parameters unquoted by the server."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from mesabox.engine.sprites.catalogue import CatalogueRoutes
from mesabox.engine.sprites.checkpoints import CheckpointRoutes
from mesabox.engine.sprites.exec_http import ExecRoutes
from mesabox.engine.sprites.exec_socket import ExecSocket
from mesabox.engine.sprites.files import FileRoutes
from mesabox.engine.sprites.machines import Machines
from mesabox.engine.sprites.policy import PolicyRoutes
from mesabox.engine.sprites.problems import Problem

S = "/v1/sprites/{name}"


def routes(machines: Machines, organization: str) -> list[BaseRoute]:
    sprites = CatalogueRoutes(machines, organization)
    execs, sockets = ExecRoutes(machines), ExecSocket(machines)
    files, checkpoints, policy = FileRoutes(machines), CheckpointRoutes(machines), PolicyRoutes(machines)
    return [
        WebSocketRoute(f"{S}/exec", sockets.execute),
        WebSocketRoute(f"{S}/exec/{{session}}", sockets.attach),
        Route(f"{S}/exec", execs.version, methods=["HEAD"]),
        Route(f"{S}/exec", execs.index, methods=["GET"]),
        Route(f"{S}/exec", execs.execute, methods=["POST"]),
        Route(f"{S}/exec/{{session}}", execs.show, methods=["GET"]),
        Route(f"{S}/exec/{{session}}/kill", execs.kill, methods=["POST"]),
        Route(f"{S}/fs/read", files.read, methods=["GET"]),
        Route(f"{S}/fs/write", files.write, methods=["PUT"]),
        Route(f"{S}/fs/list", files.index, methods=["GET"]),
        Route(f"{S}/fs/delete", files.delete, methods=["DELETE"]),
        Route(f"{S}/fs/rename", files.rename, methods=["POST"]),
        Route(f"{S}/fs/copy", files.copy, methods=["POST"]),
        Route(f"{S}/fs/chmod", files.chmod, methods=["POST"]),
        Route(f"{S}/fs/chown", files.chown, methods=["POST"]),
        Route(f"{S}/checkpoint", checkpoints.create, methods=["POST"]),
        Route(f"{S}/checkpoints", checkpoints.index, methods=["GET"]),
        Route(f"{S}/checkpoints/{{checkpoint}}", checkpoints.show, methods=["GET"]),
        Route(f"{S}/checkpoints/{{checkpoint}}", checkpoints.delete, methods=["DELETE"]),
        Route(f"{S}/checkpoints/{{checkpoint}}/restore", checkpoints.restore, methods=["POST"]),
        Route(f"{S}/policy/network", policy.show, methods=["GET"]),
        Route(f"{S}/policy/network", policy.replace, methods=["POST"]),
        Route(f"{S}/restart", sprites.restart, methods=["POST"]),
        Route(f"{S}/check", sprites.check, methods=["GET"]),
        Route(f"{S}/upgrade", sprites.upgrade, methods=["POST"]),
        Route("/v1/sprites", sprites.create, methods=["POST"]),
        Route("/v1/sprites", sprites.index, methods=["GET"]),
        Route(S, sprites.show, methods=["GET"]),
        Route(S, sprites.update, methods=["PUT"]),
        Route(S, sprites.destroy, methods=["DELETE"]),
        Route("/{path:path}", _unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
        WebSocketRoute("/{path:path}", _unknown_socket),
    ]


async def _unknown(request: Request) -> Response:
    raise Problem(404, "not found")


async def _unknown_socket(socket: WebSocket) -> None:
    """``/control`` among them: a fast 404 sends every SDK to the direct mode."""
    await socket.send_denial_response(Problem(404, "not found").response())
