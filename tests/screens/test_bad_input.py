"""What goes wrong around the program is one clear sentence in place, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from screens.app import TooSmall, WorkbenchApp
from screens.widgets.bars import Notice
from screens.widgets.dialogs import Confirm
from tests.hub.stub import Answer, stub
from tests.screens.conftest import until
from tests.screens.test_places import pick_dataset, pick_model
from workbench.settings import Settings


async def test_a_ledger_that_cannot_be_written_stops_the_submission_with_a_sentence(
    settings: Settings, tmp_path: Path
) -> None:
    blocked = tmp_path / "no-folder"
    blocked.write_text("a file where the ledger's folder should be")
    app = WorkbenchApp(settings.with_(data_dir=blocked))
    async with app.run_test(size=(120, 40)) as pilot:
        await pick_model(pilot)
        await pick_dataset(pilot)
        pane = app.pane("plan")
        await until(pilot, lambda: pane._facts and app.draft.lengths, "the pre-flight", 60)
        before = len(list(app.engine.hub.api.list_jobs(namespace="demo")))
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, Confirm), "the question")
        await pilot.press("y")
        await until(pilot, lambda: "ledger" in pane.query_one(Notice).text.lower(), "the sentence")
        assert "Traceback" not in pane.query_one(Notice).text
        assert len(list(app.engine.hub.api.list_jobs(namespace="demo"))) == before, "nothing was started"
        assert app.draft.recipe is not None, "the recipe in work is still there"
        await pilot.press("4")
        await until(pilot, lambda: "ledger" in app.pane("jobs").query_one(Notice).text.lower(), "the sentence")


async def test_a_server_that_fails_or_talks_nonsense_is_told_in_place(settings: Settings) -> None:
    for answer in (Answer(500, {}), Answer(200, b"<html>this is no Hub</html>")):
        with stub(lambda asked, answer=answer: answer) as server:  # type: ignore[misc]
            app = WorkbenchApp(settings.with_(endpoint=server.url, jobs_endpoint=server.url, viewer=server.url))
            async with app.run_test(size=(80, 24)) as pilot:
                await until(pilot, lambda app=app: app.pane("models").notice.text, "a sentence", 60)
                text = app.pane("models").notice.text
                assert text.endswith("(r tries again)")
                assert "Traceback" not in text


async def test_an_unknown_model_is_an_empty_list_that_says_so(settings: Settings) -> None:
    app = WorkbenchApp(settings)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.pane("models").grid.rows, "models")
        await pilot.press("slash", *"nobody/nothing", "enter")
        await until(pilot, lambda: not app.pane("models").grid.rows, "an empty list")
        await pilot.press("enter")
        assert app.draft.model is None


async def test_a_gated_model_is_refused_by_the_preflight_before_anything_is_sent(settings: Settings) -> None:
    app = WorkbenchApp(settings)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.pane("models").grid.rows, "models")
        app.pane("models").grid.select("sample-lab/tiny-gemma3-2M")
        await pilot.press("enter")
        await pick_dataset(pilot)
        pane = app.pane("plan")
        await until(pilot, lambda: any(c.key == "model" and c.verdict == "fail" for c in pane._checks), "the no", 60)
        await pilot.press("s")
        await pilot.pause(0.2)
        assert not isinstance(app.screen, Confirm)


async def test_a_small_terminal_keeps_what_was_there(settings: Settings) -> None:
    app = WorkbenchApp(settings)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.pane("models").grid.rows, "models")
        await pilot.press("down")
        key = app.pane("models").grid.key
        await small(pilot, app)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: not isinstance(app.screen, TooSmall), "the place again")
        assert app.pane("models").grid.key == key


async def small(pilot: Pilot[None], app: WorkbenchApp) -> None:
    await pilot.resize_terminal(40, 10)
    await until(pilot, lambda: isinstance(app.screen, TooSmall), "the sentence")
    assert "40×10" in str(app.screen.render())
