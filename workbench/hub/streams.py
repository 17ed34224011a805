"""Following a job's log and hardware, whatever happens to the connection (hub-contract §3).

The client's own `fetch_job_logs` drops timestamps, blocks, cannot be cancelled and loses the tail of a job that ends
while it is disconnected. Here: reconnect with growing, jittered pauses, take only what the verified replay has beyond
what is held, and after the job's end read the whole log again until a clean read adds nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from workbench.hub.client import Hub
from workbench.hub.connection import Dropped, Link, Pace, Pause, ignore
from workbench.hub.records import HardwareSample, JobRecord, LogLine
from workbench.hub.replay import Broken, LogDecoder, Merge, Raw, hardware_sample

# Answers to a log request that will not get better by asking again.
_LASTING = frozenset({400, 401, 403, 404, 405, 406, 410})


async def follow_log(
    hub: Hub,
    job_id: str,
    *,
    namespace: str = "",
    held: Iterable[LogLine] = (),
    clean: Callable[[str], str] | None = None,
    on_job: Callable[[JobRecord], None] = ignore,
    on_trouble: Callable[[str], None] = ignore,
    pace: Pace | None = None,
) -> AsyncGenerator[list[LogLine], None]:
    """Yield the lines of a job's log that are not held yet, each exactly once and in order, until the job has ended.

    Lines come in batches: at once when they are few, up to some thousands when they are many. Cancelling the
    consumer ends everything at once; close the iterator (`aclosing`) when leaving early.

    Args:
        namespace: whose job it is; "" = the account's own.
        held: the lines already held, from index 0; iterated once, in a thread.
        clean: applied to every line's text first (a redactor), also before comparing with `held`.
        on_job: called with the job after each look at it; the last call, before the last batch, has its final stage.
        on_trouble: called with a sentence while the server cannot be reached, with "" when it can again.

    Raises:
        NotFoundError: there is no such job (any more).
        HubError: not signed in or not allowed; anything that may pass is retried for ever.
    """
    link = await Link.open(hub, job_id, namespace, pace or Pace(), on_job, on_trouble)
    async with link:
        merge = await asyncio.to_thread(Merge, held)
        decode = LogDecoder(clean)
        watch = asyncio.create_task(link.watch())
        try:
            async with aclosing(_until_end(link, merge, decode)) as batches:
                async for batch in batches:
                    yield batch
            await watch  # raises what a callback raised
            if link.problem is not None:
                raise link.problem
            async with aclosing(_last_reads(link, merge, decode)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


async def _until_end(link: Link, merge: Merge, decode: LogDecoder) -> AsyncGenerator[list[LogLine], None]:
    """Read and reconnect until the job's stage is a last one."""
    pause = Pause(link.pace)
    damage = _Damage()
    while not link.ended.is_set():
        merge.begin(trusting=damage.gaps >= 3)
        at = 0  # events of this connection
        try:
            async with aclosing(link.events("logs", linger=link.pace.settle)) as chunks:
                async for events in chunks:
                    raws, broken = _decode(events, decode, at, damage)
                    at += len(events)
                    if new := merge.take(raws):
                        pause.reset()
                        yield new
                    damage.check(merge, broken)
            delay = pause.next()
        except Dropped as drop:
            link.trouble(f"log stream: {drop.why}")
            delay = pause.next(drop.retry_after)
        if await link.rest(delay):
            pause.reset()


async def _last_reads(link: Link, merge: Merge, decode: LogDecoder) -> AsyncGenerator[list[LogLine], None]:
    """The job has ended: read its log until one complete, clean read brings nothing new."""
    pause = Pause(link.pace)
    damage = _Damage()
    refused = agreeing = 0
    while True:
        merge.begin(trusting=damage.gaps >= 3)
        at = 0
        added = False
        try:
            async with aclosing(link.events("logs", linger=link.pace.final_silence)) as chunks:
                async for events in chunks:
                    raws, broken = _decode(events, decode, at, damage)
                    at += len(events)
                    if new := merge.take(raws):
                        added = True
                        yield new
                    damage.check(merge, broken)
        except Dropped as drop:
            # The log of an old job may be gone for good; what we hold is then all there is.
            refused = refused + 1 if drop.status in _LASTING else 0
            if refused >= 3:
                link.trouble(f"the server no longer has this log ({drop.status})")
                return
            link.trouble(f"log stream: {drop.why}")
            await asyncio.sleep(pause.next(drop.retry_after))
            continue
        if added:
            pause.reset()
            agreeing = 0
            continue
        # A stream that the server closed is complete. One that only fell silent may have stalled, and one that is
        # shorter than before may have been cut by a server that is coming up: those must agree several times.
        agreeing += 1
        proven = link.closed and merge.count > 0
        if agreeing >= 4 or (merge.covered and (proven or agreeing >= 2)):
            return
        await asyncio.sleep(pause.next())


@dataclass
class _Damage:
    """What was wrong with the replay itself: where an event was damaged and for how many connections in a row,
    and how many in a row began behind the lines that are held."""

    at: int = -1
    times: int = 0
    gaps: int = 0

    def check(self, merge: Merge, broken: bool) -> None:
        """Raises Dropped when the connection is to be cut and the log asked for again."""
        if merge.gap:
            self.gaps += 1
            raise Dropped("lines are missing in what the server sends")
        if merge.covered:
            self.gaps = 0
        if broken:
            raise Dropped("a damaged event")

    def lasting(self, at: int) -> bool:
        """Whether the event at `at` is damaged at the server, not on the way: then it is taken as it is."""
        self.times = self.times + 1 if at == self.at else 1
        self.at = at
        return self.times >= 3


def _decode(
    events: list[dict[str, Any] | Broken], decode: LogDecoder, at: int, damage: _Damage
) -> tuple[list[Raw], bool]:
    """Events → lines, up to the first that is damaged on the way (then the connection is to be cut and read again)."""
    raws: list[Raw] = []
    for offset, event in enumerate(events):
        if isinstance(event, Broken) and not damage.lasting(at + offset):
            return raws, True
        raw = decode(event)
        if raw is not None:
            raws.append(raw)
    return raws, False


async def follow_metrics(
    hub: Hub,
    job_id: str,
    *,
    namespace: str = "",
    pace: Pace | None = None,
) -> AsyncGenerator[HardwareSample, None]:
    """A job's hardware, about one sample a second, until the job has ended. There is no history and no replay.

    Raises:
        NotFoundError: there is no such job.
        HubError: not signed in or not allowed.
    """
    link = await Link.open(hub, job_id, namespace, pace or Pace(), ignore, ignore)
    pause = Pause(link.pace)
    async with link:
        while True:
            try:
                async with aclosing(link.events("metrics")) as chunks:
                    async for events in chunks:
                        now = time.time()
                        for event in events:
                            sample = None if isinstance(event, Broken) else hardware_sample(event, now)
                            if sample is not None:
                                pause.reset()
                                yield sample
                delay = pause.next()
            except Dropped as drop:
                if drop.status == 406:  # the job has ended
                    return
                delay = pause.next(drop.retry_after)
            if await link.look():
                return
            await asyncio.sleep(delay)
