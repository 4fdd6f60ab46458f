"""Output on its way out when nobody waits for it any more."""

import os

from mesabox.ui.outflow import Outflow
from mesabox.ui.streams import Sink


async def test_what_is_stuck_when_it_is_stopped_is_the_last_that_comes():
    inner, outer = os.pipe()
    outflow, sink = Outflow(), Sink(os.fdopen(outer, "wb", 0))
    for letter in b"abcdef":
        await outflow.put(sink, bytes([letter]) * 100_000)
    assert not outflow.stopped(0.2)
    with os.fdopen(inner, "rb") as reader:
        assert reader.read(100_000) == b"a" * 100_000
        assert outflow.stopped(5)
        sink.raw.close()
        assert reader.read() == b""


async def test_what_can_be_written_in_time_is():
    inner, outer = os.pipe()
    outflow, sink = Outflow(), Sink(os.fdopen(outer, "wb", 0))
    for _ in range(10):
        await outflow.put(sink, b"x" * 1000)
    assert outflow.stopped(5) and len(os.read(inner, 65536)) == 10_000
