"""The log stream under faults: every line once and in order, whatever the server does."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.runs.faulty import FaultyJobs
from workbench.errors import NotFoundError
from workbench.hub.client import Hub
from workbench.hub.connection import Pace
from workbench.hub.records import JobRecord, LogLine
from workbench.hub.streams import follow_log, follow_metrics
from workbench.settings import Settings

QUICK = Pace(
    first_pause=0.002,
    longest_pause=0.01,
    longest_retry_after=0.05,
    read_timeout=0.1,
    poll_scheduling=0.02,
    poll_running=0.05,
    settle=0.1,
    final_silence=0.2,
)


def hub_at(url: str, tmp_path: Path) -> Hub:
    return Hub(
        Settings(
            endpoint=url,
            jobs_endpoint=url,
            token="hf_" + "x" * 34,
            jobs_token="hf_" + "x" * 34,
            namespace="alice",
            data_dir=tmp_path,
        )
    )


def awkward_lines(count: int) -> list[str]:
    """Lines that tempt a reader: repeated, empty, with separators, carriage returns, quotes and emoji."""
    kinds = (
        "line {n}",
        "",
        "\r 33%|###+      | {n}/600 [00:00<00:03,  1.33it/s]",
        "a\u2028b\u2029c\u0085d {n}",
        "same again",
        "{{'loss': '1.{n}', 'epoch': '0.0{n}'}}",
        'data: {{"data": "not an event"}}',
        "two\nin one {n}",
        "ünï 🚀 {n}",
    )
    return [kinds[number % len(kinds)].format(n=number) for number in range(count)]


async def follow(hub: Hub, held: list[LogLine], jobs: list[JobRecord] | None = None) -> list[LogLine]:
    got: list[LogLine] = []
    seen = [] if jobs is None else jobs
    async with aclosing(
        follow_log(hub, "job1", namespace="alice", held=held, on_job=seen.append, pace=QUICK)
    ) as batches:
        async for batch in batches:
            got += batch
    return got


async def test_every_line_once_and_in_order_through_150_faults(tmp_path: Path) -> None:
    with FaultyJobs(awkward_lines(900), seed=11, enough=150, fault_rate=0.97) as server:
        jobs: list[JobRecord] = []
        got = await follow(hub_at(server.url, tmp_path), [], jobs)
    # A line that was changed the first time it came stays as it came.
    assert [line.text.removesuffix(" (changed)") for line in got] == server.truth
    assert [line.index for line in got] == list(range(len(server.truth)))
    assert sum(server.happened.values()) >= 150
    assert set(server.happened) == set(server.faults), "every kind of fault must have happened"
    assert jobs[-1].stage == "COMPLETED"
    assert jobs[-1].timeout_seconds == 600


@pytest.mark.parametrize("seed", range(4))
async def test_a_job_that_ends_while_we_are_cut_off_keeps_its_tail(seed: int, tmp_path: Path) -> None:
    server = FaultyJobs(
        awkward_lines(200), seed=seed, faults=("drop", "half", "500", "refuse"), fault_rate=0.95, burst=60
    )
    with server:
        got = await follow(hub_at(server.url, tmp_path), [])
    assert [line.text for line in got] == server.truth


async def test_resuming_takes_only_what_is_new(tmp_path: Path) -> None:
    with FaultyJobs(awkward_lines(300), faults=()) as server:
        hub = hub_at(server.url, tmp_path)
        whole = await follow(hub, [])
        rest = await follow(hub, whole[:120])
        nothing = await follow(hub, whole)
    assert rest == whole[120:]
    assert nothing == []


async def test_timestamps_are_kept(tmp_path: Path) -> None:
    with FaultyJobs(["a", "b", "c"], faults=()) as server:
        got = await follow(hub_at(server.url, tmp_path), [])
    assert [round(line.at or 0, 3) for line in got] == [1778597863.0, 1778597863.007, 1778597863.014]


async def test_cancelling_ends_at_once_in_the_middle_of_a_silent_stream(tmp_path: Path) -> None:
    with FaultyJobs(awkward_lines(50), faults=("stall",), fault_rate=1.0, enough=10_000) as server:
        hub = hub_at(server.url, tmp_path)
        patient = Pace(read_timeout=3600, poll_running=3600, poll_scheduling=3600)
        stream = follow_log(hub, "job1", namespace="alice", pace=patient)

        async def consume() -> None:
            async with aclosing(stream) as batches:
                async for _ in batches:
                    pass

        task = asyncio.create_task(consume())
        while not server.requests["logs"]:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 10)


async def test_a_job_that_does_not_exist_is_said_so(tmp_path: Path) -> None:
    with FaultyJobs([], faults=()) as server:
        hub = hub_at(server.url, tmp_path)
        with pytest.raises(NotFoundError, match="no such job"):
            async with aclosing(follow_log(hub, "other", namespace="alice", pace=QUICK)) as batches:
                async for _ in batches:
                    pass


async def test_trouble_is_told_and_taken_back(tmp_path: Path) -> None:
    told: list[str] = []
    with FaultyJobs(awkward_lines(100), seed=3, faults=("503",), enough=5) as server:
        hub = hub_at(server.url, tmp_path)
        async with aclosing(follow_log(hub, "job1", namespace="alice", on_trouble=told.append, pace=QUICK)) as batches:
            async for _ in batches:
                pass
    assert any("503" in sentence for sentence in told)
    assert told[-1] == ""


async def test_metrics_of_a_finished_job_end(tmp_path: Path) -> None:
    with FaultyJobs([], faults=()) as server:
        hub = hub_at(server.url, tmp_path)
        async with aclosing(follow_metrics(hub, "job1", namespace="alice", pace=QUICK)) as samples:
            assert [sample async for sample in samples] == []


async def test_a_secret_is_cleaned_before_anybody_sees_it(tmp_path: Path) -> None:
    with FaultyJobs(["the token is s3cret-value", "fine"], faults=()) as server:
        hub = hub_at(server.url, tmp_path)
        got: list[LogLine] = []
        stream = follow_log(
            hub, "job1", namespace="alice", clean=lambda text: text.replace("s3cret-value", "***"), pace=QUICK
        )
        async with aclosing(stream) as batches:
            async for batch in batches:
                got += batch
    assert [line.text for line in got] == ["the token is ***", "fine"]
