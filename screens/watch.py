"""A run's own screen: phase bar and meter on top, curves beside the log, samples a key away.

It reads the ledger and nothing else, so a run looks the same live, after a reconnect, and a month later.
"""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.screen import Screen

from screens import clock, runwords
from screens.actions import Action, bindings
from screens.asking import ask
from screens.desk import desk
from screens.jobs import cancel_runs
from screens.widgets.bars import Keys, Notice, StatusBar
from screens.widgets.cells import Curve
from screens.widgets.chart import Chart
from screens.widgets.doc import Doc, Line
from screens.widgets.logview import LogView
from workbench.errors import WorkbenchError
from workbench.runs.records import PhaseSpan, RunRecord, Sample, Series

# What the second chart can show, in this order, as far as the run has it.
_SECOND = ("lr", "grad_norm", "tokens_per_s", "mean_token_accuracy", "entropy")
_SECOND_NAMES = {"lr": "learning rate", "grad_norm": "gradient norm", "tokens_per_s": "tokens/s"}


class WatchScreen(Screen[None]):
    """One run, live or not."""

    REFRESH = 0.5  # seconds between two looks at the ledger at most
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 – declared by Textual as it is
    DEFAULT_CSS = """
    WatchScreen #watch-head { height: 4; padding: 0 1; background: $surface; }
    WatchScreen #watch-body { layout: vertical; height: 1fr; }
    WatchScreen #watch-charts { height: 55%; layout: horizontal; }
    WatchScreen #watch-second { display: none; }
    WatchScreen #watch-right { height: 1fr; border-top: solid $panel; }
    WatchScreen.-wide #watch-body { layout: horizontal; }
    WatchScreen.-wide #watch-charts { layout: vertical; width: 54%; height: 1fr; }
    WatchScreen.-wide #watch-second { display: block; height: 38%; border-top: solid $panel; }
    WatchScreen.-wide #watch-right { width: 1fr; height: 1fr; border-top: none; border-left: solid $panel; }
    WatchScreen.-second #watch-first { display: none; }
    WatchScreen.-second #watch-second { display: block; height: 1fr; border-top: none; }
    WatchScreen.-zoom-log #watch-charts { display: none; }
    WatchScreen.-zoom-chart #watch-right { display: none; }
    WatchScreen.-zoom-chart #watch-charts { width: 1fr; height: 1fr; }
    WatchScreen #watch-side { display: none; }
    WatchScreen.-samples #watch-side { display: block; }
    WatchScreen.-samples LogView { display: none; }
    """
    ABOUT = """A run: its phases, meter, curves and log, live while it runs and as sealed afterwards.

Left or above: loss and eval loss; v shows the second chart on a small screen, [ and ] change what it draws.
Right or below: the log, following its end until you move up. x shows the samples the model wrote on the way."""
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("watch.back", "escape,q", "leave", "Back", "Back to the list; the job goes on.", footer=True),
        Action("watch.cancel", "c", "cancel", "Cancel", "Cancel this job, after a question.", footer=True),
        Action("watch.samples", "x", "side('samples')", "Samples", "What the model wrote at each eval.", footer=True),
        Action("watch.recipe", "i", "side('recipe')", "Recipe", "The recipe of this run.", footer=True),
        Action("watch.zoom", "z", "zoom", "Zoom", "The focused part on the whole screen, and back.", footer=True),
        Action("watch.second", "v", "second", "Chart", "The other chart, where there is room for one.", footer=True),
        Action(
            "watch.next-metric", "right_square_bracket", "metric(1)", "Metric", "The next metric in the second chart."
        ),
        Action("watch.prev-metric", "left_square_bracket", "metric(-1)", "Metric", "The previous metric."),
        Action("watch.copy", "y", "copy", "Copy", "Copy the equal `hf jobs` command line."),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self, run_id: str) -> None:
        super().__init__()
        self.run_id = run_id
        self.run: RunRecord | None = None
        self._version = -1
        self._second = 0
        self._metrics: list[str] = []
        self._samples: list[Sample] = []
        self._phases: list[PhaseSpan] = []
        self._steps: Series | None = None
        self._side = "samples"
        self._busy = False
        self._dirty = False

    def compose(self) -> ComposeResult:
        yield StatusBar()
        yield Notice()
        head = Doc(id="watch-head")
        head.can_focus = False
        yield head
        with Container(id="watch-body"):
            with Container(id="watch-charts"):
                yield Chart("loss", empty="The curve begins with the first step.", id="watch-first")
                yield Chart("learning rate", empty="", id="watch-second")
            with Vertical(id="watch-right"):
                yield LogView()
                yield Doc(id="watch-side")
        yield Keys()

    def on_mount(self) -> None:
        desk(self).paint_status()
        self.query_one(LogView).focus()
        self.look()
        self.set_interval(self.REFRESH, self._look_if_dirty)
        self.set_interval(1.0, self._tick)

    # --- reading the ledger -------------------------------------------------------------------------------------

    def run_changed(self, run_id: str) -> None:
        """News from the follower: look at the next turn of the clock, not at every line."""
        if run_id in ("", self.run_id):
            self._dirty = True

    def _look_if_dirty(self) -> None:
        if self._dirty and not self._busy:
            self.look()

    def look(self) -> None:
        self._dirty, self._busy = False, True
        ledger, run_id, second = desk(self).engine, self.run_id, self._second

        def read() -> Any:
            book = ledger.ledger
            metrics = book.metrics(run_id)
            others = sorted(
                (name for name in metrics if name != "loss" and not name.startswith("eval/")),
                key=lambda name: (_SECOND.index(name) if name in _SECOND else 99, name),
            )
            wanted = {"loss", "eval/loss", others[second % len(others)] if others else ""}
            return (
                book.run(run_id),
                {name: book.series(run_id, name) for name in metrics if name in wanted},
                book.phases(run_id),
                book.samples(run_id),
                others,
            )

        ask(self, read, self._have, group="look", failed=self._failed)

    def _failed(self, error: WorkbenchError) -> None:
        self._busy = False
        self.query_one(Notice).tell(error.sentence())

    def _have(self, answer: Any) -> None:
        self._busy = False
        run, series, phases, samples, self._metrics = answer
        first = self.run is None
        self.run, self._phases, self._samples = run, phases, samples
        self._steps = series.get("loss")
        log = self.query_one(LogView)
        if first:
            ledger = desk(self).engine.ledger
            log.open(lambda start, count: ledger.lines(self.run_id, start, count), run.lines)
        else:
            log.grow(run.lines)
        self._draw_head()
        self._draw_charts(run, series)
        self._draw_side()

    def _tick(self) -> None:
        if self.run is not None and self.run.open:
            self._draw_head()

    # --- drawing ------------------------------------------------------------------------------------------------

    def _draw_head(self) -> None:
        if self.run is not None:
            self.query_one("#watch-head", Doc).show(
                runwords.head_lines(self.run, self._phases, self._steps, clock.now(), self.size.width)
            )

    def _draw_charts(self, run: RunRecord, series: dict[str, Any]) -> None:
        end = float(run.max_steps) if run.max_steps else None
        curves = []
        if "loss" in series:
            curves.append(Curve("train", series["loss"].step, series["loss"].value, 0))
        if "eval/loss" in series:
            curves.append(Curve("eval", series["eval/loss"].step, series["eval/loss"].value, 1, dots=True))
        self.query_one("#watch-first", Chart).show_curves(curves, end=end)
        second = self.query_one("#watch-second", Chart)
        shown_now = self._metrics[self._second % len(self._metrics)] if self._metrics else ""
        if shown_now in series:  # not there for a moment when the metric was just changed
            name = self._metrics[self._second % len(self._metrics)]
            shown = Curve(_SECOND_NAMES.get(name, name), series[name].step, series[name].value, 2)
            second.show_curves(
                [shown], end=end, title=f"[ ] {self._second % len(self._metrics) + 1} of {len(self._metrics)}"
            )

    def _draw_side(self) -> None:
        side = self.query_one("#watch-side", Doc)
        if not self.has_class("-samples") or self.run is None:
            return
        side.show(_sample_lines(self._samples) if self._side == "samples" else runwords.recipe_lines(self.run.recipe))

    # --- actions ------------------------------------------------------------------------------------------------

    def action_leave(self) -> None:
        if self.has_class("-samples"):
            self._show_side(False)
        elif self.has_class("-zoom-log") or self.has_class("-zoom-chart"):
            self.remove_class("-zoom-log", "-zoom-chart")
        else:
            self.dismiss()

    def action_cancel(self) -> None:
        if self.run is not None:
            cancel_runs(self, [self.run])

    def action_side(self, what: str) -> None:
        self._show_side(not (self.has_class("-samples") and self._side == what), what)

    def _show_side(self, on: bool, what: str = "samples") -> None:
        self._side = what
        self.set_class(on, "-samples")
        self._draw_side()
        (self.query_one("#watch-side", Doc) if on else self.query_one(LogView)).focus()

    def action_zoom(self) -> None:
        if self.has_class("-zoom-log") or self.has_class("-zoom-chart"):
            self.remove_class("-zoom-log", "-zoom-chart")
        else:
            self.add_class("-zoom-chart" if isinstance(self.focused, Chart) else "-zoom-log")

    def action_second(self) -> None:
        self.toggle_class("-second")

    def action_metric(self, by: int) -> None:
        self._second += by
        self._dirty = True

    def action_copy(self) -> None:
        line = self.run.command_line if self.run is not None else ""
        if line:
            self.app.copy_to_clipboard(line)
            self.notify("The `hf jobs` line is on the clipboard.", timeout=2)
        else:
            self.notify("This job was not submitted from here: there is no line to copy.", severity="warning")


def _sample_lines(samples: list[Sample]) -> list[Line]:
    """Generations side by side in time: under each prompt, what the model wrote after which step."""
    if not samples:
        return [[("The job has written no samples yet.", "dim")]]
    lines: list[Line] = [
        [("Samples", "title"), ("   what the model writes to held-out prompts, over the steps", "dim")]
    ]
    for index in sorted({sample.index for sample in samples}):
        mine = [sample for sample in samples if sample.index == index]
        lines += [[("", "")], [("prompt ", "dim"), (mine[0].prompt.strip().replace("\n", " ⏎ "), "bold")]]
        for sample in mine:
            text = sample.text.strip().replace("\n", " ⏎ ")
            lines.append([(f"step {sample.step:>5}  ", "accent"), (text or "(nothing)", "" if text else "faint")])
    return lines
