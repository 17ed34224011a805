"""A run in words and colours: its stage, progress, meter and recipe, the same wherever a run is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from screens import clock, show
from screens.widgets.doc import Line
from screens.widgets.grid import Cell
from screens.widgets.paint import Piece
from workbench.runs.meter import read_meter
from workbench.runs.records import PhaseSpan, RunRecord, Series

STAGES: dict[str, tuple[str, str]] = {
    "PREPARED": ("sending", "dim"),
    "REFUSED": ("refused", "bad"),
    "SCHEDULING": ("waiting", "warn"),
    "RUNNING": ("running", "info"),
    "COMPLETED": ("COMPLETED", "good"),
    "ERROR": ("ERROR", "bad"),
    "CANCELED": ("canceled", "dim"),
    "DELETED": ("deleted", "dim"),
}

# Phases in the order they come, and their short names on the phase bar.
PHASES = ("queue", "install", "download", "load", "tokenize", "train", "eval", "save", "push")


def stage(run: RunRecord) -> Piece:
    return STAGES.get(run.stage, (run.stage.lower(), ""))


def progress(run: RunRecord, width: int = 10) -> Cell:
    """A small bar with the step, once there are steps."""
    if not run.max_steps:
        return (run.phase or "–", "dim")
    share = min(1.0, run.step / run.max_steps)
    full = round(share * width)
    ink = "info" if run.open else "good" if run.stage == "COMPLETED" else "dim"
    return (("█" * full, ink), ("░" * (width - full), "faint"), (f" {run.step}/{run.max_steps}", "dim"))


def money(run: RunRecord, now: float | None = None) -> Piece:
    """What it cost so far; a dash where nothing is billed."""
    if run.place != "hub":
        return ("–", "faint")
    return (show.usd(run.usd(now or clock.now())), "accent")


def took(run: RunRecord, now: float | None = None) -> str:
    return show.duration(run.seconds(now or clock.now())) if run.started is not None else "–"


def head_lines(run: RunRecord, phases: list[PhaseSpan], steps: Series | None, now: float, width: int) -> list[Line]:
    """The top of a run's screen: what, how far, how much, how long; one line each at `width` cells."""
    word, ink = stage(run)
    first: list[Piece] = [(f" {word} ", ink + "-bold" if ink in ("good", "bad", "warn") else ink), (run.name, "bold")]
    if run.job_id and width >= 100:
        first.append((f"   {run.namespace}/{run.job_id}", "dim"))
    lines: list[Line] = [first, _meter_line(run, steps, now, width)]
    if phases:
        lines.append(_phase_line(run, phases, now))
    if run.open and run.trouble:
        lines.append([("! ", "warn"), (run.trouble, "warn")])
    elif run.failure:
        lines.append([("✗ ", "bad"), (run.failure, "bad")])
    elif run.message and run.stage not in ("RUNNING", "COMPLETED"):
        lines.append([(run.message, "warn" if run.open else "bad" if run.stage in ("ERROR", "REFUSED") else "dim")])
    elif run.pushed_repo and run.stage == "COMPLETED":
        lines.append([("✓ ", "good"), ("the adapter is at ", ""), (run.pushed_repo, "good-bold")])
    return lines


def _meter_line(run: RunRecord, steps: Series | None, now: float, width: int) -> Line:
    reading = read_meter(run, steps, now)
    pieces: list[Piece] = [(run.flavor or "?", "bold"), ("  ", "")]
    if run.max_steps:
        share = min(1.0, run.step / run.max_steps)
        full = round(share * 16)
        pieces += [("█" * full, "info" if run.open else "good"), ("░" * (16 - full), "faint")]
        pieces += [(f" {run.step}/{run.max_steps}", ""), ("  ", "")]
    pieces += [(took(run, now), ""), (" so far" if run.open else " in all", "dim")]
    if reading.ends_at is not None and run.open:
        about = "about " if reading.rough else ""
        pieces += [("  ", ""), (f"{about}{show.duration(reading.ends_at - now)} left", "")]
    if run.timeout_seconds and run.open:
        ink = "bad" if reading.beats_timeout is False else "dim"
        pieces.append((f"  timeout {show.duration(run.timeout_seconds)}", ink))
    if run.place == "hub":
        pieces += [("  ", ""), (show.usd(reading.usd), "accent-bold")]
        if reading.total_usd is not None and run.open:
            pieces.append((f" → {show.usd(reading.total_usd)}", "accent"))
        if run.cap_usd:
            ink = "bad" if reading.within_cap is False else "dim"
            pieces.append((f" of {show.usd(run.cap_usd)} cap", ink))
    elif width >= 100:
        pieces.append(("  nothing is billed", "good"))
    if run.tokens_per_s and run.open and width >= 100:
        pieces.append((f"  {show.count(run.tokens_per_s)} tok/s", "dim"))
    return pieces


def _phase_line(run: RunRecord, phases: list[PhaseSpan], now: float) -> Line:
    """install 3s ─ load 2s ─ train 31s …: each phase with the time it took in all."""
    spent: dict[str, float] = {}
    current = ""
    for span in phases:
        end = span.end if span.end is not None else (run.finished or now)
        spent[span.name] = spent.get(span.name, 0.0) + max(0.0, end - span.start)
        if span.end is None and run.open:
            current = span.name
    pieces: list[Piece] = []
    names = [name for name in PHASES if name in spent] + [name for name in spent if name not in PHASES]
    for name in names:
        if pieces:
            pieces.append((" ─ ", "faint"))
        ink = "info" if name == current else "dim"
        pieces += [(name, ink), (" " + show.duration(spent[name]), "" if name == current else "dim")]
    return pieces


def recipe_lines(recipe: Mapping[str, Any] | None) -> list[Line]:
    """A recipe as dotted keys and values."""
    if not recipe:
        return [[("This job was not submitted from a recipe.", "dim")]]
    flat = flatten(recipe)
    width = max(len(key) for key in flat)
    return [[(key.ljust(width + 2), "dim"), (str(value), "")] for key, value in flat.items()]


def flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"lora": {"rank": 16}} → {"lora.rank": 16}."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat.update(flatten(value, name + "."))
        else:
            flat[name] = ", ".join(map(str, value)) if isinstance(value, list) else value
    return flat
