"""A run's own screen, the lists of runs and the comparison, from recorded runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from textual.pilot import Pilot

from screens.app import WorkbenchApp
from screens.compare import CompareScreen
from screens.watch import WatchScreen
from screens.widgets.chart import Chart
from screens.widgets.dialogs import Confirm
from screens.widgets.doc import Doc
from screens.widgets.logview import LogView
from tests.screens.conftest import until
from tests.screens.recorded import event, record
from tests.screens.test_places import text_of
from workbench.hub.records import LogLine
from workbench.settings import Settings


@pytest.fixture
async def opened(settings: Settings) -> AsyncIterator[tuple[Pilot[None], str]]:
    """The watch screen of a finished run, and the run's id."""
    app = WorkbenchApp(settings)
    run_id = record(app.engine.ledger, "sums-lora", "a" * 24, steps=40, done=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.push_screen(WatchScreen(run_id))
        await until(pilot, lambda: app.screen.run, "the run")  # type: ignore[attr-defined]
        yield pilot, run_id


def cells_text(chart: Chart) -> str:
    return "\n".join("".join(row) for row in chart._cells.chars) if chart._cells else ""


async def test_a_run_is_shown_as_it_was(opened: tuple[Pilot[None], str]) -> None:
    pilot, _ = opened
    screen = pilot.app.screen
    head = text_of(screen.query_one("#watch-head", Doc))
    assert "COMPLETED" in head
    assert "40/40" in head
    assert "the adapter is at demo/sums-lora" in head
    assert "download 4s" in head
    first = screen.query_one("#watch-first", Chart)
    await until(pilot, lambda: cells_text(first), "the curve")
    assert any("\u2801" <= c <= "\u28ff" for c in cells_text(first))
    assert "●" in cells_text(first)
    log = screen.query_one(LogView)
    assert log.following
    assert log.total() == 55


async def test_the_log_opens_at_its_end_and_follows_until_one_moves_up(opened: tuple[Pilot[None], str]) -> None:
    pilot, run_id = opened
    app, log = pilot.app, pilot.app.screen.query_one(LogView)
    assert isinstance(app, WorkbenchApp)
    log.focus()
    assert log.top == max(0, log.total() - log.page)
    await pilot.press("g")
    assert log.top == 0
    assert not log.following
    more = [LogLine(55 + i, None, f"late line {i}") for i in range(5)]
    app.engine.ledger.add_lines(run_id, more)
    app.news(run_id)
    await until(pilot, lambda: log.total() == 60, "the new lines")
    assert log.top == 0, "a reader is not moved"
    await pilot.press("f")
    assert log.following
    assert log.top == log.total() - log.page


async def test_samples_recipe_and_zoom(opened: tuple[Pilot[None], str]) -> None:
    pilot, _ = opened
    screen = pilot.app.screen
    await pilot.press("x")
    text = text_of(screen.query_one("#watch-side", Doc))
    assert "What is nineteen minus three?" in text
    assert text.count("step") >= 4
    await pilot.press("i")
    assert "lora.rank" in text_of(screen.query_one("#watch-side", Doc))
    await pilot.press("escape")
    assert screen.query_one(LogView).display
    await pilot.press("z")
    assert screen.has_class("-zoom-log")
    await pilot.press("escape")
    assert not screen.has_class("-zoom-log")
    await pilot.press("escape")
    await pilot.pause()
    assert pilot.app.screen is not screen


async def test_a_growing_run_repaints_only_what_changed(settings: Settings) -> None:
    """One more step: far fewer cells are asked to be painted than the chart has."""
    app = WorkbenchApp(settings)
    run_id = record(app.engine.ledger, "growing", "b" * 24, steps=40, done=False)
    async with app.run_test(size=(120, 40)) as pilot:
        await app.push_screen(WatchScreen(run_id))
        chart = app.screen.query_one("#watch-first", Chart)
        await until(pilot, lambda: cells_text(chart), "the curve")
        painted: list[int] = []
        chart.refresh = lambda *regions, **_: painted.append(sum(r.area for r in regions) or chart.size.area)  # type: ignore[method-assign,assignment]
        app.engine.ledger.add_lines(run_id, [LogLine(52, None, event(45.0, "step", step=41, max_steps=40, loss=0.7))])
        app.news(run_id)
        await until(pilot, lambda: painted, "a repaint")
        await asyncio.sleep(0)
        assert 0 < sum(painted) < chart.size.area / 4
        painted.clear()
        app.news(run_id)  # news without anything new
        await pilot.pause(1.2)
        assert painted == []


async def test_cancelling_a_finished_run_says_that_it_is_over(opened: tuple[Pilot[None], str]) -> None:
    pilot, _ = opened
    await pilot.press("c")
    assert not isinstance(pilot.app.screen, Confirm)


async def test_two_runs_are_compared(settings: Settings) -> None:
    app = WorkbenchApp(settings)
    record(app.engine.ledger, "rank-16", "c" * 24, steps=40, done=True, rank=16)
    record(app.engine.ledger, "rank-32", "d" * 24, steps=40, done=True, rank=32)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("5")
        await until(pilot, lambda: len(app.pane("runs").grid.rows) == 2, "two runs")
        await pilot.press("equals_sign")
        assert not isinstance(app.screen, CompareScreen), "nothing is marked yet"
        await pilot.press("space", "space", "equals_sign")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen), "the comparison")
        await until(pilot, lambda: "lora.rank" in text_of(app.screen.query_one(Doc)), "the difference")
        text = text_of(app.screen.query_one(Doc))
        assert "lora.alpha" in text
        assert "training.batch" not in text, "what is the same is not listed"


async def test_runs_are_searched_tagged_and_repeated(settings: Settings) -> None:
    app = WorkbenchApp(settings)
    record(app.engine.ledger, "alpha-run", "e" * 24, steps=10, done=True)
    record(app.engine.ledger, "beta-run", "f" * 24, steps=10, done=True, rank=64)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("5")
        pane = app.pane("runs")
        await until(pilot, lambda: len(pane.grid.rows) == 2, "two runs")
        await pilot.press("slash", *"beta")
        await until(pilot, lambda: len(pane.grid.rows) == 1, "one run")
        await pilot.press("enter", "t", *"good keeper", "enter")
        await until(pilot, lambda: pane.run(pane.grid.key).tags == ("good", "keeper"), "the tags")
        await pilot.press("slash", *(["backspace"] * 4), *"keeper", "enter")
        await until(pilot, lambda: [run.name for run in pane.runs] == ["beta-run"], "the tagged run")
        await pilot.press("e")
        await until(pilot, lambda: app.place == "plan", "the plan")
        assert app.draft.recipe is not None
        assert app.draft.recipe.lora.rank == 64
