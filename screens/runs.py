"""Place 5: the ledger – every run there was: search, tag, note, compare, do it again."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import Input

from screens import clock, runwords, show
from screens.actions import Action, bindings
from screens.asking import ask
from screens.desk import desk
from screens.messages import DraftChanged, GoTo, OpenRun
from screens.widgets.bars import Notice
from screens.widgets.dialogs import Value
from screens.widgets.doc import Doc, Line
from screens.widgets.grid import Column, Grid, Row
from workbench.errors import WorkbenchError
from workbench.runs.records import RunRecord


class RunsPane(Vertical):
    """What was run, with what, and how it ended."""

    ABOUT = """Runs: the ledger. What a run was and did stays here, with or without a network.

Enter opens a run as it was. Space marks runs and = compares the marked ones. e puts a run's recipe into the plan.
/ searches names, models, datasets, tags and notes."""
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("runs.open", "enter", "open", "Open", "Open the run as it was.", footer=True),
        Action("runs.search", "slash", "search", "Search", "Search names, models, datasets, tags, notes.", footer=True),
        Action("runs.compare", "equals_sign", "compare", "Compare", "Compare the marked runs.", footer=True),
        Action(
            "runs.again",
            "e",
            "again",
            "Again",
            "Put this run's recipe into the plan, to change or repeat.",
            footer=True,
        ),
        Action("runs.tag", "t", "tag", "Tag", "Set the run's tags.", footer=True),
        Action("runs.note", "n", "note", "Note", "Write a note to the run."),
        Action("runs.reload", "r", "reload", "Reload", "Read the ledger again."),
        Action("runs.back", "escape", "back", "Back", "Back to the list; again: clear the search."),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[RunRecord] = []

    def compose(self) -> ComposeResult:
        with Container(classes="search"):
            field = Input(placeholder="/ search runs")
            field.cursor_blink = False
            yield field
        yield Notice()
        with Container(classes="split"):
            yield Grid(
                (
                    Column("Outcome", 9),
                    Column("Run"),
                    Column("Loss", 8, right=True),
                    Column("Eval", 8, right=True),
                    Column("Time", 7, right=True, keep=56),
                    Column("Cost", 8, right=True, keep=64),
                    Column("When", 5, right=True),
                ),
                marks=True,
                empty="No runs yet. Plan one with 3.",
            )
            yield Doc(classes="second")

    @property
    def grid(self) -> Grid:
        return self.query_one(Grid)

    def on_mount(self) -> None:
        self.action_reload()
        self.take_focus()

    def take_focus(self) -> None:
        self.grid.focus()

    def runs_changed(self) -> None:
        self.action_reload()

    def action_reload(self) -> None:
        engine, text = desk(self).engine, self.query_one(Input).value
        ask(self, lambda: engine.ledger.runs(text=text, limit=1000), self._have, group="runs", failed=self._failed)

    def _failed(self, error: WorkbenchError) -> None:
        self.query_one(Notice).tell(error.sentence())

    def _have(self, runs: list[RunRecord]) -> None:
        self.query_one(Notice).tell("")
        self.runs = runs
        text = self.query_one(Input).value
        self.grid.set_empty(f"No run matches “{text}”." if text else "No runs yet. Plan one with 3.")
        now = clock.now()
        self.grid.set_rows([_row(run, now) for run in runs])
        self._draw_details()

    def run(self, key: str) -> RunRecord | None:
        return next((run for run in self.runs if run.id == key), None)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.action_reload()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.grid.focus()

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        event.stop()
        self._draw_details()

    def on_grid_chosen(self, event: Grid.Chosen) -> None:
        event.stop()
        self.post_message(OpenRun(event.key))

    def _draw_details(self) -> None:
        run = self.run(self.grid.key)
        self.query_one(Doc).show(_details(run) if run is not None else [])

    # --- actions ------------------------------------------------------------------------------------------------

    def action_open(self) -> None:
        if self.grid.key:
            self.post_message(OpenRun(self.grid.key))

    def action_search(self) -> None:
        self.query_one(Input).focus()

    def action_back(self) -> None:
        field = self.query_one(Input)
        if self.grid.has_focus and field.value:
            field.value = ""
        self.grid.focus()

    def action_compare(self) -> None:
        marked = [run.id for run in self.runs if run.id in self.grid.marked]
        if len(marked) < 2:
            self.notify("Mark two or more runs with space first.", severity="warning")
            return
        from screens.compare import CompareScreen

        self.app.push_screen(CompareScreen(marked))

    def action_again(self) -> None:
        run = self.run(self.grid.key)
        if run is None or not run.recipe:
            self.notify("This job was not submitted from a recipe: there is nothing to repeat.", severity="warning")
            return
        from workbench.hub.records import DatasetRecord, ModelRecord
        from workbench.plan.recipe import parse

        draft = desk(self).draft
        recipe = parse(dict(run.recipe), where=f"run {run.id}")
        recipe = recipe.changed("output.repo", "")
        draft.model = ModelRecord(recipe.model.id, sha=recipe.model.revision)
        draft.dataset = DatasetRecord(recipe.dataset.id, sha=recipe.dataset.revision)
        draft.config, draft.split, draft.method = recipe.dataset.config, recipe.dataset.split, recipe.method
        draft.verdict = None
        draft.load(recipe)
        self.notify("The run's recipe is in the plan, sealed revisions included.")
        self.post_message(DraftChanged())
        self.post_message(GoTo("plan"))

    def action_tag(self) -> None:
        self._edit("Tags", lambda run: " ".join(run.tags), "Words, separated by spaces.",
                   lambda book, run, text: book.set_tags(run.id, tuple(text.split())))  # fmt: skip

    def action_note(self) -> None:
        self._edit("Note", lambda run: run.note, "Why this run, and what came of it.",
                   lambda book, run, text: book.set_note(run.id, text))  # fmt: skip

    def _edit(self, title, value, hint, store) -> None:  # type: ignore[no-untyped-def]
        run = self.run(self.grid.key)
        if run is None:
            return
        engine = desk(self).engine

        def typed(text: str | None) -> None:
            if text is not None:
                ask(self, lambda: store(engine.ledger, run, text), lambda _: self.action_reload(), group="edit")

        self.app.push_screen(Value(title, value(run), hint=hint), typed)


def _row(run: RunRecord, now: float) -> Row:
    tags = tuple((f"#{tag} ", "alt") for tag in run.tags)
    return Row(
        run.id,
        (
            runwords.stage(run),
            (*tags, (" " if tags else "", ""), (run.name, "")),
            show.number(run.last_loss),
            show.number(run.eval_loss),
            runwords.took(run, now),
            runwords.money(run, now),
            (show.ago(run.created), "dim"),
        ),
    )


def _details(run: RunRecord) -> list[Line]:
    word, ink = runwords.stage(run)
    lines: list[Line] = [[(run.name, "title")], [(word, ink), (f"   {run.step} steps" if run.step else "", "dim")]]
    if run.failure or run.message:
        lines.append([(run.failure or run.message, "bad" if run.failure else "dim")])
    if run.pushed_repo:
        lines.append([("adapter at ", "dim"), (run.pushed_repo, "good")])
    if run.best_eval_loss is not None:
        lines.append([("best eval loss ", "dim"), (show.number(run.best_eval_loss), "bold")])
    if run.tags:
        lines.append([("tags ", "dim"), (" ".join(run.tags), "alt")])
    if run.note:
        lines += [[("", "")], [(run.note, "alt")]]
    packages = run.environment.get("packages") if run.environment else None
    lines += [[("", "")], *runwords.recipe_lines(run.recipe)]
    if isinstance(packages, dict):
        lines += [[("", "")], [("ran with ", "dim"), (", ".join(f"{k} {v}" for k, v in packages.items()), "")]]
    if run.script_sha256:
        lines.append([("script    ", "dim"), (run.script_sha256[:12], "")])
    return lines
