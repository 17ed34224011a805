"""Several runs beside each other: their curves in one chart, what differs in their recipes, how they ended."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen

from screens import runwords, show
from screens.actions import Action, bindings
from screens.asking import ask
from screens.desk import desk
from screens.theme import SERIES
from screens.widgets.bars import Keys, Notice, StatusBar
from screens.widgets.cells import Curve
from screens.widgets.chart import Chart
from screens.widgets.doc import Doc, Line
from workbench.errors import WorkbenchError
from workbench.runs.records import RunRecord


class CompareScreen(Screen[None]):
    """Reads the ledger once; marked runs keep their colour in chart and table."""

    DEFAULT_CSS = """
    CompareScreen Chart { height: 55%; }
    CompareScreen Doc { height: 1fr; border-top: solid $panel; }
    """
    ABOUT = """Compare: the marked runs' curves over the steps, what differs in their recipes, how they ended."""
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("compare.back", "escape,q", "leave", "Back", "Back to the runs.", footer=True),
        Action("compare.metric", "m", "metric", "Metric", "The next metric.", footer=True),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self, run_ids: list[str]) -> None:
        super().__init__()
        self._ids = run_ids
        self._metric = 0
        self._metrics: list[str] = []
        self._runs: list[RunRecord] = []
        self._series: dict[tuple[str, str], Any] = {}

    def compose(self) -> ComposeResult:
        yield StatusBar()
        yield Notice()
        with Vertical():
            yield Chart("loss", empty="These runs have no such metric.")
            yield Doc()
        yield Keys()

    def on_mount(self) -> None:
        desk(self).paint_status()
        self.query_one(Doc).focus()
        engine = desk(self).engine

        def read() -> Any:
            book = engine.ledger
            runs = [book.run(run_id) for run_id in self._ids]
            series = {(run.id, name): book.series(run.id, name) for run in runs for name in book.metrics(run.id)}
            return runs, series

        ask(self, read, self._have, group="read", failed=self._failed)

    def _failed(self, error: WorkbenchError) -> None:
        self.query_one(Notice).tell(error.sentence())

    def _have(self, answer: Any) -> None:
        self._runs, self._series = answer
        names = {name for _, name in self._series}
        first = [name for name in ("loss", "eval/loss") if name in names]
        self._metrics = [*first, *sorted(names - set(first))]
        self._draw()

    def _draw(self) -> None:
        if self._metrics:
            name = self._metrics[self._metric % len(self._metrics)]
            curves = [
                Curve(run.name, self._series[run.id, name].step, self._series[run.id, name].value, i)
                for i, run in enumerate(self._runs)
                if (run.id, name) in self._series
            ]
            self.query_one(Chart).show_curves(curves, title=name)
        self.query_one(Doc).show(_table(self._runs))

    def action_leave(self) -> None:
        self.dismiss()

    def action_metric(self) -> None:
        self._metric += 1
        self._draw()


def _table(runs: list[RunRecord]) -> list[Line]:
    width = max(14, min(30, (100 - 20) // max(1, len(runs))))
    lines: list[Line] = [[("".ljust(28), ""), *((r.name[: width - 2].ljust(width), SERIES[i % len(SERIES)])
                                               for i, r in enumerate(runs))]]  # fmt: skip

    def line(name: str, values: list[str]) -> Line:
        return [(name.ljust(28), "dim"), *((value[: width - 2].ljust(width), "") for value in values)]

    lines.append(line("outcome", [runwords.stage(run)[0] for run in runs]))
    lines.append(line("final loss", [show.number(run.last_loss) for run in runs]))
    lines.append(line("eval loss", [show.number(run.eval_loss) for run in runs]))
    lines.append(line("best eval loss", [show.number(run.best_eval_loss) for run in runs]))
    lines.append(line("steps", [f"{run.step}/{run.max_steps}" for run in runs]))
    lines.append(line("time", [runwords.took(run) for run in runs]))
    lines.append(line("cost", [runwords.money(run)[0] for run in runs]))
    lines += [[("", "")], [("what differs in the recipes", "title")]]
    flat = [runwords.flatten(run.recipe or {}) for run in runs]
    differ = [key for key in {key: None for f in flat for key in f} if len({str(f.get(key, "–")) for f in flat}) > 1]
    if not differ:
        lines.append([("Nothing: these are the same recipe.", "dim")])
    return lines + [line(key, [str(f.get(key, "–")) for f in flat]) for key in differ]
