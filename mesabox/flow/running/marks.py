"""Lines of our own among a command's stderr: each begins with a mark that nobody can guess."""

from collections.abc import Iterator

from mesabox.flow.redaction import begun


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
        cut = place if place >= 0 else begun(self._mark, data)
        self._held = data[cut:]
        if cut:
            yield data[:cut]
