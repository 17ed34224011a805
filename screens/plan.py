"""Place 3: the recipe on the left, what it means on every flavor on the right, the pre-flight below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Container, Vertical

from screens import planwords, show
from screens.actions import Action, bindings
from screens.asking import ask
from screens.desk import desk
from screens.draft import value_of
from screens.fields import ALL, FIELDS, parsed, stepped
from screens.messages import DraftChanged, OpenRun
from screens.plangrids import FlavorGrid, RecipeGrid, Stepped, Undone, Wanted
from screens.widgets.bars import Notice
from screens.widgets.dialogs import Confirm, Value
from screens.widgets.doc import Doc, Line
from screens.widgets.grid import Column, Grid, Row
from workbench.errors import RecipeError, WorkbenchError

if TYPE_CHECKING:
    from screens.draft import Draft
    from workbench.hub.records import Flavor
    from workbench.plan.frontier import FlavorEstimate, Frontier
    from workbench.plan.preflight import Check, Facts
    from workbench.plan.recipe import Recipe


# The data room's verdicts, as the pre-flight says them.
_WORDS = {"ready": "READY", "needs_mapping": "NEEDS MAPPING", "incompatible": "INCOMPATIBLE"}


class PlanPane(Vertical):
    """Redrawn at every key: the numbers are arithmetic on what was fetched before."""

    DEFAULT_CSS = """
    PlanPane #plan-top { layout: horizontal; height: 1fr; }
    PlanPane RecipeGrid { width: 29; }
    PlanPane FlavorGrid { width: 1fr; border-left: solid $panel; }
    PlanPane #plan-why { height: 2; padding: 0 1; background: $surface; }
    PlanPane #plan-checks { height: 6; border-top: solid $panel; padding: 0 1; }
    """
    ABOUT = """Plan: choose how to train, on which machine, and see what it takes before a cent is spent.

Left: the recipe. ← → change a value, enter types one, u takes a change back; the line below says why a value stands.
Right: every flavor with memory, time and cost for this recipe; tab goes there, enter takes one.
Below: the pre-flight. s submits, after a confirmation that names the sum."""
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("plan.submit", "s", "submit", "Submit", "Submit this run, after a confirmation.", footer=True),
        Action("plan.other", "tab", "other", "Machines", "Between the recipe and the flavors.", footer=True),
        Action("plan.check", "r", "check", "Check", "Run the pre-flight again.", footer=True),
        Action("plan.save", "w", "write", "Write", "Write the recipe to a file."),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self._flavors: tuple[Flavor, ...] = ()
        self._frontier: Frontier | None = None
        self._facts: Facts | None = None
        self._spent = 0.0
        self._flavor_shown = ""
        self._known = 0  # the pick that the facts on hand are about
        self._checks: tuple[Check, ...] = ()

    def compose(self) -> ComposeResult:
        yield Notice()
        with Container(id="plan-top"):
            yield RecipeGrid(
                (Column("Recipe", 11), Column("", 0, right=True)),
                id="recipe",
                empty="Pick a model (1) and a dataset (2).",
            )
            yield FlavorGrid(
                (
                    Column("Flavor", 17),
                    Column("Card", 14, keep=82),
                    Column("Fit", 5),
                    Column("Memory GiB", 11, right=True, keep=60),
                    Column("Time", 8, right=True),
                    Column("Cost", 12, right=True),
                    Column("$/h", 6, right=True, keep=72),
                ),
                id="flavors",
            )
        why = Doc(id="plan-why")
        why.can_focus = False
        yield why
        checks = Doc(id="plan-checks")
        yield checks

    @property
    def draft(self) -> Draft:
        return desk(self).draft

    @property
    def recipe_grid(self) -> RecipeGrid:
        return self.query_one(RecipeGrid)

    @property
    def flavor_grid(self) -> FlavorGrid:
        return self.query_one(FlavorGrid)

    def on_mount(self) -> None:
        self.take_focus()
        ask(self, desk(self).engine.flavors, self._have_flavors, group="flavors")
        self.draft_changed()

    def take_focus(self) -> None:
        if not self.flavor_grid.has_focus:
            self.recipe_grid.focus()

    # --- facts --------------------------------------------------------------------------------------------------

    def _have_flavors(self, flavors: tuple[Flavor, ...]) -> None:
        self._flavors = flavors
        self.redraw()

    def draft_changed(self) -> None:
        """Something was picked: ask for what the numbers rest on, and draw what is known."""
        draft = self.draft
        self.redraw()
        if draft.recipe is None or draft.model is None or draft.dataset is None:
            return
        if draft.picks == self._known:
            return
        self._known = draft.picks
        self._facts = None
        self._ask_facts()

    def _ask_facts(self) -> None:
        draft, hub = self.draft, desk(self).engine.hub
        model, dataset = draft.model, draft.dataset
        mapping = draft.recipe.mapping if draft.recipe is not None else None
        assert model is not None and dataset is not None
        config, split, method = draft.config, draft.split, draft.method

        def anatomy() -> Any:
            from workbench.plan.anatomy import fetch_anatomy

            return fetch_anatomy(hub, model.id, model.sha or "main")

        def lengths() -> Any:
            from workbench.data.lengths import measure
            from workbench.data.preview import load_tokenizer
            from workbench.hub.rows import rows

            if mapping is None:
                return None
            page = rows(hub, dataset.id, config, split, limit=100)
            tokenizer = load_tokenizer(hub, model.id, model.sha or "main")
            return measure(page.rows, mapping, tokenizer, method=method, total_rows=page.total)

        ask(self, anatomy, lambda made: self._learn(anatomy=made), group="anatomy", failed=self._told)
        ask(self, lengths, lambda made: self._learn(lengths=made), group="lengths", failed=self._told)
        self.action_check()

    def _learn(self, **facts: Any) -> None:
        self.draft.learn(**facts)
        self.redraw()

    def _told(self, error: WorkbenchError) -> None:
        self.query_one(Notice).tell(error.sentence())

    def action_check(self) -> None:
        """Ask everything the pre-flight needs from outside."""
        draft, engine = self.draft, desk(self).engine
        recipe = draft.recipe
        if recipe is None:
            self.notify("Pick a model and a dataset first.", severity="warning")
            return
        self.query_one(Notice).tell("")

        def gathered() -> Any:
            from workbench.plan.preflight import gather

            return gather(engine.hub, recipe)

        def have(facts: Any) -> None:
            self._facts = facts
            self.redraw()

        def spent(usd: float) -> None:
            self._spent = usd
            self.redraw()

        ask(self, gathered, have, group="facts", failed=self._told)
        ask(self, engine.spent_month, spent, group="spent", failed=self._told)

    # --- drawing ------------------------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Everything on the pane from what is known; cheap enough for every key."""
        recipe = self.draft.recipe
        self._draw_recipe(recipe)
        if recipe is None:
            self.flavor_grid.set_rows([])
            self._draw_empty()
            return
        from workbench.plan.frontier import frontier

        settings = desk(self).engine.settings
        self._frontier = frontier(
            recipe,
            self.draft.anatomy,
            self.draft.lengths,
            self._flavors,
            cap_usd=settings.cap_run_usd,
            rows_total=self.draft.rows_total,
            place=settings.place,
        )
        self._draw_flavors(recipe, self._frontier)
        self._draw_checks(recipe)
        self._draw_why()

    def _draw_recipe(self, recipe: Recipe | None) -> None:
        if recipe is None:
            self.recipe_grid.set_rows([])
            return
        rows: list[Row] = []
        for section, fields in FIELDS:
            rows.append(Row(f"={section}", ((section, "title"), ""), heading=True))
            for field in fields:
                value = field.shown(value_of(recipe, field.key))
                by_hand = field.key in self.draft.touched
                rows.append(Row(field.key, ((field.name, "dim"), (value, "accent" if by_hand else "bold"))))
        self.recipe_grid.set_rows(rows)

    def _draw_flavors(self, recipe: Recipe, frontier: Frontier) -> None:
        rows = [planwords.flavor_row(estimate, recipe, frontier) for estimate in frontier.rows]
        self.flavor_grid.set_rows(rows)
        if recipe.job.flavor != self._flavor_shown:  # the cursor follows the choice, not the other way round
            self._flavor_shown = recipe.job.flavor
            self.flavor_grid.select(recipe.job.flavor)

    def _draw_empty(self) -> None:
        draft = self.draft
        model = ("✓ " + draft.model.id, "good") if draft.model else ("1  pick a model", "accent")
        data = ("✓ " + draft.dataset.id, "good") if draft.dataset else ("2  pick a dataset", "accent")
        self.query_one("#plan-checks", Doc).show([[("A run needs a model and a dataset:", "")], [model], [data]])
        self.query_one("#plan-why", Doc).show([])

    def _draw_why(self) -> None:
        """One line about the field, one about the flavor under the cursor."""
        lines: list[Line] = []
        field = ALL.get(self.recipe_grid.key)
        if field is not None:
            reason = "set by you" if field.key in self.draft.touched else self.draft.reasons.get(field.key, "")
            lines.append([(field.name + "  ", "bold"), (reason or field.about, "" if reason else "dim")])
        estimate = self.estimate(self.flavor_grid.key)
        if estimate is not None:
            lines.append(planwords.flavor_words(estimate))
        self.query_one("#plan-why", Doc).show(lines)

    def _draw_checks(self, recipe: Recipe) -> None:
        from workbench.plan.preflight import preflight

        draft, settings = self.draft, desk(self).engine.settings
        self._checks = preflight(
            recipe,
            settings=settings,
            facts=self._facts,
            mapping_verdict=_WORDS[draft.verdict.verdict] if draft.verdict is not None else "",
            mapping_reason=draft.verdict.reason if draft.verdict is not None else "",
            estimate=self.estimate(recipe.job.flavor),
            spent_month=self._spent,
            lengths=draft.lengths,
        )
        self.query_one("#plan-checks", Doc).show(planwords.check_lines(self._checks, self._summary(recipe)))

    def _summary(self, recipe: Recipe) -> Line:
        frontier = self._frontier
        assert frontier is not None
        tokens = frontier.tokens_per_epoch
        told = [
            f"{frontier.steps:,} steps",
            f"{show.count(tokens)} tokens an epoch" if tokens else "tokens not counted yet",
            f"{show.count(frontier.trainable_parameters)} trainable",
            f"adapter {show.size(frontier.adapter_bytes)}",
            f"numbers: {frontier.basis}",
        ]
        return [(recipe.job.flavor + "  ", "accent-bold"), (" · ".join(told), "dim")]

    def estimate(self, flavor: str) -> FlavorEstimate | None:
        return self._frontier.row(flavor) if self._frontier is not None else None

    # --- changing -----------------------------------------------------------------------------------------------

    def change(self, key: str, value: Any) -> bool:
        try:
            self.draft.change(key, value)
        except RecipeError as error:
            self.notify(error.what + ".", severity="error")
            return False
        self.redraw()
        self.post_message(DraftChanged())
        return True

    def on_stepped(self, message: Stepped) -> None:
        key, by = message.key, message.by
        field, recipe = ALL.get(key), self.draft.recipe
        if field is None or recipe is None:
            return
        old = value_of(recipe, key)
        new = stepped(field, old, by)
        if new != old:
            self.change(key, new)
        elif not field.steps:
            self.notify("Press enter to type a value.", timeout=2)

    def on_undone(self, message: Undone) -> None:
        if self.draft.undo():
            self.redraw()
            self.post_message(DraftChanged())
        else:
            self.notify("Nothing to take back.", timeout=2)

    def on_wanted(self, message: Wanted) -> None:
        name = getattr(self._frontier, message.which, None) if self._frontier is not None else None
        if name is None:
            self.notify("No flavor fits this recipe within the cap.", severity="warning")
        elif self.change("job.flavor", name):
            self.flavor_grid.select(name)

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        event.stop()
        self._draw_why()

    def on_grid_chosen(self, event: Grid.Chosen) -> None:
        event.stop()
        if event.grid is self.flavor_grid:
            self.change("job.flavor", event.key)
            return
        field, recipe = ALL.get(event.key), self.draft.recipe
        if field is None or recipe is None:
            return
        old = value_of(recipe, field.key)
        shown = (
            " ".join(old)
            if isinstance(old, list)
            else {True: "yes", False: "no"}.get(old, str(old))
            if isinstance(old, bool)
            else str(old)
        )

        def complaint(text: str) -> str:
            try:
                recipe.changed(field.key, parsed(field, text, old))
            except RecipeError as error:
                return error.what + "."
            return ""

        def typed(text: str | None) -> None:
            if text is not None:
                self.change(field.key, parsed(field, text, old))

        self.app.push_screen(Value(field.name, shown, hint=field.about, check=complaint), typed)

    def action_other(self) -> None:
        (self.recipe_grid if self.flavor_grid.has_focus else self.flavor_grid).focus()

    def action_write(self) -> None:
        recipe = self.draft.recipe
        if recipe is None:
            self.notify("There is no recipe yet.", severity="warning")
            return

        def typed(text: str | None) -> None:
            if not text:
                return

            def write() -> str:
                from pathlib import Path

                from workbench.plan.recipe import save

                path = Path(text).expanduser()
                try:
                    save(recipe, path)
                except OSError as error:
                    raise WorkbenchError(f"cannot be written ({error.strerror})", where=str(path)) from error
                return str(path)

            ask(self, write, lambda path: self.notify(f"Written to {path}."), group="write")

        self.app.push_screen(
            Value("Write the recipe to", "recipe.toml", hint="A TOML file; any workbench can run it."), typed
        )

    # --- submitting ---------------------------------------------------------------------------------------------

    def action_submit(self) -> None:
        recipe, engine = self.draft.recipe, desk(self).engine
        if recipe is None:
            self.notify("Pick a model (1) and a dataset (2) first.", severity="warning")
            return
        estimate = self.estimate(recipe.job.flavor)
        bad = [check for check in self._checks if check.verdict == "fail"]
        if bad:
            self.notify(f"{bad[0].title}: {bad[0].text.rstrip('.')}. {bad[0].mend}", severity="error", timeout=8)
            return
        if self._facts is None or estimate is None:
            self.notify("The pre-flight is still running; one moment.", severity="warning")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._submit(recipe, engine)

        lines = planwords.confirmation(recipe, estimate, self._checks, self._facts.output_repo, engine.settings)
        self.app.push_screen(Confirm("Submit this run?", lines, yes="Yes, submit"), answered)

    def _submit(self, recipe: Recipe, engine: Any) -> None:
        notice = self.query_one(Notice)
        notice.tell("Submitting …", "info")

        def send() -> str:
            from workbench.runs.submit import submit

            run = submit(engine.hub, engine.ledger, recipe, flavors=self._flavors, settings=engine.settings)
            return run.id

        def sent(run_id: str) -> None:
            notice.tell("")
            self.post_message(OpenRun(run_id))

        def refused(error: WorkbenchError) -> None:
            notice.tell(error.sentence())

        ask(self, send, sent, group="submit", failed=refused)
