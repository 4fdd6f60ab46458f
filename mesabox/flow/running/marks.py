"""Lines of our own among a command's stderr: each begins with a mark that nobody can guess."""

from collections.abc import Iterator


class Marks:
    """Takes ``<mark>words\\n`` out of a stream that arrives in pieces."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._held = b""

    def feed(self, data: bytes) -> Iterator[bytes | list[str]]:
        """In order: what is the command's own, and the words of each whole line of ours.

        What may begin one is held back until more is known of it.
        """
        data = self._held + data
        while (place := data.find(self._mark)) >= 0 and (end := data.find(b"\n", place)) >= 0:
            if place:
                yield data[:place]
            yield data[place + len(self._mark) : end].decode(errors="replace").split()
            data = data[end + 1 :]
        cut = place if place >= 0 else self._perhaps_begun(data)
        self._held = data[cut:]
        if cut:
            yield data[:cut]

    def _perhaps_begun(self, data: bytes) -> int:
        """Where the end of ``data`` may be the beginning of the mark; its length when it cannot."""
        place = data.find(self._mark[:1], max(0, len(data) - len(self._mark) + 1))
        while place >= 0 and not self._mark.startswith(data[place:]):
            place = data.find(self._mark[:1], place + 1)
        return len(data) if place < 0 else place
