"""The meter of a run: money and time so far, and where they will end at the pace the steps really take. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from workbench.plan.money import billed_usd
from workbench.runs.records import RunRecord, Series

# Fewer steps than this say little about the rest: compilation and caches are still in them.
SURE_STEPS = 20


@dataclass(frozen=True)
class Meter:
    """One reading. Seconds, US dollars, Unix seconds; None = not known (yet).

    Attributes:
        seconds, usd: billed so far.
        usd_per_hour: what it burns just now; 0 when it does not run.
        seconds_per_step: the real pace, evals and saves included.
        rough: the projection rests on fewer than SURE_STEPS steps.
        ends_at, total_seconds, total_usd: the projected end (the real one when it has ended).
        timeout_at: when the server will stop it.
        beats_timeout, within_cap: whether the projection keeps within the timeout and the cap; None without either.
    """

    seconds: float
    usd: float
    usd_per_hour: float
    seconds_per_step: float | None
    rough: bool
    ends_at: float | None
    total_seconds: float | None
    total_usd: float | None
    timeout_at: float | None
    beats_timeout: bool | None
    within_cap: bool | None


def read_meter(run: RunRecord, steps: Series | None, now: float, *, estimate: float | None = None) -> Meter:
    """The meter at `now`.

    Args:
        steps: a curve with a point a logged step (loss); its `at` gives the pace.
        estimate: the planner's total seconds, used (as rough) until there are steps.
    """
    seconds, usd = run.seconds(now), run.usd(now)
    running = run.stage == "RUNNING" and run.started is not None
    pace, counted = _pace(steps)
    ends_at = _end(run, steps, pace, estimate, now)
    total = None if ends_at is None or run.started is None else max(0.0, ends_at - run.started)
    total_usd = None if total is None else billed_usd(total, run.usd_per_hour)
    timeout_at = run.started + run.timeout_seconds if run.started is not None and run.timeout_seconds else None
    return Meter(
        seconds=seconds,
        usd=usd,
        usd_per_hour=run.usd_per_hour if running else 0.0,
        seconds_per_step=pace,
        rough=run.open and counted < SURE_STEPS,
        ends_at=ends_at,
        total_seconds=total,
        total_usd=total_usd,
        timeout_at=timeout_at,
        beats_timeout=None if timeout_at is None or ends_at is None else ends_at <= timeout_at,
        within_cap=None if not run.cap_usd or total_usd is None else total_usd <= run.cap_usd + 1e-9,
    )


def _pace(steps: Series | None) -> tuple[float | None, int]:
    """Seconds a step over the newer half of the run (at least SURE_STEPS of it), and over how many steps."""
    if steps is None or len(steps) < 2 or not isfinite(steps.at[-1]):
        return None, 0
    last = len(steps) - 1
    enough = max(SURE_STEPS, (steps.step[last] - steps.step[0]) / 2)
    first = last - 1
    while first > 0 and steps.step[last] - steps.step[first] < enough:
        first -= 1
    count = steps.step[last] - steps.step[first]
    took = steps.at[last] - steps.at[first]
    if count <= 0 or not isfinite(took) or took < 0:
        return None, 0
    return took / count, int(count)


def _end(run: RunRecord, steps: Series | None, pace: float | None, estimate: float | None, now: float) -> float | None:
    if not run.open:
        return run.finished
    if run.started is None:
        return None
    if pace is None or steps is None or not run.max_steps:
        return None if estimate is None else max(now, run.started + estimate)
    left = max(0.0, run.max_steps - steps.step[-1])
    return max(now, steps.at[-1] + left * pace)
