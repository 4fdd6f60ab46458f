"""Every route of the Mesa service, one line each, relative to ``/mesa/v1``; matched on the raw path, literals first."""

from starlette.routing import Route

from mesabox.engine.mesa.calls import Handler, endpoint
from mesabox.engine.mesa.endpoints import api_keys, bookmarks, changes, content, diffs, identity, repos
from mesabox.engine.mesa.service import Mesa
from mesabox.wire.mesa import Scope

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_R = "/{org}/{repo}"

_TABLE: tuple[tuple[str, str, Scope | None, Handler], ...] = (
    ("GET", "/whoami", None, identity.whoami),
    ("GET", "/{org}", "read", identity.get_org),
    ("GET", "/{org}/api-keys", "admin", api_keys.list_api_keys),
    ("POST", "/{org}/api-keys", "admin", api_keys.create_api_key),
    ("PATCH", "/{org}/api-keys/{id}", "admin", api_keys.update_api_key),
    ("DELETE", "/{org}/api-keys/{id}", "admin", api_keys.revoke_api_key),
    ("GET", "/{org}/repos", "read", repos.list_repos),
    ("POST", "/{org}/repos", "write", repos.create_repo),
    ("PATCH", "/{org}/repos/tags", "write", repos.bulk_update_repo_tags),
    ("GET", _R, "read", repos.get_repo),
    ("PATCH", _R, "write", repos.update_repo),
    ("DELETE", _R, "write", repos.delete_repo),
    ("GET", f"{_R}/content", "read", content.get_content),
    ("GET", f"{_R}/bookmarks", "read", bookmarks.list_bookmarks),
    ("POST", f"{_R}/bookmarks", "write", bookmarks.create_bookmark),
    ("POST", f"{_R}/bookmarks/merge", "write", bookmarks.merge_bookmark),
    ("GET", f"{_R}/bookmarks/{{bookmark}}", "read", bookmarks.get_bookmark),
    ("PATCH", f"{_R}/bookmarks/{{bookmark}}", "write", bookmarks.move_bookmark),
    ("DELETE", f"{_R}/bookmarks/{{bookmark}}", "write", bookmarks.delete_bookmark),
    ("GET", f"{_R}/changes", "read", changes.list_changes),
    ("POST", f"{_R}/changes", "write", changes.create_change),
    ("GET", f"{_R}/changes/{{change_id}}", "read", changes.get_change),
    ("PATCH", f"{_R}/changes/{{change_id}}", "write", changes.update_change),
    ("GET", f"{_R}/diff", "read", diffs.get_diff),
)


def routes(mesa: Mesa) -> list[Route]:
    """The last one takes every other path and method, so that a missing credential is told first there too."""
    known = [Route(path, endpoint(mesa, scope, handler), methods=[verb]) for verb, path, scope, handler in _TABLE]
    return [*known, Route("/{rest:path}", endpoint(mesa, None, identity.unknown), methods=list(_METHODS))]
