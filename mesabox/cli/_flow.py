"""What the commands of the flow share: their options, the record they write in, and how a run meets the terminal."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

from typer import Option

from mesabox.config.env_files import variables_of
from mesabox.errors import ExitCode, UsageProblem
from mesabox.flow.command import Command, run_command
from mesabox.flow.go import Go
from mesabox.flow.interrupts import Interrupts
from mesabox.flow.ledger import Ledger
from mesabox.flow.plan import Plan, environment_of
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
            stdin=not streams.stdin_terminal,
            secrets=board.secrets(secret or ()),
        )

    async def go(self, plan: Plan) -> Result:
        console = self.board.console()
        async with self.board.services(walled=True) as services:
            with self._interrupts(console) as interrupts, self._ledger(services.flow, plan) as ledger:
                outcome = await Go(plan, services.flow, ledger, self.board.reporter, console, interrupts)()
        return result_of(outcome, console.captured())

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

    def _ledger(self, services: Services, plan: Plan) -> Ledger:
        runs = self.board.paths.runs
        events, redactor, command = self.board.events, self.board.redactor, list(plan.command.argv)
        run_id = events.run_id if events else None
        ledger = Ledger.create(
            runs, "go", services.where, run_id=run_id, redactor=redactor, command=command, repo=plan.repo
        )
        ledger.told = events.recorded if events else None
        return ledger


@asynccontextmanager
async def recorded(board: Switchboard) -> AsyncIterator[tuple[Services, Ledger]]:
    """The services, and the record that the step commands of this working folder share."""
    async with board.services() as services:
        with Ledger.for_steps(board.paths.runs, services.flow.where, board.redactor) as ledger:
            yield services.flow, ledger
