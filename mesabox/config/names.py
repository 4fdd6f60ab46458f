"""Names for shell completion: what the last lists and creations said, one a line, so that no service is asked."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal

Noun = Literal["repos", "sprites"]


class Names:
    """Only an aid: a cache that cannot be read or written is passed over in silence."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def are(self, noun: Noun, names: Iterable[str]) -> None:
        self._change(noun, lambda _: set(names))

    def gain(self, noun: Noun, *names: str) -> None:
        self._change(noun, lambda known: known | {*names})

    def lose(self, noun: Noun, *names: str) -> None:
        self._change(noun, lambda known: known - {*names})

    def _change(self, noun: Noun, change: Callable[[set[str]], set[str]]) -> None:
        file = self._folder / noun
        with suppress(OSError, UnicodeDecodeError):
            known = set(file.read_text("utf-8").split()) if file.exists() else set()
            if (after := change(known)) != known:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                file.write_text("".join(f"{name}\n" for name in sorted(after)), encoding="utf-8")
