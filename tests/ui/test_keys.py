"""Ctrl-C on a lent terminal: the command's own key, until nothing comes of it."""

import pytest

from mesabox.ui.keys import CtrlC

STORIES = {
    "silent": ([(0, "^C"), (0.01, b"^C"), (1.5, "^C")], [False, True]),
    "goes on printing": ([(0, "^C"), *((at / 10, b"tick\r\n") for at in range(1, 15)), (1.5, "^C")], [False, True]),
    "in a hurry": ([(0, "^C"), (0.2, "^C"), (0.4, "^C"), (1.1, "^C")], [False, False, False, True]),
    "a prompt": ([(0, "^C"), (0.01, b"^C\r\n$ "), (1.5, "^C"), (1.51, b"^C\r\n$ "), (5, "^C")], [False] * 3),
    "a prompt, in a hurry": ([(at / 5, what) for at in range(9) for what in ("^C", b"^C\r\n$ ")], [False] * 9),
    "another key between": ([(0, "^C"), (1, "x"), (2, "^C")], [False, False, False]),
    "a word that goes away again": ([(0, "^C"), (0.01, b"press again"), (0.8, b"\x1b[K"), (3, "^C")], [False, False]),
}


@pytest.mark.parametrize("story", STORIES)
def test_when_it_is_meant_for_us(story):
    clock, found = [0.0], []
    keys = CtrlC(lambda: clock[0])
    told, wanted = STORIES[story]
    for clock[0], what in told:
        if isinstance(what, bytes):
            keys.came(what)
        else:
            found.append(keys.typed(b"\x03" if what == "^C" else what.encode()))
    assert found == wanted
