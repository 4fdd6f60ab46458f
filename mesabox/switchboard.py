"""The only place that chooses who answers: settings -> clients, URLs, the local engine. Everything at first use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mesabox.config.environment import engine_environment, process_environment
from mesabox.errors import Unsupported
from mesabox.flow.redaction import SHORTEST, Redactor
from mesabox.ui.result import Manner, Result
from mesabox.ui.streams import Streams

if TYPE_CHECKING:  # every one of these is imported by the function that needs it
    from mesabox.clients.base import RepoHost, SandboxHost, Secret
    from mesabox.clients.engine_process import EngineProcess
    from mesabox.config.credentials import Credentials, EngineChoice
    from mesabox.config.names import Names
    from mesabox.config.paths import Paths
    from mesabox.config.settings import Settings
    from mesabox.config.stored import Stored
    from mesabox.flow.record.runs import Where
    from mesabox.flow.services import Services as FlowServices
    from mesabox.ui.events import EventLog
    from mesabox.ui.progress import Progress
    from mesabox.ui.terminal import Console


@dataclass(frozen=True, slots=True)
class Services:
    """Both services, open. choice: which engine, and why; isolated: whether its sandboxes have walls."""

    flow: FlowServices
    choice: EngineChoice
    isolated: bool = True

    @property
    def repos(self) -> RepoHost:
        return self.flow.repos

    @property
    def sandboxes(self) -> SandboxHost:
        return self.flow.sandboxes


class Switchboard:
    """What a command is given. flags: the settings that were given as flags, by dotted key.

    redactor: learns every secret that passes here. command: as it is typed ("repo list").
    """

    def __init__(
        self,
        streams: Streams,
        manner: Manner,
        flags: Mapping[str, Any],
        redactor: Redactor | None = None,
        command: str = "",
    ) -> None:
        self.command = command
        self.streams = streams
        self.manner = manner
        self.redactor = redactor or Redactor()
        self._flags = flags

    def with_settings(self, **flags: Any) -> Switchboard:
        """The same with more flags; progress is shared."""
        other = Switchboard(self.streams, self.manner, {**self._flags, **flags}, self.redactor, self.command)
        other.__dict__.update({name: self.__dict__[name] for name in ("reporter", "events") if name in self.__dict__})
        return other

    def detached(self) -> Switchboard:
        """The same for a process that was forked off, which nobody listens to; events go on to their file."""
        other = Switchboard(self.streams.unheard(), replace(self.manner, quiet=True), self._flags, self.redactor)
        other.command = self.command
        if (events := self.__dict__.get("events")) is not None:
            events.go_on_in_child()
            other.__dict__["events"] = events
        return other

    def before_fork(self) -> None:
        """What was told is out, and no thread is in the middle of something."""
        if (events := self.__dict__.get("events")) is not None:
            events.written()

    def forget_events(self) -> None:
        """Somebody else tells them from here on."""
        self.__dict__["events"] = None

    @cached_property
    def paths(self) -> Paths:
        from mesabox.config.paths import paths_for, working_folder

        return paths_for(self.local_environment(), working_folder())

    @cached_property
    def settings(self) -> Settings:
        from mesabox.config.settings import load

        return load(self.paths, self.local_environment(), self._flags)

    @cached_property
    def credentials(self) -> Credentials:
        from mesabox.config.credentials import credentials_of

        return self._known(credentials_of(self.local_environment(), self.stored))

    @cached_property
    def stored(self) -> Stored:
        from mesabox.config.stored import Stored

        return Stored(self.paths.credentials)

    @cached_property
    def reporter(self) -> Progress:
        from mesabox.ui.progress import SharedProgress, progress_for

        listeners = [progress_for(self.streams, self.manner)]
        if self.events is not None:
            from mesabox.ui.events import EventProgress

            listeners.append(EventProgress(self.events))
        return SharedProgress(listeners, self.redactor)

    @cached_property
    def events(self) -> EventLog | None:
        """Where a run is told of as it goes, when ``--ndjson`` or ``--events`` asks for it."""
        if not self.manner.ndjson and self.manner.events is None:
            return None
        return self._events_to(self.manner.events)

    @cached_property
    def names(self) -> Names:
        """What shell completion offers."""
        from mesabox.config.names import Names

        return Names(self.paths.names)

    @cached_property
    def engine(self) -> EngineProcess:
        from mesabox.clients.engine_process import EngineProcess, EngineSettings
        from mesabox.config.paths import ours

        return EngineProcess(
            EngineSettings(
                state=ours(self.paths.state) / "engine",
                cache=ours(self.paths.cache),
                runtime=ours(self.paths.runtime),
                isolation=self.settings.isolation,
                debug=self.manner.debug,
                environment=engine_environment(self.local_environment()),
            )
        )

    def choice(self) -> EngineChoice:
        """Raises CredentialsProblem naming the credential that is missing."""
        from mesabox.config.credentials import Credentials, choose_engine

        _, said_by = self.settings.origin("engine")
        wanted = self.settings.engine
        return choose_engine(wanted, said_by, Credentials() if wanted == "local" else self.credentials)

    @asynccontextmanager
    async def services(self, *, walled: bool = False) -> AsyncIterator[Services]:
        """Both services, reached; the first line of talk says which engine answers, and why.

        walled: Unsupported when a running engine has no isolation and nobody asked to go without.
        """
        choice = self.choice()
        services = await self._local(choice) if choice.name == "local" else self._cloud(choice)
        try:
            if walled and not services.isolated and self.settings.isolation != "none":
                raise _no_walls()
            yield services
        finally:
            await services.repos.aclose()
            await services.sandboxes.aclose()

    def console(self) -> Console:
        from mesabox.ui.terminal import Console

        return Console(self.streams, captured=self.manner.captured, events=self.events)

    def local_environment(self) -> Mapping[str, str]:
        return process_environment()

    def mount_key(self, file: str | None) -> Secret | None:
        """From ``--key-file`` (``-`` is stdin), else MESABOX_MOUNT_KEY, else None."""
        from mesabox.clients.base import Secret
        from mesabox.config.credentials import given_mount_key

        text = given_mount_key(file, self.streams.stdin, self.local_environment())
        if text is None:
            return None
        self.redactor.learn(text, announce=True)
        return Secret(text)

    def secrets(self, given: Sequence[str]) -> dict[str, Secret]:
        """The values of ``--secret``, by variable. UsageProblem for what cannot be one."""
        from mesabox.clients.base import Secret
        from mesabox.config.secrets import given_secrets

        stdin = None if self.streams.stdin_terminal else self.streams.stdin
        values = given_secrets(given, stdin, self.local_environment())
        for name, value in values.items():
            self.redactor.learn(value, announce=True)
            if len(value) < SHORTEST:
                self.reporter.warning(f"--secret {name}: shorter than {SHORTEST} characters, so it is not masked")
        return {name: Secret(value) for name, value in values.items()}

    def begin(self) -> None:
        """The first event is out before anything can fail, and a file for them that cannot be made fails at once."""
        _ = self.events

    def tell_end(self, result: Result) -> None:
        """The last event. BrokenPipeError when the reader of stdout had left by then."""
        events = self.__dict__.get("events") or (self._events_to(None) if self.manner.ndjson else None)
        if events is not None:
            events.end(self.command, result)
            if events.broken is None:
                return
            if self.manner.ndjson:
                raise events.broken
            self.streams.stderr.talk(f"warning: {self.manner.events} lacks events: {events.broken.strerror}")

    def _events_to(self, file: str | None) -> EventLog:
        from mesabox.flow.record.ledger import new_run_id
        from mesabox.ui.events import EventLog, event_file

        sinks = [self.streams.stdout] if self.manner.ndjson else []
        if file is not None:
            sinks.append(event_file(file))
        return EventLog(sinks, command=self.command, run_id=new_run_id(), redactor=self.redactor)

    def close(self) -> None:
        if "reporter" in self.__dict__:
            self.reporter.close()

    def _known(self, credentials: Credentials) -> Credentials:
        for secret in (credentials.mesa_api_key, credentials.mesa_private_key, credentials.sprites_token):
            self.redactor.learn(secret or "")
        return credentials

    async def _local(self, choice: EngineChoice) -> Services:
        from mesabox.config.credentials import Credentials
        from mesabox.flow.record.runs import Where

        endpoint, _ = await self.engine.ensure()
        walls = "" if endpoint.isolated else "; WITHOUT ISOLATION: commands are plain processes of this machine"
        faults = f"; FAULTS ON: {', '.join(endpoint.faults)}" if endpoint.faults else ""
        self.reporter.note(f"engine: local ({choice.why}{walls}{faults})")
        where = Where("local", endpoint.mesa_url, endpoint.url, endpoint.org)
        own = self._known(Credentials(mesa_api_key=endpoint.mesa_api_key, sprites_token=endpoint.token))
        return Services(self._reached(where, own), choice, endpoint.isolated)

    def _cloud(self, choice: EngineChoice) -> Services:
        from mesabox.flow.record.runs import Where

        settings = self.settings
        self.reporter.note(f"engine: cloud ({choice.why})")
        where = Where("cloud", settings.mesa_api_url, settings.sprites_api_url, settings.org or "")
        return Services(self._reached(where, self.credentials), choice)

    def _reached(self, where: Where, credentials: Credentials) -> FlowServices:
        """The same clients for both engines."""
        from mesabox.clients.base import Secret
        from mesabox.clients.mesa.client import MesaClient
        from mesabox.clients.mesa.credentials import ApiKey, SigningKey
        from mesabox.clients.sprites.client import SpritesClient, SpritesToken
        from mesabox.clients.transport import Transport
        from mesabox.flow.services import Services as FlowServices

        signing = SigningKey.parse(credentials.mesa_private_key) if credentials.mesa_private_key else None
        mesa = ApiKey(Secret(credentials.mesa_api_key)) if credentials.mesa_api_key else signing
        assert mesa is not None and credentials.sprites_token is not None, "choose_engine asks for both"
        token = SpritesToken(Secret(credentials.sprites_token))
        trace = self.reporter.note if self.manner.verbose else None
        return FlowServices(
            repos=MesaClient(
                Transport("Mesa", where.mesa_url, mesa, trace=trace),
                mesa,
                org=where.org or None,
                signing=signing,
                tell=self.reporter.warning,
            ),
            sandboxes=SpritesClient(Transport("Sprites", where.sprites_url, token, trace=trace)),
            where=where,
        )


def _no_walls() -> Unsupported:
    return Unsupported(
        "the running engine does not isolate what runs in it",
        why="it was started with --isolation none",
        fix="mesabox engine stop, and try again; or say --isolation none yourself",
        code="not_isolated",
    )
