"""A command on a terminal whose connection breaks: attached again, its end asked where nobody was there."""

import pytest

from mesabox.clients.base import Output, Session
from mesabox.errors import NotFound, OutcomeUnknown
from mesabox.flow.running.terminal import AGAIN, TerminalSession
from mesabox.wire.execution import ExecRequest
from tests.flow.services import FakeExecution, answered

REQUEST = ExecRequest(("bash",), tty=True, rows=30, cols=90)


class Connection(FakeExecution):
    """Brings ``pieces``, then the exit code, or is lost when that is None."""

    def __init__(self, pieces, code):
        super().__init__(iter(pieces))
        self.code, self.written, self.sizes = code, b"", []

    async def __aiter__(self):
        for piece in self.outputs:
            yield Output(1, piece)
        if self.code is None:
            raise OutcomeUnknown("cut")
        self.exit_code = self.code

    async def write(self, data):
        self.written += data

    async def resize(self, rows, cols):
        self.sizes.append((rows, cols))


class Sandboxes:
    """first: the connection of the command itself. others: what each attach finds. ended: what the sprite says."""

    def __init__(self, first, others=(), ended=b"running\n"):
        self.first, self.others, self.ended = first, iter(others), ended
        self.listed = []

    def execute(self, sprite, request):
        if "ended" in request.argv:
            return FakeExecution(iter([Output(1, answered(request, self.ended))]))
        return self.first

    async def sessions(self, sprite):
        return self.listed

    def attach(self, sprite, session_id):
        assert session_id == "1"
        found = next(self.others)
        if isinstance(found, Exception):
            raise found
        return found


async def run(sandboxes, place="job", told=None):
    told = [] if told is None else told
    async with TerminalSession(sandboxes, "s", REQUEST, place=place, tell=told.append) as session:
        data = b"".join([output.data async for output in session])
    return session.exit_code, data, told


async def test_without_trouble_nobody_notices():
    assert await run(Sandboxes(Connection([b"a", b"b"], 3))) == (3, b"ab", [])


async def test_it_is_attached_again_at_its_size_and_that_is_said():
    again = Connection([b"c"], 4)
    assert await run(Sandboxes(Connection([b"a"], None), [again])) == (4, b"ac", [AGAIN])
    assert again.sizes[-1] == (30, 90)


async def test_a_session_whose_id_was_not_told_is_found_by_its_name():
    first = Connection([], None)
    first.session_id = None
    sandboxes = Sandboxes(first, [Connection([b"a"], 0)])
    sandboxes.listed = [Session("1", "sh job.sh tty job none x", "/", True, True, None)]
    assert await run(sandboxes) == (0, b"a", [AGAIN])


async def test_an_attach_that_fails_is_tried_again():
    found = [OutcomeUnknown("no"), Connection([b"b"], None), Connection([b"c"], 0)]
    assert await run(Sandboxes(Connection([b"a"], None), found)) == (0, b"abc", [AGAIN, AGAIN])


async def test_an_end_that_nobody_saw_is_asked_of_the_sprite():
    sandboxes = Sandboxes(Connection([b"a"], None), [NotFound("session")], ended=b"end 7 0 0 exited\n")
    assert await run(sandboxes) == (7, b"a", [])


@pytest.mark.parametrize(("place", "ended"), [("job", b"lost\n"), ("job", b"absent\n"), (None, b"end 0 0 0 exited\n")])
async def test_an_end_that_nobody_knows_is_no_success(place, ended):
    sandboxes = Sandboxes(Connection([b"a"], None), [NotFound("session")], ended=ended)
    with pytest.raises(OutcomeUnknown):
        await run(sandboxes, place)
