"""The ledger: what goes in comes out, and nothing that may happen to the program or the disk breaks it."""

from __future__ import annotations

import errno
import math
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runs.making import ENDPOINT, event, job, line, lines, moment, new_run, steps_of
from workbench.errors import LedgerError
from workbench.hub.records import HardwareSample, LogLine
from workbench.runs import logfile
from workbench.runs.ledger import RUN_LABEL, Ledger
from workbench.runs.redact import HIDDEN, Redactor
from workbench.runs.schema import CHUNK


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


def started(ledger: Ledger) -> str:
    run = ledger.create(new_run())
    ledger.attach_job(run.id, job())
    return run.id


def test_a_run_from_request_to_end(ledger: Ledger) -> None:
    run = ledger.create(new_run(recipe={"lora": {"rank": 16}}, labels={"name": "x"}, command_line="hf jobs …"))
    assert (run.stage, run.job_id, run.open, run.recipe) == ("PREPARED", "", True, {"lora": {"rank": 16}})
    ledger.attach_job(run.id, job(stage="SCHEDULING", started=None))
    assert ledger.phases(run.id)[0].end is None
    ledger.update_job(run.id, job())
    ledger.add_lines(
        run.id, [line(0, event("phase", name="train")), line(1, event("step", step=5, max_steps=9, loss=0.5))]
    )
    ledger.update_job(run.id, job(stage="COMPLETED", finished=moment(130)))
    ended = ledger.run(run.id)
    assert (ended.stage, ended.job_id, ended.open) == ("COMPLETED", "job1", False)
    assert (ended.step, ended.max_steps, ended.last_loss, ended.phase, ended.lines) == (5, 9, 0.5, "train", 2)
    assert ended.seconds(0) == 120
    assert ended.usd(0) == pytest.approx(0.02)
    queue, train = ledger.phases(run.id)
    assert (queue.name, queue.end) == ("queue", moment(10).timestamp())
    assert (train.name, train.end) == ("train", moment(130).timestamp())


def test_a_refused_run_stays_with_its_reason(ledger: Ledger) -> None:
    run = ledger.create(new_run())
    refused = ledger.refuse(run.id, "alice: no credits.")
    assert (refused.stage, refused.message, refused.open) == ("REFUSED", "alice: no credits.", False)
    assert ledger.unfinished() == []


def test_an_answer_that_was_overtaken_does_not_reopen_a_run(ledger: Ledger) -> None:
    run_id = started(ledger)
    ledger.update_job(run_id, job(stage="ERROR", message="Job timeout", finished=moment(99)))
    assert ledger.update_job(run_id, job(stage="RUNNING")).stage == "ERROR"


def test_jobs_of_others_are_observed_once(ledger: Ledger) -> None:
    first = ledger.observe(job(labels={"name": "theirs"}), "hub", ENDPOINT)
    again = ledger.observe(job(stage="COMPLETED", finished=moment(20)), "hub", ENDPOINT, usd_per_hour=2.0)
    assert first.id == again.id
    assert (again.name, again.stage, again.usd_per_hour) == ("theirs", "COMPLETED", 2.0)
    assert len(ledger.runs()) == 1


def test_our_job_seen_before_its_answer_is_not_doubled(ledger: Ledger) -> None:
    ours = ledger.create(new_run())
    seen = ledger.observe(job(labels={RUN_LABEL: ours.id}), "demo", ENDPOINT)
    assert seen.id == ours.id
    ledger.attach_job(ours.id, job())
    # And without the label: the stranger gives way to the run that asked for the job.
    other = ledger.create(new_run())
    ledger.observe(job(id="job2"), "demo", ENDPOINT)
    ledger.attach_job(other.id, job(id="job2"))
    assert sorted(run.id for run in ledger.runs()) == sorted([ours.id, other.id])


def test_lists_are_searched_tagged_and_paged(ledger: Ledger) -> None:
    ids = [ledger.create(new_run(name=f"run {n}", recipe={"model": {"id": f"m{n}_x"}})).id for n in range(5)]
    ledger.set_tags(ids[1], ["good", " keep  this ", ""])
    ledger.set_note(ids[2], "100% weird_note")
    ledger.refuse(ids[0], "no")
    assert [run.id for run in ledger.runs()] == ids[::-1]
    assert [run.id for run in ledger.runs(limit=2, offset=1)] == [ids[3], ids[2]]
    assert [run.id for run in ledger.runs(text="m3_x RUN")] == [ids[3]]
    assert [run.id for run in ledger.runs(text="0% weird_")] == [ids[2]]
    assert ledger.runs(text="m3%x") == []
    assert [run.id for run in ledger.runs(tags=["good", "keep this"])] == [ids[1]]
    assert ledger.run(ids[1]).tags == ("good", "keep this")
    assert ids[0] not in [run.id for run in ledger.runs(open_only=True)]


def test_every_change_changes_the_version_and_nothing_else_does(ledger: Ledger) -> None:
    run_id = started(ledger)
    other = ledger.create(new_run()).id
    acts = [
        lambda: ledger.add_lines(run_id, [line(0)]),
        lambda: ledger.add_hardware(run_id, [HardwareSample(1.0, 2.0, 3, 4)]),
        lambda: ledger.set_note(run_id, "x"),
        lambda: ledger.set_tags(run_id, ["x"]),
        lambda: ledger.set_trouble(run_id, "down"),
        lambda: ledger.update_job(run_id, job(message="moved")),
        lambda: ledger.complete(run_id),
    ]
    for act in acts:
        before, all_before, other_before = ledger.version(run_id), ledger.version(), ledger.version(other)
        act()
        assert ledger.version(run_id) > before
        assert ledger.version() > all_before
        assert ledger.version(other) == other_before
    before = ledger.version(run_id)
    ledger.update_job(run_id, job(message="moved"))
    ledger.add_lines(run_id, [line(0)])
    assert ledger.version(run_id) == before
    assert ledger.version("no such run") == 0


def test_curves_are_read_whole_and_from_any_row_on(ledger: Ledger) -> None:
    run_id = started(ledger)
    count = CHUNK * 3
    for start in range(0, count, 37):
        ledger.add_lines(run_id, lines(start, min(count, start + 37)))
    whole = ledger.series(run_id, "loss")
    assert list(whole.step) == steps_of(count)
    assert list(whole.value) == [1 / (step + 1) for step in whole.step]
    assert whole.at[3] == line(3).at
    assert math.isnan(whole.tokens[0])
    for row in (1, CHUNK - 1, CHUNK, CHUNK + 1, len(whole) - 1, len(whole)):
        assert list(ledger.series(run_id, "loss", row).step) == list(whole.step[row:])
    assert ledger.metrics(run_id) == ["loss"]
    assert len(ledger.series(run_id, "no such curve")) == 0


def test_one_big_batch_equals_many_small_ones(ledger: Ledger) -> None:
    big, small = started(ledger), ledger.create(new_run()).id
    ledger.add_lines(big, lines(0, 1500))
    for index in range(1500):
        ledger.add_lines(small, [line(index)])
    assert ledger.series(big, "loss").value == ledger.series(small, "loss").value
    assert ledger.run(big).step == ledger.run(small).step
    assert ledger.lines(big, 0, 2000) == ledger.lines(small, 0, 2000)


def test_samples_events_hardware_and_nan(ledger: Ledger) -> None:
    run_id = started(ledger)
    ledger.add_lines(
        run_id,
        [
            line(0, event("sample", step=3, index=1, prompt="2+2?", text="4\n")),
            line(1, event("saved", step=3, path="out")),
            line(2, event("step", step=4, loss=math.nan)),
        ],
    )
    assert [(s.step, s.index, s.prompt, s.text) for s in ledger.samples(run_id)] == [(3, 1, "2+2?", "4\n")]
    assert [(e.kind, e.fields["path"]) for e in ledger.events(run_id)] == [("saved", "out")]
    last = ledger.run(run_id).last_loss
    assert last is not None and math.isnan(last)
    taken = [HardwareSample(float(n), 50.0, 1, 2, (90.0, 10.0), (1, 2), (3, 4), 5.0, 6.0) for n in range(10)]
    ledger.add_hardware(run_id, taken)
    assert ledger.hardware(run_id, 4) == taken[-4:]


def test_money_since_a_moment_counts_paid_jobs_only(ledger: Ledger) -> None:
    start = moment(10).timestamp()
    for number, place in enumerate(("hub", "hub", "demo")):
        run = ledger.create(new_run(place=place, usd_per_hour=6.0))
        ledger.attach_job(run.id, job(id=f"job{number}", stage="COMPLETED", finished=moment(10 + 90 * (number + 1))))
    # 90 s and 180 s at ten cents a started minute
    assert ledger.spent_since(start - 1) == pytest.approx(0.2 + 0.3)
    assert ledger.spent_since(start + 100) == pytest.approx(0.2)
    assert ledger.spent_since(start + 1000) == 0.0


@given(st.lists(st.tuples(st.none() | st.floats(0, 4e9).map(lambda x: round(x, 6)), st.text(max_size=40)), max_size=20))
def test_any_text_comes_back_as_it_was(rows: list[tuple[float | None, str]]) -> None:
    for number, (at, text) in enumerate(rows):
        text.encode("utf-8", "replace")
        raw = logfile.encode(LogLine(number, at, text))
        assert raw.count(b"\n") == 1
        assert logfile.decode(number, raw[:-1]) == LogLine(number, at, text.encode("utf-8", "replace").decode())


def test_lines_are_read_at_any_place(ledger: Ledger) -> None:
    run_id = started(ledger)
    ledger.add_lines(run_id, lines(0, 500))
    assert ledger.line_count(run_id) == 500
    assert ledger.lines(run_id, 490, 100) == lines(490, 500)
    assert ledger.lines(run_id, 0, 1) == lines(0, 1)
    assert ledger.lines(run_id, 250, 0) == []
    assert ledger.lines(run_id, 500, 10) == []
    assert ledger.lines("no such run", 0, 10) == []


def test_lines_held_already_are_passed_over_and_gaps_are_refused(ledger: Ledger) -> None:
    run_id = started(ledger)
    assert ledger.add_lines(run_id, lines(0, 10)) == 10
    assert ledger.add_lines(run_id, lines(5, 15)) == 15
    with pytest.raises(LedgerError, match="missing"):
        ledger.add_lines(run_id, lines(20, 25))
    assert ledger.lines(run_id, 0, 100) == lines(0, 15)
    assert list(ledger.series(run_id, "loss").step) == steps_of(15)


def test_secrets_are_hidden_in_everything_stored(tmp_path: Path) -> None:
    token = "hf_" + "q" * 34
    ledger = Ledger(tmp_path, redact=Redactor(["other-secret-value"]))
    run = ledger.create(new_run(recipe={"x": token}, command_line=f"HF_TOKEN={token} hf"))
    ledger.add_lines(run.id, [line(0, f"token {token}"), line(1, event("notice", text="other-secret-value"))])
    ledger.set_note(run.id, token)
    ledger.refuse(run.id, f"bad {token}")
    ledger.close()
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert token.encode() not in written and b"other-secret-value" not in written
    assert HIDDEN.encode() in written


def test_two_processes_share_a_ledger_but_one_records_a_run(ledger: Ledger) -> None:
    run_id = started(ledger)
    ledger.add_lines(run_id, lines(0, 20))
    code = """
import sys
from pathlib import Path
from tests.runs.making import lines, new_run
from workbench.runs.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
run_id = sys.argv[2]
assert len(ledger.lines(run_id, 0, 100)) == 20
assert not ledger.hold(run_id)
try:
    ledger.add_lines(run_id, lines(20, 30))
except Exception as error:
    print(type(error).__name__, error)
print(ledger.create(new_run(name="theirs")).name)
"""
    answer = subprocess.run(
        [sys.executable, "-c", code, ledger.folder, run_id], capture_output=True, text=True, cwd=Path.cwd(), check=False
    )
    assert answer.stdout.splitlines() == [
        f"LedgerError {run_id}: another workbench is recording this run.",
        "theirs",
    ], answer.stderr
    assert len(ledger.runs()) == 2
    ledger.release(run_id)
    assert ledger.hold(run_id)


def test_threads_read_while_one_writes(ledger: Ledger) -> None:
    run_id = started(ledger)
    wrong: list[str] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            count = ledger.line_count(run_id)
            if ledger.lines(run_id, 0, count) != lines(0, count):
                wrong.append("lines differ")
            steps = list(ledger.series(run_id, "loss").step)
            if steps != steps_of(1000)[: len(steps)]:
                wrong.append("points differ")

    readers = [threading.Thread(target=look) for _ in range(3)]
    for reader in readers:
        reader.start()
    for start in range(0, 1000, 20):
        ledger.add_lines(run_id, lines(start, start + 20))
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []


WRITER = """
import sys
from pathlib import Path
from tests.runs.making import lines
from workbench.runs.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
start = ledger.add_lines(sys.argv[2], [])
print("ready", flush=True)
while True:
    start = ledger.add_lines(sys.argv[2], lines(start, start + 7))
"""


def test_kill_at_any_moment_neither_loses_nor_doubles(tmp_path: Path) -> None:
    run_id = started(Ledger(tmp_path))
    chance = random.Random(5)
    counts = []
    for _ in range(12):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, run_id], stdout=subprocess.PIPE)
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
        try:
            writer.wait(chance.uniform(0.0, 0.05))
        except subprocess.TimeoutExpired:
            pass
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        ledger = Ledger(tmp_path)
        assert ledger.hold(run_id)
        counts.append(check_whole(ledger, run_id))
        ledger.close()
    assert counts == sorted(counts) and counts[-1] > 0


def check_whole(ledger: Ledger, run_id: str) -> int:
    """Log, counts and curve agree with each other and with what was written; returns the number of lines."""
    count = ledger.line_count(run_id)
    assert ledger.lines(run_id, 0, count + 10) == lines(0, count)
    assert list(ledger.series(run_id, "loss").step) == steps_of(count)
    assert (ledger.logs / f"{run_id}.idx").stat().st_size == count * 8
    return count


def cut_after_log(ledger: Ledger, run_id: str, extra: bytes) -> None:
    """As a kill between the log's append and the database's commit leaves it."""
    ledger.close()
    with (ledger.logs / f"{run_id}.log").open("ab") as log:
        log.write(extra)


@pytest.mark.parametrize("torn", [b"", b"1795", b"1795000040.0\t::wb:: {"])
def test_lines_beyond_the_database_are_recorded_and_a_torn_one_is_cut(tmp_path: Path, torn: bytes) -> None:
    ledger = Ledger(tmp_path)
    run_id = started(ledger)
    ledger.add_lines(run_id, lines(0, 10))
    cut_after_log(ledger, run_id, b"".join(logfile.encode(one) for one in lines(10, 14)) + torn)
    ledger = Ledger(tmp_path)
    assert ledger.add_lines(run_id, lines(12, 20)) == 20
    assert check_whole(ledger, run_id) == 20


@pytest.mark.parametrize("damage", ["index cut", "index gone", "index wrong", "index longer"])
def test_a_damaged_index_is_made_anew(tmp_path: Path, damage: str) -> None:
    ledger = Ledger(tmp_path)
    run_id = started(ledger)
    ledger.add_lines(run_id, lines(0, 50))
    ledger.close()
    index = ledger.logs / f"{run_id}.idx"
    whole = index.read_bytes()
    index.write_bytes(
        {"index cut": whole[:-13], "index gone": b"", "index wrong": whole[:-8] + b"\xff" * 8}.get(damage, whole * 2)
    )
    ledger = Ledger(tmp_path)
    assert ledger.add_lines(run_id, lines(50, 60)) == 60
    assert check_whole(ledger, run_id) == 60


def test_a_log_that_lost_its_end_is_read_anew(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    run_id = started(ledger)
    ledger.add_lines(run_id, lines(0, 50))
    ledger.close()
    log = ledger.logs / f"{run_id}.log"
    os.truncate(log, log.stat().st_size - 100)
    ledger = Ledger(tmp_path)
    assert ledger.hold(run_id)
    count = check_whole(ledger, run_id)
    assert 0 < count < 50
    assert ledger.add_lines(run_id, lines(count, 60)) == 60
    assert check_whole(ledger, run_id) == 60


def test_rebuild_reads_the_same_again(ledger: Ledger) -> None:
    run_id = started(ledger)
    ledger.add_lines(run_id, lines(0, 300))
    before = (ledger.run(run_id), ledger.series(run_id, "loss").value, ledger.phases(run_id))
    ledger.rebuild(run_id)
    assert (ledger.run(run_id), ledger.series(run_id, "loss").value, ledger.phases(run_id)) == before


def test_a_full_disk_is_said_and_nothing_is_half_written(tmp_path: Path) -> None:
    """The limit on a file's size stands in for the disk: to the program it is the same failed write."""
    ledger = Ledger(tmp_path)
    run_id = started(ledger)
    ledger.add_lines(run_id, lines(0, 100))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (ledger.logs / f"{run_id}.log").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500, hard))
    try:
        with pytest.raises(LedgerError) as caught:
            ledger.add_lines(run_id, lines(100, 200))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "disk is full" in caught.value.sentence()
    assert check_whole(ledger, run_id) == 100
    assert ledger.add_lines(run_id, lines(100, 200)) == 200
    assert check_whole(ledger, run_id) == 200


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_write_that_fails_half_way_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    ledger = Ledger(tmp_path)
    run_id = started(ledger)
    ledger.add_lines(run_id, lines(0, 10))
    real, calls = os.pwrite, []

    def failing(handle: int, data: bytes, at: int) -> int:
        calls.append(len(data))
        if len(calls) == fails_at:
            real(handle, bytes(data)[:5], at)
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, data, at)

    monkeypatch.setattr(os, "pwrite", failing)
    with pytest.raises(LedgerError, match="disk is full"):
        ledger.add_lines(run_id, lines(10, 20))
    assert check_whole(ledger, run_id) == 10
    assert ledger.add_lines(run_id, lines(10, 20)) == 20
    assert check_whole(ledger, run_id) == 20


def test_a_database_that_cannot_commit_takes_the_log_back_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path)
    run_id = started(ledger)
    ledger.add_lines(run_id, lines(0, 10))

    def failing(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("workbench.runs.ledger.store_learned", failing)
        with pytest.raises(LedgerError, match="disk is full"):
            ledger.add_lines(run_id, lines(10, 20))
    assert check_whole(ledger, run_id) == 10
    assert ledger.add_lines(run_id, lines(10, 20)) == 20
    assert check_whole(ledger, run_id) == 20


def test_a_folder_that_is_a_file_and_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LedgerError) as caught:
        Ledger(tmp_path / "file" / "ledger")
    assert str(tmp_path / "file") in caught.value.sentence()
    (tmp_path / "ledger.db").write_bytes(b"this is no database, and long enough to be read as one" * 100)
    with pytest.raises(LedgerError, match="damaged"):
        Ledger(tmp_path)


def test_a_ledger_of_a_newer_workbench_is_left_alone(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="newer workbench"):
        Ledger(tmp_path)


def test_unknown_runs_get_a_sentence(ledger: Ledger) -> None:
    for act in (
        lambda: ledger.run("nope"),
        lambda: ledger.add_lines("nope", lines(0, 1)),
        lambda: ledger.update_job("nope", job()),
        lambda: ledger.set_note("nope", "x"),
        lambda: ledger.add_hardware("nope", []),
    ):
        with pytest.raises(LedgerError, match="no such run"):
            act()
