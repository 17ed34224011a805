"""The meter: what it says before, during and after the steps."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from tests.runs.making import event, job, line, moment, new_run
from workbench.runs.ledger import Ledger
from workbench.runs.meter import read_meter
from workbench.runs.records import RunRecord, Series


def running(tmp_path: Path, *, max_steps: int = 100, **changes: object) -> RunRecord:
    ledger = Ledger(tmp_path)
    run = ledger.create(new_run(usd_per_hour=6.0, timeout_seconds=600, cap_usd=0.5, **changes))
    ledger.attach_job(run.id, job(stage="RUNNING"))
    ledger.add_lines(run.id, [line(0, event("step", step=1, max_steps=max_steps, loss=1.0))])
    return ledger.run(run.id)


def curve(steps: list[float], seconds: list[float]) -> Series:
    start = moment(10).timestamp()
    at = array("d", [start + second for second in seconds])
    nothing = array("d", [0.0] * len(steps))
    return Series("loss", array("d", steps), nothing, at, nothing, nothing)


def test_before_the_first_step_only_the_estimate_speaks(tmp_path: Path) -> None:
    run = running(tmp_path)
    now = moment(40).timestamp()
    blind = read_meter(run, None, now)
    assert (blind.seconds, blind.usd, blind.usd_per_hour) == (30.0, pytest.approx(0.1), 6.0)
    assert (blind.ends_at, blind.total_usd, blind.beats_timeout, blind.within_cap) == (None, None, None, None)
    guessed = read_meter(run, None, now, estimate=300.0)
    assert guessed.rough
    assert guessed.total_usd == pytest.approx(0.5)
    assert guessed.within_cap and guessed.beats_timeout


def test_after_twenty_steps_the_real_pace_speaks(tmp_path: Path) -> None:
    run = running(tmp_path)
    # The first step takes 30 s (compilation), the others 4 s.
    steps = [float(number) for number in range(1, 42)]
    series = curve(steps, [30.0 + 4 * number for number in range(41)])
    reading = read_meter(run, series, moment(205).timestamp())
    assert not reading.rough
    assert reading.seconds_per_step == pytest.approx(4.0)
    assert reading.total_seconds == pytest.approx(30 + 4 * 99)
    assert reading.total_usd == pytest.approx(0.8)
    assert reading.beats_timeout is True
    assert reading.within_cap is False


def test_few_steps_are_marked_rough_and_a_slow_run_misses_its_timeout(tmp_path: Path) -> None:
    run = running(tmp_path)
    reading = read_meter(run, curve([1.0, 2.0, 3.0], [10.0, 20.0, 30.0]), moment(45).timestamp())
    assert reading.rough
    assert reading.beats_timeout is False
    assert reading.timeout_at == moment(610).timestamp()


def test_a_run_that_stands_still_does_not_end_in_the_past(tmp_path: Path) -> None:
    run = running(tmp_path)
    now = moment(10_000).timestamp()
    reading = read_meter(run, curve([1.0, 100.0], [0.0, 99.0]), now)
    assert reading.ends_at == now


def test_an_ended_run_shows_what_it_was(tmp_path: Path) -> None:
    run = running(tmp_path)
    ledger = Ledger(tmp_path)
    done = ledger.update_job(run.id, job(stage="COMPLETED", finished=moment(130)))
    reading = read_meter(done, curve([1.0, 2.0], [0.0, 1.0]), moment(9999).timestamp())
    assert (reading.total_seconds, reading.usd_per_hour, reading.rough) == (120.0, 0.0, False)
    assert reading.usd == reading.total_usd == pytest.approx(0.2)


def test_times_that_make_no_sense_give_no_pace(tmp_path: Path) -> None:
    run = running(tmp_path)
    for series in (curve([], []), curve([1.0], [1.0]), curve([5.0, 5.0], [1.0, 2.0]), curve([1.0, 2.0], [9.0, 1.0])):
        assert read_meter(run, series, moment(50).timestamp()).seconds_per_step is None
