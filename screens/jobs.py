"""Place 4: every job of the account, live."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical

from screens import clock, runwords, show
from screens.actions import Action, bindings
from screens.asking import ask
from screens.desk import desk
from screens.messages import OpenRun
from screens.widgets.bars import Notice
from screens.widgets.dialogs import Confirm
from screens.widgets.grid import Column, Grid, Row
from workbench.errors import WorkbenchError
from workbench.runs.records import RunRecord


class JobsPane(Vertical):
    """Running jobs first. The list is the ledger's; the account's own list is read into it now and then."""

    LOOK_EVERY = 20.0  # seconds between looks at the account's list, while the pane is on screen
    ABOUT = """Jobs: every job of the account, ours or not, running ones first.

Enter opens a job: log, curves, meter. c cancels it (asks first). a shows finished ones too."""
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("jobs.open", "enter", "open", "Open", "Open the job: log, curves, meter.", footer=True),
        Action("jobs.cancel", "c", "cancel", "Cancel", "Cancel the job, after a question.", footer=True),
        Action("jobs.all", "a", "all", "All", "Show finished jobs too, or running ones only.", footer=True),
        Action("jobs.reload", "r", "reload", "Reload", "Look at the account's list now.", footer=True),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[RunRecord] = []
        self.show_all = True

    def compose(self) -> ComposeResult:
        yield Notice()
        yield Grid(
            (
                Column("Stage", 9),
                Column("Job"),
                Column("Flavor", 14, keep=96),
                Column("Progress", 18),
                Column("Loss", 7, right=True, keep=64),
                Column("Eval", 7, right=True, keep=80),
                Column("Time", 7, right=True),
                Column("Cost", 6, right=True),
                Column("Created", 7, right=True, keep=110),
            ),
            marks=True,
            empty="No jobs yet. Plan one with 3.",
        )

    @property
    def grid(self) -> Grid:
        return self.query_one(Grid)

    def on_mount(self) -> None:
        self.action_reload()
        self.take_focus()
        self.set_interval(self.LOOK_EVERY, self._look_again)
        self.set_interval(1.0, self._tick)

    def take_focus(self) -> None:
        self.grid.focus()

    def _look_again(self) -> None:
        if self.display and self.is_on_screen:
            self.action_reload()

    def _tick(self) -> None:
        """Running clocks; costs nothing when no job runs."""
        if self.display and any(run.open for run in self.runs):
            self._draw()

    def action_reload(self) -> None:
        engine = desk(self).engine

        def look() -> None:
            from workbench.hub.jobs import list_jobs

            settings = engine.settings
            for job in list_jobs(engine.hub):
                engine.ledger.observe(job, settings.place, settings.jobs_endpoint)

        def seen(_: Any) -> None:
            self.query_one(Notice).tell("")
            desk(self).follow()
            self.runs_changed()

        def failed(error: WorkbenchError) -> None:
            self.query_one(Notice).tell(error.sentence())
            self.runs_changed()  # the ledger is there all the same

        ask(self, look, seen, group="jobs", failed=failed)

    def runs_changed(self) -> None:
        ledger = desk(self).engine
        ask(self, lambda: ledger.ledger.runs(limit=500), self._have, group="runs", failed=self._failed)

    def _failed(self, error: WorkbenchError) -> None:
        self.query_one(Notice).tell(error.sentence())

    def _have(self, runs: list[RunRecord]) -> None:
        self.runs = sorted(runs, key=lambda run: (not run.open, -run.created))
        self._draw()

    def _draw(self) -> None:
        now = clock.now()
        shown = [run for run in self.runs if self.show_all or run.open]
        self.grid.set_empty("No jobs yet. Plan one with 3." if self.show_all else "Nothing is running. a shows all.")
        self.grid.set_rows([_row(run, now) for run in shown])

    def run(self, key: str) -> RunRecord | None:
        return next((run for run in self.runs if run.id == key), None)

    def action_open(self) -> None:
        if self.grid.key:
            self.post_message(OpenRun(self.grid.key))

    def on_grid_chosen(self, event: Grid.Chosen) -> None:
        event.stop()
        self.post_message(OpenRun(event.key))

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        event.stop()

    def action_all(self) -> None:
        self.show_all = not self.show_all
        self._draw()

    def action_cancel(self) -> None:
        marked = [run for run in self.runs if run.id in self.grid.marked]
        chosen = marked or [run for run in (self.run(self.grid.key),) if run is not None]
        cancel_runs(self, chosen, self.grid.clear_marks)


def cancel_runs(node: Any, runs: list[RunRecord], after: Any = None) -> None:
    """Ask, then cancel those that still run. Finished ones are left alone, with a word."""
    going = [run for run in runs if run.open and run.job_id]
    if not going:
        node.notify("This job is over: there is nothing to cancel.", severity="warning")
        return
    now = clock.now()
    lines = [
        [(run.name, "bold"), (f"  {runwords.took(run, now)}", "dim"),
         (f"  {show.usd(run.usd(now))} spent" if run.place == "hub" else "", "accent")]
        for run in going
    ]  # fmt: skip
    lines.append([("What it has not pushed yet is lost.", "warn")])
    engine = desk(node).engine

    def cancel() -> None:
        from workbench.hub.jobs import cancel_job, inspect_job

        for run in going:
            cancel_job(engine.hub, run.job_id, namespace=run.namespace)
            engine.ledger.update_job(run.id, inspect_job(engine.hub, run.job_id, namespace=run.namespace))

    def done(_: Any) -> None:
        node.notify(f"Canceled {len(going)} job{'s' if len(going) > 1 else ''}.")
        if after is not None:
            after()
        desk(node).news("")

    def answered(yes: bool | None) -> None:
        if yes:
            ask(node, cancel, done, group="cancel")

    node.app.push_screen(Confirm("Cancel?", lines, yes="Yes, cancel", no="No, let it run"), answered)


def _row(run: RunRecord, now: float) -> Row:
    return Row(
        run.id,
        (
            runwords.stage(run),
            (run.name, "bold" if run.open else ""),
            (run.flavor, "dim"),
            runwords.progress(run, 8),
            show.number(run.last_loss),
            show.number(run.eval_loss),
            runwords.took(run, now),
            runwords.money(run, now),
            (show.ago(run.created), "dim"),
        ),
    )
