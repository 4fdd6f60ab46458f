"""``python -m tests.bench [startup go create execute checkpoints visible]``."""

import asyncio
import inspect
import platform
import sys

from tests.bench import services, startup
from tests.bench.house import engine

ALL = {
    "startup": startup.run,
    "go": startup.go,
    "create": services.create,
    "execute": services.execute,
    "checkpoints": services.checkpoints,
    "visible": services.visible,
}


def main(names: list[str]) -> None:
    print(f"Python {platform.python_version()}, Linux {platform.release()}")
    with engine() as house:
        for name in names or ALL:
            done = ALL[name](house)
            if inspect.iscoroutine(done):
                asyncio.run(done)


if __name__ == "__main__":
    main(sys.argv[1:])
