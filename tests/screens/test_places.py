"""The five places, by keys, on the local Hub."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from screens.app import WorkbenchApp
from screens.datasets import DatasetsPane
from screens.models import ModelsPane
from screens.plan import PlanPane
from screens.plangrids import FlavorGrid, RecipeGrid
from screens.widgets.bars import Notice
from screens.widgets.dialogs import Confirm, Help
from screens.widgets.doc import Doc
from screens.widgets.grid import Grid
from tests.screens.conftest import until
from workbench.local.samples import ACCESSIBLE_MODEL, EASY_DATASET
from workbench.settings import Settings


def app_of(pilot: Pilot[None]) -> WorkbenchApp:
    assert isinstance(pilot.app, WorkbenchApp)
    return pilot.app


def text_of(doc: Doc) -> str:
    return "\n".join("".join(text for text, _ in line) for line in doc._wrapped)


async def pick_model(pilot: Pilot[None]) -> None:
    app = app_of(pilot)
    await until(pilot, lambda: app.pane("models").grid.rows, "a list of models")
    assert app.pane("models").grid.select(ACCESSIBLE_MODEL)
    await pilot.press("enter")
    await until(pilot, lambda: app.place == "datasets", "the datasets")


async def pick_dataset(pilot: Pilot[None], dataset: str = EASY_DATASET) -> None:
    app = app_of(pilot)
    await until(pilot, lambda: app.pane("datasets").grid.rows, "a list of datasets")
    assert app.pane("datasets").grid.select(dataset)
    seen = app.pane("datasets")
    await until(pilot, lambda: seen.seen.record.id == dataset and seen.seen.verdicts, "a verdict")
    await pilot.press("enter")
    await until(pilot, lambda: app.place == "plan", "the plan")


async def test_the_catalog_lists_searches_and_shows_details(pilot: Pilot[None]) -> None:
    app = app_of(pilot)
    pane = app.pane("models")
    assert isinstance(pane, ModelsPane)
    await until(pilot, lambda: len(pane.grid.rows) == 3, "three models")
    await until(pilot, lambda: "chat template" in text_of(pane.doc), "the details")
    await pilot.press("slash", *"gemma")
    await until(pilot, lambda: len(pane.grid.rows) == 1, "one model")
    await pilot.press("enter")
    assert pane.grid.has_focus
    await until(pilot, lambda: "gated" in text_of(pane.doc), "the gate")
    await pilot.press("escape")
    await until(pilot, lambda: len(pane.grid.rows) == 3, "three models again")
    await pilot.press("slash", *"nothing-like-this")
    await until(pilot, lambda: not pane.grid.rows, "an empty list")
    assert "No models match" in pane.grid._empty


async def test_the_inspector_judges_maps_and_shows_trained_tokens(pilot: Pilot[None]) -> None:
    app = app_of(pilot)
    await pick_model(pilot)
    pane = app.pane("datasets")
    assert isinstance(pane, DatasetsPane)
    await until(pilot, lambda: pane.grid.rows, "a list of datasets")
    pane.grid.select(EASY_DATASET)
    await until(pilot, lambda: pane.seen.record.id == EASY_DATASET and pane.seen.preview, "the tokens", 60)
    text = text_of(pane.doc)
    assert "SFT READY" in text
    assert "→ messages" in text
    assert pane.seen is not None
    assert pane.seen.preview is not None
    assert pane.seen.preview.trained > 0
    first = pane.seen.preview.tokens
    await pilot.press("n")
    await until(pilot, lambda: pane.seen and pane.seen.preview and pane.seen.preview.tokens != first, "the next row")
    await pilot.press("m")
    assert "DPO NO" in text_of(pane.doc)
    await pilot.press("enter")
    assert app.place == "datasets", "data that does not do for a method is not taken"


async def test_a_gated_dataset_says_so_and_is_not_taken(pilot: Pilot[None]) -> None:
    app = app_of(pilot)
    await pilot.press("2")
    await until(pilot, lambda: app.pane("datasets").grid.rows, "a list of datasets")
    pane = app.pane("datasets")
    pane.grid.select("sample-lab/little-stories")
    await until(pilot, lambda: pane.seen.record.id.endswith("little-stories") and pane.seen.problem, "the refusal")
    assert "gated" in pane.seen.problem
    await pilot.press("enter")
    assert app.draft.dataset is None


async def test_a_broken_line_is_named_and_the_rest_is_usable(pilot: Pilot[None]) -> None:
    app = app_of(pilot)
    await pilot.press("2")
    await until(pilot, lambda: app.pane("datasets").grid.rows, "a list of datasets")
    pane = app.pane("datasets")
    pane.grid.select("sample-lab/support-dump-dirty")
    await until(pilot, lambda: pane.seen.record.id.endswith("dirty") and pane.seen.page, "the rows")
    assert pane.seen.page.rows
    assert "line" in pane.seen.page.problem


async def test_the_plan_follows_each_key(pilot: Pilot[None]) -> None:
    app = app_of(pilot)
    await pick_model(pilot)
    await pick_dataset(pilot)
    pane = app.pane("plan")
    assert isinstance(pane, PlanPane)
    await until(pilot, lambda: app.draft.anatomy and app.draft.lengths and pane._flavors, "the facts", 60)
    recipe, flavors = pane.query_one(RecipeGrid), pane.query_one(FlavorGrid)
    await until(pilot, lambda: len(flavors.rows) == 26, "all flavors")
    assert recipe.key == "lora.rank"
    before = pane._frontier.trainable_parameters  # type: ignore[union-attr]
    await pilot.press("right")
    assert app.draft.recipe is not None
    assert app.draft.recipe.lora.rank == 32
    assert pane._frontier.trainable_parameters == 2 * before  # type: ignore[union-attr]
    await pilot.press("u")
    assert app.draft.recipe.lora.rank == 16
    # Typing a wrong value: a sentence in the dialog, nothing changed.
    await pilot.press("enter", "home", *(["delete"] * 4), *"many")
    assert app.screen.query_one(Input).content_size.height == 1, "what is typed can be seen"
    await pilot.press("enter")
    assert "rank" in app.screen.query_one(Notice).text
    await pilot.press("escape")
    assert app.draft.recipe.lora.rank == 16
    # The other list, and its keys.
    await pilot.press("tab", "down", "down", "enter")
    await until(pilot, lambda: app.draft.recipe.job.flavor == flavors.key != "cpu-basic", "the flavor")
    await pilot.press("c")
    await until(pilot, lambda: app.draft.recipe.job.flavor == pane._frontier.cheapest == flavors.key, "the cheapest")


async def test_submitting_asks_first_and_names_the_sum(pilot: Pilot[None]) -> None:
    app = app_of(pilot)
    await pick_model(pilot)
    await pick_dataset(pilot)
    pane = app.pane("plan")
    await until(pilot, lambda: pane._facts and app.draft.lengths, "the pre-flight", 60)
    await pilot.press("s")
    assert isinstance(app.screen, Confirm)
    text = text_of(app.screen.query_one(Doc))
    assert "at most $" in text
    assert ACCESSIBLE_MODEL in text
    await pilot.press("enter")
    assert isinstance(app.screen, Confirm), "an enter out of habit spends nothing"
    await pilot.press("n")
    assert not isinstance(app.screen, Confirm)
    assert app.engine.ledger.runs() == []


async def test_without_a_choice_the_plan_says_what_is_missing(pilot: Pilot[None]) -> None:
    app = app_of(pilot)
    await pilot.press("3")
    await until(pilot, lambda: "pick a model" in text_of(app.pane("plan").query_one("#plan-checks", Doc)), "the hint")
    await pilot.press("s")
    assert not isinstance(app.screen, Confirm)


async def test_every_place_has_help_and_an_empty_state(pilot: Pilot[None]) -> None:
    app = app_of(pilot)
    for key, place in (("1", "models"), ("2", "datasets"), ("3", "plan"), ("4", "jobs"), ("5", "runs")):
        await pilot.press(key)
        await until(pilot, lambda place=place: app.pane(place) and app.pane(place).is_mounted, place)
        await pilot.pause(0.1)
        await pilot.press("question_mark")
        assert isinstance(app.screen, Help)
        assert place.capitalize() in text_of(app.screen.query_one(Doc))
        await pilot.press("escape")
    assert "No runs yet" in app.pane("runs").query_one(Grid)._empty


async def test_the_palette_offers_what_the_keys_do(pilot: Pilot[None]) -> None:
    app = app_of(pilot)
    await until(pilot, lambda: app.pane("models").grid.rows, "models")
    from screens.palette import ActionsProvider

    app.COMMANDS = {ActionsProvider}
    await pilot.press("ctrl+p")
    await pilot.pause(0.2)
    await pilot.press(*"go to the jobs")
    await pilot.pause(0.5)
    await pilot.press("enter")
    await until(pilot, lambda: app.place == "jobs", "the jobs")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9"])
async def test_a_server_that_is_down_is_a_sentence_in_place(settings: Settings, endpoint: str) -> None:
    app = WorkbenchApp(settings.with_(endpoint=endpoint, jobs_endpoint=endpoint, viewer=endpoint))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.pane("models").notice.text, "a sentence")
        assert "cannot be reached" in app.pane("models").notice.text
        await pilot.press("4")
        await until(pilot, lambda: app.pane("jobs").query_one(Notice).text, "a sentence")
        assert "cannot be reached" in app.pane("jobs").query_one(Notice).text
