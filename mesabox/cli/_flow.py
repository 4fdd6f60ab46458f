"""What the commands of the flow share: their options, the record they write in, and how a run meets the terminal."""

import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from typing import Annotated, Any

from typer import Option

from mesabox.cli._detached import detach
from mesabox.config.env_files import variables_of
from mesabox.errors import Conflict, ExitCode, MesaboxError, UsageProblem
from mesabox.flow.earlier import Earlier
from mesabox.flow.go import Go
from mesabox.flow.interrupts import Interrupts
from mesabox.flow.leftovers import Leftover, outlived, remove, unreachable
from mesabox.flow.plan import Plan, environment_of
from mesabox.flow.record.ledger import Ledger
from mesabox.flow.record.runs import Run, read_run
from mesabox.flow.running.command import Command, Kept, run_command
from mesabox.flow.running.job import forget
from mesabox.flow.services import Services
from mesabox.switchboard import Switchboard
from mesabox.ui.outcome import result_of
from mesabox.ui.result import Result
from mesabox.ui.terminal import Console

EnvironmentOption = Annotated[
    list[str] | None,
    Option("--env", "-e", metavar="K=V", help="Set a variable; NAME passes it on.", show_default=False),
]
EnvironmentFileOption = Annotated[
    list[str] | None,
    Option("--env-file", metavar="FILE", help="Set the variables of a file, as docker does.", show_default=False),
]
SecretOption = Annotated[
    list[str] | None,
    Option("--secret", metavar="NAME[=@FILE|=-]", help="A variable that is shown nowhere.", show_default=False),
]
WorkdirOption = Annotated[
    str | None, Option("--workdir", "-w", metavar="DIR", help="Where the command starts.", show_default=False)
]
TtyOption = Annotated[
    bool | None, Option("--tty/--no-tty", "-t", help="With or without a terminal.", show_default=False)
]


DetachOption = Annotated[bool, Option("--detach", "-d", help="Print the run's id and return; it goes on by itself.")]

Begun = Callable[[str], None]
"""Is told the run's id once it is on record."""
_SWEEP_LIMIT = 30.0


def nothing(_: str) -> None:
    """Nobody waits for it."""


def detached(attempt: "Attempt", work: Callable[["Attempt", Begun], Coroutine[Any, Any, Result]]) -> Result:
    """The run goes on in a process of its own; the result is its id."""
    board = attempt.board
    if board.manner.ndjson:
        fix = "--events FILE, or afterwards: mesabox runs logs RUN --follow --ndjson"
        raise UsageProblem("--detach tells no events: nobody is there to hear them", fix=fix)
    run_id = detach(board, lambda quiet, begun: work(attempt.over(quiet), begun))
    return Result(
        data={"run_id": run_id, "detached": True},
        view=[f"{run_id}\n"],
        quiet=[run_id],
        notes=[f"follow it: mesabox runs attach {run_id}"],
    )


class Attempt:
    """A command about to run: its words, and how it meets this terminal."""

    def __init__(
        self,
        board: Switchboard,
        argv: tuple[str, ...],
        env: Sequence[str] | None,
        workdir: str | None,
        tty: bool | None,
        timeout: float | None,
        secret: Sequence[str] | None = None,
        env_file: Sequence[str] | None = None,
    ) -> None:
        streams = board.streams
        lent = streams.stdin_terminal and streams.stdout.terminal if tty is None else tty
        size = streams.size() if lent and not board.manner.captured else None
        if not argv and size is None:
            raise UsageProblem(
                "no command was given, and there is no terminal for a shell",
                fix="put the command behind --, as in: mesabox go -- make test",
            )
        given = variables_of(env_file or (), local := board.local_environment()) | environment_of(env or (), local)
        terminal = streams.remote_terminal if size else {}
        self.board = board
        self.command = Command(
            argv,
            {**terminal, **given},
            workdir=workdir,
            timeout=timeout,
            size=size,
            stdin=streams.has_input,
            secrets=board.secrets(secret or ()),
        )

    def over(self, board: Switchboard) -> "Attempt":
        """The same over another switchboard."""
        other = copy(self)
        other.board = board
        return other

    async def go(self, plan: Plan, begun: Begun = nothing) -> Result:
        """A new run. begun: is called once it is on record."""
        async with self.board.services(walled=True) as services:
            with self._ledger(services.flow, "go", **self._facts(plan)) as ledger:
                begun(ledger.run_id)
                await self._sweep(services.flow)
                return await self._whole_flow(services.flow, ledger, plan)

    async def resume(self, plan: Plan, run: Run, begun: Begun = nothing, *, other_command: bool = False) -> Result:
        """The same run, from where it failed or was cut off; with other_command that one runs instead of its own."""
        async with self.board.services(walled=True) as services:
            with self._reopened(run, services.flow) as ledger:
                earlier = Earlier(read_run(run.folder), other_command)
                begun(ledger.run_id)
                return await self._whole_flow(services.flow, ledger, plan, earlier)

    async def _whole_flow(
        self, services: Services, ledger: Ledger, plan: Plan, earlier: Earlier | None = None
    ) -> Result:
        console = self.board.console()
        with self._interrupts(console) as interrupts:
            outcome = await Go(plan, services, ledger, self.board.reporter, console, interrupts, earlier)()
        return result_of(outcome, console.captured())

    async def _sweep(self, services: Services) -> None:
        """What killed runs left, once nobody can go on with them: the next run removes it."""
        for leftover in outlived(self.board.paths.runs, time.time()):
            if unreachable(leftover, services.where) is None:
                undone = await remove(services, leftover, limit=_SWEEP_LIMIT)
                if names := ", ".join(f"{one.kind} {one.name}" for one in undone.removed):
                    self.board.reporter.note(f"removed what run {leftover.run.id} left: {names}")

    async def run_on_record(self, sprite: str, repo: str | None, begun: Begun) -> Result:
        """A command in a sprite that stays, as a run of its own."""
        async with self.board.services() as services:
            await services.sandboxes.sprite(sprite)
            command = self.command.in_mount(await services.repos.org(), repo) if repo else self.command
            facts = {"command": list(command.argv), "repo": repo, "named_sprite": sprite, "timeout": command.timeout}
            with self._ledger(services.flow, "run", **facts) as ledger:
                ledger.write("command", place=ledger.run_id, sprite=sprite, tty=False, stdin=command.stdin)
                begun(ledger.run_id)
                return await self._on_record(services.flow, ledger, sprite, command, Kept(ledger, ledger.run_id))

    async def follow_on_record(self, run: Run, begun: Begun) -> Result:
        """The same, from where its process was killed."""
        async with self.board.services() as services:
            with self._reopened(run, services.flow) as ledger:
                earlier = Earlier(read_run(run.folder))
                begun(ledger.run_id)
                kept = Kept(ledger, ledger.run_id, resumed=True, takes_input=earlier.takes_input, may_begin=False)
                return await self._on_record(services.flow, ledger, run.start["named_sprite"], self.command, kept)

    async def _on_record(self, services: Services, ledger: Ledger, sprite: str, command: Command, kept: Kept) -> Result:
        try:
            result = await self._kept_command(services, sprite, command, kept)
        except MesaboxError as error:
            told = {"code": error.code, "title": error.what}
            ledger.write("end", exit_code=int(ExitCode.MESABOX_FAILED), failed_by="service", error=told, left=[])
            raise
        code, failed_by = int(result.exit_code), result.failed_by
        ledger.write("exit", exit_code=code, failed_by=failed_by)
        ledger.write("end", exit_code=code, failed_by=failed_by, error=None, left=[])
        await forget(services.sandboxes, sprite, kept.place)
        return result

    async def _kept_command(self, services: Services, sprite: str, command: Command, kept: Kept) -> Result:
        console = self.board.console()
        with self._interrupts(console) as interrupts:
            work = run_command(
                services, sprite, command, console=console, interrupts=interrupts, kept=kept, limit=command.timeout
            )
            ended = await interrupts.unless_ended(work)
        code = interrupts.exit_code or (ExitCode.INTERRUPTED if ended is None else ended.exit_code)
        failed_by = ended.failed_by if ended and interrupts.exit_code is None else "signal"
        return Result(exit_code=code, failed_by=failed_by)

    def _reopened(self, run: Run, services: Services) -> Ledger:
        """The record of a run that nobody works on any more."""
        if (elsewhere := unreachable(Leftover(run, ()), services.where)) is not None:
            raise elsewhere
        if (ledger := Ledger.reopen(run.folder, self.board.redactor)) is None:
            raise in_use(run)
        if read_run(run.folder).events != run.events:  # somebody went on with it while the services were reached
            ledger.close()
            raise in_use(run)
        ledger.told = self._told()
        ledger.resumed()
        return ledger

    async def run(self, sprite: str, repo: str | None) -> Result:
        console = self.board.console()
        async with self.board.services() as services:
            command = self.command.in_mount(await services.repos.org(), repo) if repo else self.command
            with self._interrupts(console) as interrupts:
                started = time.monotonic()
                work = run_command(
                    services.flow,
                    sprite,
                    command,
                    console=console,
                    interrupts=interrupts,
                    limit=self.command.timeout,
                )
                ended = await interrupts.unless_ended(work)
        seconds = ended.seconds if ended else time.monotonic() - started
        data = {"sprite": sprite, "seconds": round(seconds, 4), **console.captured()}
        if interrupts.exit_code is not None or ended is None:
            return Result(data=data, exit_code=interrupts.exit_code or ExitCode.INTERRUPTED, failed_by="signal")
        return Result(data=data, exit_code=ended.exit_code, failed_by=ended.failed_by)

    def _interrupts(self, console: Console) -> Interrupts:
        streams = self.board.streams
        on_terminal = streams.stdin_terminal and not streams.ci

        def farewell() -> None:
            console.give_back()
            self.board.reporter.close()
            streams.stderr.talk("left at once; what this run made is still there. Remove it: mesabox gc")

        interrupts = Interrupts(on_terminal=on_terminal, farewell=farewell)
        console.stuck = interrupts.give_up if self.command.argv else None
        return interrupts

    def _facts(self, plan: Plan) -> dict[str, Any]:
        """masked: the record cannot tell what to do again, since a secret is among the words."""
        facts = plan.facts()
        return {**facts, "masked": self.board.redactor.value(facts) != facts}

    def _ledger(self, services: Services, kind: str, **facts: Any) -> Ledger:
        runs, events = self.board.paths.runs, self.board.events
        run_id = events.run_id if events else None
        ledger = Ledger.create(runs, kind, services.where, run_id=run_id, redactor=self.board.redactor, **facts)
        ledger.told = self._told()
        return ledger

    def _told(self) -> Callable[[str, Mapping[str, Any]], None] | None:
        return self.board.events.recorded if self.board.events else None


def in_use(run: Run) -> Conflict:
    fix = f"mesabox runs attach {run.id}"
    return Conflict(f"run '{run.id}' is being worked on", why="its process lives", fix=fix, code="run_alive")


@asynccontextmanager
async def recorded(board: Switchboard) -> AsyncIterator[tuple[Services, Ledger]]:
    """The services, and the record that the step commands of this working folder share."""
    async with board.services() as services:
        with Ledger.for_steps(board.paths.runs, services.flow.where, board.redactor) as ledger:
            yield services.flow, ledger
