"""The two streams of a job as server-sent events: its log with replay, its metrics once a second (hub-contract §3)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from workbench.local.joblog import as_events, tail_offset, whole_lines
from workbench.local.jobstore import Job, JobStore
from workbench.local.metrics import Sampler

_POLL = 0.08  # seconds between looks at the log's size
_BLOCK = 1 << 18
_STAGE_EVERY = 0.25  # seconds between looks at the job's stage while its log is silent
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
KEEP_ALIVE = b": keep-alive\n\n"


def log_stream(request: Request, store: JobStore, job: Job, tail: int | None, keepalive: float) -> StreamingResponse:
    """Every line from the first (or the started-marker and the last `tail`), then what comes, until the job's end."""
    events = _log_events(request, store, job, tail, keepalive)
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


async def _log_events(
    request: Request, store: JobStore, job: Job, tail: int | None, keepalive: float
) -> AsyncIterator[bytes]:
    # Small reads of a local file that is in the page cache: a thread for each would cost more than it saves.
    with (job.folder / "log.jsonl").open("rb") as file:
        if tail is not None:
            first = file.readline()
            start = max(await run_in_threadpool(tail_offset, file, tail), len(first))
            yield as_events(whole_lines(first))
            file.seek(start)
        rest, said, looked = b"", time.monotonic(), 0.0
        ended = job.terminal
        while True:
            data = file.read(_BLOCK)
            if data:
                cut = (rest + data).rfind(b"\n") + 1
                block, rest = (rest + data)[:cut], (rest + data)[cut:]
                if block:
                    yield as_events(whole_lines(block))
                    said = time.monotonic()
                continue
            if ended:  # the stage was seen before this read, so nothing can come any more
                return
            now = time.monotonic()
            if now - looked >= _STAGE_EVERY:
                looked = now
                ended = (await run_in_threadpool(store.job, job.id)).terminal
                if ended:
                    continue
            if now - said >= keepalive:
                yield KEEP_ALIVE
                said = now
            if await request.is_disconnected():
                return
            await asyncio.sleep(_POLL)


def metric_stream(request: Request, store: JobStore, job: Job) -> StreamingResponse:
    """One sample a second from now on; ends with the job."""
    return StreamingResponse(_metric_events(request, store, job.id), media_type="text/event-stream", headers=_HEADERS)


async def _metric_events(request: Request, store: JobStore, job_id: str) -> AsyncIterator[bytes]:
    sampler: Sampler | None = None
    while not await request.is_disconnected():
        job = await run_in_threadpool(store.job, job_id)
        if job.terminal:
            return
        pid = job.status.get("pid")
        if pid is None:
            await asyncio.sleep(0.1)
            continue
        if sampler is None or sampler.pid != pid:
            sampler = Sampler(int(pid), gpus=bool(job.record["runtime"]["gpus"]), replica=job_id[-5:])
            await run_in_threadpool(sampler.sample)  # the first look is where rates are counted from
            await asyncio.sleep(0.2)
        sample = await run_in_threadpool(sampler.sample)
        yield b"event: metric\ndata: " + json.dumps(sample).encode("ascii") + b"\n\n"
        await asyncio.sleep(1.0)
