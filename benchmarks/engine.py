"""The engine's own figures: the frontier, reading a log, opening a long log at its end, drawing a curve."""

from __future__ import annotations

import statistics
import tempfile
import time
from array import array
from collections.abc import Callable
from math import sin
from pathlib import Path

from screens.widgets.cells import Curve, View, lay_out
from workbench.hub.records import LogLine
from workbench.plan.frontier import frontier
from workbench.plan.guess import anatomy_of_size
from workbench.plan.hardware import bundled_flavors
from workbench.plan.recipe import DatasetRef, ModelRef, Recipe
from workbench.runs.ledger import Ledger
from workbench.runs.logparse import LogReader
from workbench.runs.records import NewRun


def median(call: Callable[[], object], times: int = 7) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def whole_frontier() -> tuple[str, str, str]:
    recipe = Recipe(model=ModelRef(id="a/b-8B"), dataset=DatasetRef(id="c/d"))
    anatomy, flavors = anatomy_of_size("a/b-8B", 8_000_000_000), bundled_flavors()
    took = median(lambda: frontier(recipe, anatomy, None, flavors, rows_total=10_000), 25)
    return "the whole frontier", f"{took * 1000:.2f} ms for {len(flavors)} flavors", "under 2 ms"


def log_lines(count: int) -> list[str]:
    """What a job prints: mostly plain lines, a step every tenth."""
    step = (
        '::wb:: {"t": 1.0, "e": "step", "step": %d, "max_steps": 100000, "loss": 1.5, "lr": 0.0002, "grad_norm": 2.0}'
    )
    return [step % i if i % 10 == 0 else f"a printed line number {i}, as programs print them" for i in range(count)]


def reading() -> tuple[str, str, str]:
    lines = [LogLine(i, 1_790_000_000.0 + i, text) for i, text in enumerate(log_lines(100_000))]

    def read() -> None:
        reader = LogReader()
        for line in lines:
            reader.feed(line)

    return "reading a log into points", f"{len(lines) / median(read, 3):,.0f} lines/s", "at least 200,000 lines/s"


def opening() -> tuple[str, str, str]:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder))
        run = ledger.create(NewRun("long", "demo", "http://x", "demo", "cpu-basic", 0.0, None, 0.0))
        lines = [LogLine(i, None, f"line {i}") for i in range(1_000_000)]
        for start in range(0, len(lines), 50_000):
            ledger.add_lines(run.id, lines[start : start + 50_000])
        ledger.close()

        def open_at_end() -> None:
            book = Ledger(Path(folder))
            count = book.line_count(run.id)
            assert book.lines(run.id, count - 60, 60)[-1].text == "line 999999"
            book.close()

        took = median(open_at_end)
    return "opening a 1,000,000-line log at its end", f"{took * 1000:.0f} ms", "under 300 ms"


def curve() -> tuple[str, str, str]:
    x = array("d", range(1_000_000))
    y = array("d", (sin(i / 40_000) + (i % 97) / 300 for i in range(1_000_000)))
    took = median(lambda: lay_out([Curve("loss", x, y)], View((0, 1e6), (-1.5, 1.5)), 100, 30), 5)
    return "drawing a curve of 1,000,000 points", f"{took * 1000:.0f} ms, thinning included", "under 30 ms"


def run() -> list[tuple[str, str, str]]:
    return [whole_frontier(), reading(), opening(), curve()]
