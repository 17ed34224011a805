"""Pictures of every screen at the two sizes people have, compared cell by cell with the ones kept."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from screens import clock
from screens.app import WorkbenchApp
from screens.watch import WatchScreen
from screens.widgets.bars import Notice
from tests.screens.conftest import until
from tests.screens.recorded import START, record
from tests.screens.test_places import pick_dataset, pick_model
from workbench.local.samples import EASY_DATASET
from workbench.settings import Settings

Steps = Callable[[Pilot[None]], Awaitable[None]]

SIZES = [(80, 24), (120, 40)]


@pytest.fixture(autouse=True)
def still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sample Hub's dates and the recorded runs are fixed; so is now, and the time zone."""
    monkeypatch.setattr(clock, "now", lambda: START + 3600)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


async def settle(pilot: Pilot[None]) -> None:
    """Until no toast and no work is left that could change the picture."""
    app = pilot.app
    app.clear_notifications()
    await app.workers.wait_for_complete([w for w in app.workers if w.group not in ("follow",)])
    await pilot.pause(0.2)
    app.clear_notifications()
    await pilot.pause(0.1)


async def models(pilot: Pilot[None]) -> None:
    app: Any = pilot.app
    await until(pilot, lambda: app.pane("models").grid.rows and app.status.account, "models")
    await pilot.pause(0.4)
    await settle(pilot)


async def datasets(pilot: Pilot[None]) -> None:
    app: Any = pilot.app
    await pick_model(pilot)
    await until(pilot, lambda: app.pane("datasets").grid.rows, "datasets")
    app.pane("datasets").grid.select(EASY_DATASET)
    pane = app.pane("datasets")
    await until(pilot, lambda: pane.seen.record.id == EASY_DATASET and pane.seen.preview, "the tokens", 60)
    await settle(pilot)


async def plan(pilot: Pilot[None]) -> None:
    app: Any = pilot.app
    await pick_model(pilot)
    await pick_dataset(pilot)
    pane = app.pane("plan")
    await until(pilot, lambda: pane._facts and app.draft.lengths and app.draft.anatomy and pane._flavors, "facts", 60)
    await settle(pilot)


async def confirm(pilot: Pilot[None]) -> None:
    await plan(pilot)
    await pilot.press("s")
    await pilot.pause(0.2)


async def help_(pilot: Pilot[None]) -> None:
    await models(pilot)
    await pilot.press("question_mark")
    await pilot.pause(0.2)


def recorded(app: WorkbenchApp) -> str:
    ledger = app.engine.ledger
    first = record(ledger, "sums-rank-16", "a" * 24, steps=40, done=True)
    record(ledger, "sums-rank-32", "b" * 24, steps=60, done=True, rank=32)
    return first


async def jobs(pilot: Pilot[None]) -> None:
    app: Any = pilot.app
    await pilot.press("4")
    await until(pilot, lambda: len(app.pane("jobs").grid.rows) >= 2, "jobs")
    await until(pilot, lambda: app.pane("jobs").query_one(Notice).text, "word of the server that is not there")
    await settle(pilot)


async def runs(pilot: Pilot[None]) -> None:
    app: Any = pilot.app
    await pilot.press("5")
    await until(pilot, lambda: len(app.pane("runs").grid.rows) == 2, "runs")
    await settle(pilot)


async def watch(pilot: Pilot[None]) -> None:
    app: Any = pilot.app
    await until(pilot, lambda: app.pane("models"), "the first place")
    run_id = app.engine.ledger.find("a" * 24).id
    await app.push_screen(WatchScreen(run_id))
    await until(pilot, lambda: app.screen.run, "the run")
    await settle(pilot)


async def compare(pilot: Pilot[None]) -> None:
    await runs(pilot)
    await pilot.press("space", "space", "equals_sign")
    await pilot.pause(0.3)
    await settle(pilot)


SCREENS: dict[str, tuple[Steps, bool]] = {
    "models": (models, False),
    "datasets": (datasets, False),
    "plan": (plan, False),
    "confirm": (confirm, False),
    "help": (help_, False),
    "jobs": (jobs, True),
    "runs": (runs, True),
    "watch": (watch, True),
    "compare": (compare, True),
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCREENS)
def test_picture(name: str, size: tuple[int, int], settings: Settings, snap_compare: Any) -> None:
    steps, needs_runs = SCREENS[name]
    # The account's own job list would bring other tests' jobs into the picture.
    offline = settings.with_(jobs_endpoint="http://127.0.0.1:9") if needs_runs else settings
    app = WorkbenchApp(offline)
    if needs_runs:
        recorded(app)
    assert snap_compare(app, terminal_size=size, run_before=steps)
