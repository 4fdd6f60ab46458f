"""Run by test_crash.py: an engine with a mount in which 10,000 files are written, until somebody kills it.

Prints the number of each file after it was closed. argv: folder, tier.
"""

import asyncio
import json
import sys
import threading
from pathlib import Path

from mount_world import World


async def main(folder: Path, tier: str) -> None:
    world = await World(folder, tier).start()
    assert world.bootstrap is not None
    secrets = [world.bootstrap.org, world.bootstrap.api_key, world.bootstrap.private_key]
    (folder / "bootstrap.json").write_text(json.dumps(secrets))
    await world.post("repos", name="work")
    _, place = await world.mounted("one")
    thread = threading.Thread(target=write, args=(place,))
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.01)


def write(place: Path) -> None:
    for number in range(10_000):
        folder = place / f"d{number % 50}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.txt").write_text(f"content of {number}\n")
        print(number, flush=True)


asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
