"""Make the pictures in the README: `python docs/pictures.py`. Each is the app's own export of a real demo session.

Starts a sample Hub in a temporary folder, drives the app by keys, runs a real training, and writes assets/screens/.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from screens.app import WorkbenchApp
from workbench.local.samples import ACCESSIBLE_MODEL, EASY_DATASET
from workbench.local.serve import ensure_server, stop_server
from workbench.settings import Settings

TARGET = Path(__file__).resolve().parent.parent / "assets" / "screens"


async def until(pilot: Any, condition: Callable[[], object], seconds: float = 180) -> None:
    for _ in range(int(seconds / 0.1)):
        try:
            if condition():
                return
        except (AttributeError, LookupError):
            pass
        await pilot.pause(0.1)
    raise TimeoutError("the screen did not come to what was waited for")


async def session(app: WorkbenchApp) -> None:
    async with app.run_test(size=(120, 34)) as pilot:

        async def picture(name: str) -> None:
            await pilot.pause(1.0)
            app.clear_notifications()
            await pilot.pause(0.3)
            svg = app.export_screenshot(title="LoRA Workbench")
            (TARGET / f"{name}.svg").write_text(app.engine.redact(svg), encoding="utf-8")
            print(name)

        await until(pilot, lambda: app.pane("models").grid.rows)
        app.pane("models").grid.select(ACCESSIBLE_MODEL)
        await until(pilot, lambda: "chat template" in str(app.pane("models").doc._lines))
        await picture("models")
        await pilot.press("enter")
        await until(pilot, lambda: app.pane("datasets").grid.rows)
        app.pane("datasets").grid.select(EASY_DATASET)
        await until(pilot, lambda: app.pane("datasets").seen.preview)
        await picture("datasets")
        await pilot.press("enter")
        await until(pilot, lambda: app.pane("plan")._facts and app.draft.lengths and app.draft.anatomy)
        await picture("plan")
        await pilot.press("s")
        await picture("confirm")
        await pilot.press("y")
        await until(pilot, lambda: app.screen.run.step > app.screen.run.max_steps * 0.7)  # type: ignore[attr-defined]
        await picture("watch")
        await until(pilot, lambda: app.screen.run.stage == "COMPLETED")  # type: ignore[attr-defined]
        await pilot.press("escape")
        await until(pilot, lambda: app.pane("jobs").runs[0].stage == "COMPLETED")
        await picture("jobs")
        await pilot.press("5")
        await until(pilot, lambda: app.pane("runs").runs[0].stage == "COMPLETED")
        await picture("runs")


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        server = ensure_server(Path(folder) / "hub", hub=True, timeout=300)
        settings = Settings(
            endpoint=server.url,
            jobs_endpoint=server.url,
            viewer=server.url,
            token=server.token,
            jobs_token=server.token,
            demo=True,
            data_dir=Path(folder) / "data",
            cache_dir=Path(folder) / "cache",
            config_dir=Path(folder) / "config",
        )
        try:
            asyncio.run(session(WorkbenchApp(settings)))
        finally:
            stop_server(Path(folder) / "hub")


if __name__ == "__main__":
    main()
