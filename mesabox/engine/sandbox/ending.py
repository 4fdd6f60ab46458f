"""How the small processes end: never by returning into the code they were forked from."""

import os
import traceback
from collections.abc import Callable
from typing import NoReturn


def run_and_exit(act: Callable[[], object]) -> NoReturn:
    """The whole life of a forked process. Its parent's end ends it quietly; other errors are told to the log."""
    try:
        act()
        os._exit(0)
    except (EOFError, ConnectionError):
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)
