"""Following into the ledger: through faults, across restarts of ours, and against the real local server."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hub.test_streams import QUICK, awkward_lines, hub_at
from tests.runs.faulty import FaultyJobs
from tests.runs.making import job, new_run
from workbench.hub.client import Hub
from workbench.hub.jobs import JobSpec, inspect_job, submit_job
from workbench.runs.follow import FollowAll, Follower
from workbench.runs.ledger import Ledger
from workbench.runs.records import RunRecord


def texts(ledger: Ledger, run_id: str) -> list[str]:
    return [line.text for line in ledger.lines(run_id, 0, 1_000_000)]


def run_at(ledger: Ledger, server: FaultyJobs) -> RunRecord:
    run = ledger.create(new_run(endpoint=server.url))
    return ledger.attach_job(run.id, job(stage="SCHEDULING", started=None))


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def test_a_job_is_followed_to_its_end_through_faults(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    changes: list[str] = []
    faults = ("drop", "half", "500", "503", "refuse", "forgot", "shorter", "restart")
    with FaultyJobs(awkward_lines(400), seed=2, enough=40, fault_rate=0.97, faults=faults) as server:
        run = run_at(ledger, server)
        follower = Follower(hub_at(server.url, tmp_path), ledger, on_change=changes.append, pace=QUICK)
        done = await follower.follow(run.id)
        assert texts(ledger, run.id) == server.truth
    assert (done.stage, done.log_complete, done.trouble, done.lines) == ("COMPLETED", True, "", 400)
    assert set(changes) == {run.id}
    assert ledger.unfinished() == []
    assert ledger.series(run.id, "loss").step[0] == 2, "the step of the bar before the first dictionary"


async def test_following_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    """Cancelled again and again, with a new ledger object each time, as after as many crashes."""
    with FaultyJobs(awkward_lines(300), seed=4, enough=30, fault_rate=0.97, faults=("drop", "500", "half")) as server:
        run = run_at(Ledger(tmp_path), server)
        cuts = 0
        while True:
            ledger = Ledger(tmp_path)
            follower = Follower(hub_at(server.url, tmp_path), ledger, pace=QUICK)
            task = asyncio.create_task(follower.follow(run.id))
            held = ledger.line_count(run.id)
            while not task.done() and ledger.line_count(run.id) <= held + 5:
                await asyncio.sleep(0.01)
            if task.done():
                assert task.result().stage == "COMPLETED"
                break
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            ledger.close()
            cuts += 1
        assert texts(ledger, run.id) == server.truth
    assert cuts >= 3


async def test_a_full_disk_is_told_and_recording_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)
    told: list[str] = []
    full = True
    real = os.pwrite

    def pwrite(handle: int, data: bytes, at: int) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data, at)

    monkeypatch.setattr(os, "pwrite", pwrite)
    with FaultyJobs(awkward_lines(100), faults=()) as server:
        run = run_at(ledger, server)
        follower = Follower(
            hub_at(server.url, tmp_path), ledger, on_status=lambda _, sentence: told.append(sentence), pace=QUICK
        )
        task = asyncio.create_task(follower.follow(run.id))
        await until(lambda: any("disk is full" in sentence for sentence in told))
        assert texts(ledger, run.id) == []
        full = False
        await task
        assert texts(ledger, run.id) == server.truth
    assert told[-1] == ""


async def test_a_second_follower_waits_and_sees_the_end(tmp_path: Path) -> None:
    one, two = Ledger(tmp_path), Ledger(tmp_path)
    with FaultyJobs(awkward_lines(100), enough=10, faults=("drop", "500")) as server:
        run = run_at(one, server)
        hub = hub_at(server.url, tmp_path)
        ends = await asyncio.gather(
            Follower(hub, one, pace=QUICK).follow(run.id), Follower(hub, two, pace=QUICK).follow(run.id)
        )
        assert texts(two, run.id) == server.truth
    assert [end.stage for end in ends] == ["COMPLETED", "COMPLETED"]


async def test_a_job_that_is_gone_ends_as_deleted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with FaultyJobs([], faults=()) as server:
        run = ledger.create(new_run(endpoint=server.url))
        ledger.attach_job(run.id, job(id="gone"))
        done = await Follower(hub_at(server.url, tmp_path), ledger, pace=QUICK).follow(run.id)
    assert (done.stage, done.message, done.log_complete) == ("DELETED", "the job no longer exists", True)


async def test_a_server_that_is_down_is_waited_for(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    server = FaultyJobs(awkward_lines(50), faults=())
    with server:
        pass  # it has taken a port, and is gone
    run = run_at(ledger, server)
    task = asyncio.create_task(Follower(hub_at(server.url, tmp_path), ledger, pace=QUICK).follow(run.id))
    await until(lambda: "cannot be reached" in ledger.run(run.id).trouble)
    with FaultyJobs(awkward_lines(50), faults=(), port=server.port) as back:
        done = await task
        assert texts(ledger, run.id) == back.truth
    assert (done.stage, done.trouble) == ("COMPLETED", "")


async def test_all_open_jobs_of_the_account_are_followed(hub: Hub, tmp_path: Path) -> None:
    """Several real jobs on the real local server, one of them unknown to the ledger."""
    ledger = Ledger(tmp_path)

    def script(number: int) -> str:
        return (
            f'for i in 1 2 3; do echo \'::wb:: {{"t":\'$i\',"e":"step","step":\'$i\',"loss":{number}.5}}\'; done; '
            f"echo job {number}; sleep 2; echo end {number}"
        )

    def start(number: int) -> str:
        spec = JobSpec("python:3.12", ("bash", "-c", script(number)), "cpu-basic", hub.namespace(), timeout_seconds=300)
        return submit_job(hub, spec).id

    ours = [await asyncio.to_thread(start, number) for number in range(4)]
    for job_id in ours:
        record = await asyncio.to_thread(inspect_job, hub, job_id)
        run = ledger.create(new_run(endpoint=hub.settings.jobs_endpoint, namespace=hub.namespace()))
        ledger.attach_job(run.id, record)
    theirs = await asyncio.to_thread(start, 9)
    everything = FollowAll(hub, ledger)
    task = asyncio.create_task(everything.run())

    def ended() -> bool:
        runs = [ledger.find(job_id) for job_id in (*ours, theirs)]
        return all(run is not None and run.log_complete for run in runs)

    await until(ended)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for number, job_id in zip((0, 1, 2, 3, 9), (*ours, theirs), strict=True):
        run = ledger.find(job_id)
        assert run is not None
        assert run.stage == "COMPLETED"
        told = texts(ledger, run.id)
        assert told.count(f"job {number}") == told.count(f"end {number}") == 1
        assert list(ledger.series(run.id, "loss").value) == [number + 0.5] * 3
        assert run.usd_per_hour > 0
        assert ledger.hardware(run.id), "the metrics stream has been read, too"
    assert everything.following == ()
