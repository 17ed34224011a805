"""Following jobs into the ledger: log, hardware and stage, for one run (`Follower`) or all open ones (`FollowAll`).

Screens never wait for the network: they read the ledger and are told by `on_change` which run to read again. All
writing happens in one thread, a batch at a time: at once when little comes, four times a second when much does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from workbench.errors import HubError, LedgerError, NotFoundError, WorkbenchError
from workbench.hub.client import Hub
from workbench.hub.connection import Pace
from workbench.hub.jobs import list_hardware, list_jobs
from workbench.hub.records import HardwareSample, JobRecord, LogLine
from workbench.hub.streams import follow_log, follow_metrics
from workbench.runs.ledger import Ledger
from workbench.runs.records import Place, RunRecord
from workbench.runs.submit import reconcile

# Seconds between two writes of one run while lines pour in.
BATCH_SECONDS = 0.25
# Lines waiting to be written beyond which the stream is left to wait (the server keeps them).
MOST_WAITING = 20_000
# Seconds between two looks at the account's jobs, and at the ledger for new runs.
ACCOUNT_SECONDS = 15.0
LEDGER_SECONDS = 1.0
# Seconds after which a run that could not be followed is tried again.
RETRY_SECONDS = 30.0

T = TypeVar("T")


def _ignore(*_: Any) -> None:
    return None


class Follower:
    """Follows runs of one ledger; one object may follow many at a time.

    `on_change(run_id)` is called on the loop after each write; `on_status(run_id, sentence)` when following stands
    still ("" = it goes on), also when the ledger itself cannot be written.
    """

    def __init__(
        self,
        hub: Hub,
        ledger: Ledger,
        *,
        on_change: Callable[[str], None] | None = None,
        on_status: Callable[[str, str], None] | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._hub = hub
        self._ledger = ledger
        self._on_change = on_change or _ignore
        self._on_status = on_status or _ignore
        self._pace = pace or Pace()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def follow(self, run_id: str) -> RunRecord:
        """Read the run's job into the ledger until it has ended and everything is read; returns the final record.

        Cancelling ends it at once; what was not written yet is read again the next time.

        Raises:
            HubError: not signed in or not allowed. (A server that is down is waited for.)
            LedgerError: there is no such run, or it has no job.
        """
        run = await self._in_writer(self._ledger.run, run_id)
        if not run.job_id:
            raise LedgerError("this run has no job to follow", where=run_id)
        if run.log_complete:
            return run
        if not await self._become_recorder(run_id):
            return await self._in_writer(self._ledger.run, run_id)
        inbox = _Inbox()
        tasks = [asyncio.create_task(self._write(run_id, inbox)), asyncio.create_task(self._hardware(run, inbox))]
        try:
            await self._log(run, inbox, tasks[0])
            inbox.over = True
            inbox.stirred.set()
            await tasks[0]
            await self._in_writer(self._ledger.complete, run_id)
            self._on_change(run_id)
            return await self._in_writer(self._ledger.run, run_id)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.shield(self._in_writer(self._ledger.release, run_id))

    def close(self) -> None:
        self._writer.shutdown(wait=False)

    async def _become_recorder(self, run_id: str) -> bool:
        """Wait until nobody else records this run; False if somebody else has recorded it to its end."""
        seen = -1
        while True:
            try:
                if await self._in_writer(self._ledger.hold, run_id):
                    return True
                version = await self._in_writer(self._ledger.version, run_id)
                if version != seen:
                    seen = version
                    self._on_change(run_id)
                if (await self._in_writer(self._ledger.run, run_id)).log_complete:
                    return False
            except LedgerError as error:
                self._on_status(run_id, error.sentence())
            await asyncio.sleep(self._pace.first_pause * 2)

    async def _log(self, run: RunRecord, inbox: _Inbox, writer: asyncio.Task[None]) -> None:
        lines = follow_log(
            self._hub,
            run.job_id,
            namespace=run.namespace,
            held=_held(self._ledger, run.id),
            clean=self._ledger.redact,
            on_job=inbox.put_job,
            on_trouble=inbox.put_trouble,
            pace=self._pace,
        )
        try:
            async with aclosing(lines) as batches:
                async for batch in batches:
                    inbox.put_lines(batch)
                    while len(inbox.lines) > MOST_WAITING and not writer.done():
                        await inbox.room()
        except NotFoundError:
            # It was deleted, or its server has forgotten it: what we hold is what there is.
            inbox.put_job(
                JobRecord(id=run.job_id, namespace=run.namespace, stage="DELETED", message="the job no longer exists")
            )

    async def _hardware(self, run: RunRecord, inbox: _Inbox) -> None:
        try:
            async with aclosing(
                follow_metrics(self._hub, run.job_id, namespace=run.namespace, pace=self._pace)
            ) as samples:
                async for sample in samples:
                    inbox.put_sample(sample)
        except HubError:
            pass  # the log's own follower says what is wrong

    async def _write(self, run_id: str, inbox: _Inbox) -> None:
        """Write what has gathered, again and again, until the inbox is over and empty."""
        pause = self._pace.first_pause
        told = ""
        while not (inbox.over and inbox.empty):
            await inbox.stirred.wait()
            began = time.monotonic()
            batch = inbox.take()
            try:
                await self._in_writer(partial(_store, self._ledger, run_id, batch))
            except LedgerError as error:
                # A full disk, most likely: keep what we have and try again. The job itself goes on.
                inbox.put_back(batch)
                told = error.sentence()
                self._on_status(run_id, told)
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._pace.longest_pause)
                continue
            pause = self._pace.first_pause
            if batch.trouble is not None or told:
                told = ""
                self._on_status(run_id, batch.trouble or "")
            self._on_change(run_id)
            if not inbox.over:
                await asyncio.sleep(max(0.0, BATCH_SECONDS - (time.monotonic() - began)))

    async def _in_writer(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, partial(call, *args))


class FollowAll:
    """Keeps every open run of this account followed, on one loop: those in the ledger, and jobs started elsewhere.

    `await run()` lasts until it is cancelled; `nudge()` makes it look at the ledger at once (after a submission).
    `on_status("", sentence)` tells of the account's job list.
    """

    def __init__(
        self,
        hub: Hub,
        ledger: Ledger,
        *,
        on_change: Callable[[str], None] | None = None,
        on_status: Callable[[str, str], None] | None = None,
        pace: Pace | None = None,
        account: bool = True,
    ) -> None:
        self._hub = hub
        self._ledger = ledger
        self._follower = Follower(hub, ledger, on_change=on_change, on_status=on_status, pace=pace)
        self._on_change = on_change or _ignore
        self._on_status = on_status or _ignore
        self._account = account
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._nudged = asyncio.Event()
        self._prices: dict[str, float] = {}

    @property
    def following(self) -> tuple[str, ...]:
        """Ids of the runs followed just now."""
        return tuple(self._tasks)

    def nudge(self) -> None:
        self._nudged.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        looking = asyncio.create_task(self._look_at_account()) if self._account else None
        try:
            while True:
                await self._start_new()
                self._nudged.clear()
                try:
                    async with asyncio.timeout(LEDGER_SECONDS):
                        await self._nudged.wait()
                except TimeoutError:
                    pass
        finally:
            tasks = [*self._tasks.values(), *([looking] if looking else [])]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._follower.close()

    async def _start_new(self) -> None:
        try:
            runs = await asyncio.to_thread(self._ledger.unfinished)
        except LedgerError as error:
            self._on_status("", error.sentence())
            return
        for run in runs:
            if run.id not in self._tasks and run.endpoint == self._hub.settings.jobs_endpoint:
                self._tasks[run.id] = asyncio.create_task(self._follow(run.id))

    async def _follow(self, run_id: str) -> None:
        try:
            await self._follower.follow(run_id)
        except WorkbenchError as error:
            self._on_status(run_id, error.sentence())
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._tasks.pop(run_id, None)

    async def _look_at_account(self) -> None:
        """Jobs of the account that run now get a run in the ledger; requests without an answer are cleared up."""
        while True:
            try:
                for run_id in await asyncio.to_thread(self._observe):
                    self._on_change(run_id)
                self._on_status("", "")
                self.nudge()
            except WorkbenchError as error:
                self._on_status("", error.sentence())
            await asyncio.sleep(ACCOUNT_SECONDS)

    def _observe(self) -> list[str]:
        settings = self._hub.settings
        jobs = list_jobs(self._hub, stages=("SCHEDULING", "RUNNING"))
        place: Place = "demo" if settings.demo else settings.compute
        new: list[str] = []
        for job in jobs:
            if self._ledger.find(job.id, endpoint=settings.jobs_endpoint) is None:
                if not self._prices:
                    self._prices = {flavor.name: flavor.usd_per_hour for flavor in list_hardware(self._hub)}
                price = self._prices.get(job.flavor, 0.0)
                new.append(self._ledger.observe(job, place, settings.jobs_endpoint, usd_per_hour=price).id)
        return new + reconcile(self._hub, self._ledger)


@dataclass
class _Batch:
    lines: list[LogLine] = field(default_factory=list)
    samples: list[HardwareSample] = field(default_factory=list)
    job: JobRecord | None = None
    trouble: str | None = None


class _Inbox:
    """What the streams brought and the ledger has not got yet."""

    def __init__(self) -> None:
        self._batch = _Batch()
        self._taken = asyncio.Event()
        self.stirred = asyncio.Event()
        self.over = False

    @property
    def lines(self) -> list[LogLine]:
        return self._batch.lines

    @property
    def empty(self) -> bool:
        batch = self._batch
        return not (batch.lines or batch.samples) and batch.job is None and batch.trouble is None

    def put_lines(self, lines: list[LogLine]) -> None:
        self._batch.lines += lines
        self.stirred.set()

    def put_sample(self, sample: HardwareSample) -> None:
        self._batch.samples.append(sample)
        self.stirred.set()

    def put_job(self, job: JobRecord) -> None:
        self._batch.job = job
        self.stirred.set()

    def put_trouble(self, sentence: str) -> None:
        self._batch.trouble = sentence
        self.stirred.set()

    def take(self) -> _Batch:
        batch, self._batch = self._batch, _Batch()
        self._taken.set()
        if not self.over:
            self.stirred.clear()
        return batch

    def put_back(self, batch: _Batch) -> None:
        newer = self._batch
        newer.lines[:0] = batch.lines
        newer.samples[:0] = batch.samples
        newer.job = newer.job or batch.job
        newer.trouble = batch.trouble if newer.trouble is None else newer.trouble
        self.stirred.set()

    async def room(self) -> None:
        self._taken.clear()
        await self._taken.wait()


def _store(ledger: Ledger, run_id: str, batch: _Batch) -> None:
    if batch.job is not None:
        ledger.update_job(run_id, batch.job)
    if batch.lines:
        ledger.add_lines(run_id, batch.lines)
    if batch.trouble is not None:
        ledger.set_trouble(run_id, batch.trouble)
    if batch.samples:
        ledger.add_hardware(run_id, batch.samples)


def _held(ledger: Ledger, run_id: str) -> Iterator[LogLine]:
    """All lines of a run, a few thousand in memory at a time."""
    start = 0
    while block := ledger.lines(run_id, start, 5000):
        yield from block
        start += len(block)
