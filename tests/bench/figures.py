"""Timing, and a row for what was timed."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

Row = tuple[str, list[float]]


def timed(work: Callable[[], object], rounds: int, *, warm: int = 2) -> list[float]:
    """Milliseconds of each round after ``warm`` unmeasured ones."""
    return [_once(work) for _ in range(warm + rounds)][warm:]


def _once(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


async def timed_async(
    work: Callable[[], Awaitable[object]], rounds: int, *, warm: int = 2, pause: float = 0.0
) -> list[float]:
    """pause: seconds between rounds, unmeasured, for what is a latency and no throughput."""
    times = []
    for _ in range(warm + rounds):
        started = time.perf_counter()
        await work()
        times.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(pause)
    return times[warm:]


def show(title: str, rows: list[Row], *, goal: str = "") -> None:
    """The first row is the peer the others are compared with."""
    print(f"\n{title}{f'   (goal: {goal})' if goal else ''}")
    base = statistics.median(rows[0][1])
    for name, times in rows:
        median, p95 = statistics.median(times), _p95(times)
        ratio = "peer" if name == rows[0][0] else f"{median / base:.2f}x"
        print(f"  {name:<58} median {median:9.2f} ms   p95 {p95:9.2f} ms   {ratio:>7}   n={len(times)}")


def _p95(times: list[float]) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
