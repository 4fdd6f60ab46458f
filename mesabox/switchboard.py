"""The only place that chooses who answers: settings -> clients, URLs, the local engine. Everything at first use."""

from functools import cached_property
from typing import Any

from mesabox.ui.progress import Progress, progress_for
from mesabox.ui.result import Manner
from mesabox.ui.streams import Streams


class Switchboard:
    """What a command is given. flags: the settings that were given as flags."""

    def __init__(self, streams: Streams, manner: Manner, flags: dict[str, Any]) -> None:
        self.streams = streams
        self.manner = manner
        self._flags = flags

    @cached_property
    def reporter(self) -> Progress:
        return progress_for(self.streams, self.manner)

    def close(self) -> None:
        if "reporter" in self.__dict__:
            self.reporter.close()
