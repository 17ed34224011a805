"""Place 2: the datasets of the Hub, and the inspector beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from screens import show
from screens.actions import Action, bindings
from screens.asking import ask, forget
from screens.catalog import CatalogPane
from screens.desk import desk
from screens.inspector import METHODS, Inspection, brief_lines, lines_of
from screens.messages import DraftChanged, GoTo
from screens.query import parse_search
from screens.widgets.doc import Line
from screens.widgets.grid import Column, Row
from workbench.errors import WorkbenchError
from workbench.hub.records import DatasetRecord, RowsPage

_ROWS_READ = 100


class DatasetsPane(CatalogPane):
    """Pick the data, and see what the model would be trained on."""

    NOUN = "datasets"
    COLUMNS: ClassVar = (
        Column("Dataset"),
        Column("Rows", 9, keep=58),
        Column("Licence", 11, keep=90),
        Column("Gate", 5),
        Column("Downl.", 7, right=True),
        Column("Likes", 6, right=True, keep=80),
        Column("Upd.", 5, right=True, keep=50),
    )
    ABOUT = """Datasets: the data to fine-tune on, and how its columns map.

The inspector reads some rows and judges them by their values: READY (as it is), MAPPED (with the mapping shown)
or NO, for each training method. The example below goes through the model's own chat template:
green tokens are trained on, dim ones are context, red ones are cut by the maximum length.
/ searches; filters: task:… author:… licence:… language:en size:1K<n<10K gated:no"""

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("data.method", "m", "method", "Method", "Judge the data for the next training method.", footer=True),
        Action("data.next-split", "right_square_bracket", "split(1)", "Split", "The next config and split."),
        Action("data.prev-split", "left_square_bracket", "split(-1)", "Split", "The previous config and split."),
        Action("data.next-row", "n", "row(1)", "Next row", "The next row as example."),
        Action("data.prev-row", "p", "row(-1)", "Previous row", "The previous row as example."),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self.seen: Inspection | None = None
        self._pick_when_read = ""  # the dataset that was chosen before its rows had come

    def placeholder(self) -> str:
        return "/ search datasets   (task:… language:en licence:… size:1K<n<10K gated:no)"

    def fetch(self, text: str, cursor: str | None) -> Any:
        from workbench.hub.catalog import DatasetQuery, datasets

        search = parse_search(text)
        query = DatasetQuery(
            text=search.words,
            author=search.filters.get("author", ""),
            task=search.filters.get("task", ""),
            licence=search.filters.get("licence", ""),
            language=search.filters.get("language", ""),
            size=search.filters.get("size", ""),
            gated=search.gated,
            sort=self.sort,  # type: ignore[arg-type]
        )
        return datasets(desk(self).engine.hub, query, cursor=cursor)

    def row(self, record: DatasetRecord) -> Row:
        picked = desk(self).draft.dataset
        used = picked is not None and picked.id == record.id
        return Row(
            record.id,
            (
                (("● ", "accent"), (record.id, "bold")) if used else record.id,
                (record.size_category or "–", "dim"),
                (record.licence or "–", "dim"),
                ("open", "dim") if record.gated == "no" else ("gated", "warn"),
                show.count(record.downloads),
                show.count(record.likes),
                (show.ago(record.updated), "dim"),
            ),
        )

    # --- inspecting ---------------------------------------------------------------------------------------------

    def brief(self, record: DatasetRecord) -> Sequence[Line]:
        self._pick_when_read = ""
        self.seen = Inspection(record, method=desk(self).draft.method)
        return [*brief_lines(record), [("", "")], [("Reading some rows …", "dim")]]

    def ask_details(self, record: DatasetRecord) -> None:
        """Splits first, then rows of the best split, then the verdicts, then the tokens: each shown as it comes."""
        hub = desk(self).engine.hub

        def splits() -> tuple[Any, ...]:
            from workbench.hub.rows import splits

            return tuple(splits(hub, record.id, revision=record.sha or "main"))

        ask(self, splits, self._splits, group="details", failed=self._problem)

    def _splits(self, splits: tuple[Any, ...]) -> None:
        if self.seen is None:
            return
        self.seen.splits = splits
        self.seen.at = next((i for i, split in enumerate(splits) if split.split.startswith("train")), 0)
        self._ask_rows()

    def _ask_rows(self) -> None:
        seen = self.seen
        if seen is None or seen.split is None:
            return
        seen.page, seen.verdicts, seen.preview, seen.row = None, {}, None, 0
        self._show()
        hub, split, record = desk(self).engine.hub, seen.split, seen.record

        def read() -> tuple[RowsPage, dict[str, Any]]:
            from workbench.data.propose import judge_all
            from workbench.hub.rows import rows

            page = rows(hub, record.id, split.config, split.split, limit=_ROWS_READ)
            return page, {str(method): verdict for method, verdict in judge_all(page).items()}

        ask(self, read, self._rows, group="details", failed=self._problem)

    def _rows(self, answer: tuple[RowsPage, dict[str, Any]]) -> None:
        if self.seen is None:
            return
        self.seen.page, self.seen.verdicts = answer
        self._show()
        self._ask_preview()
        if self._pick_when_read == self.seen.record.id:
            self.pick(self.seen.record)

    def _ask_preview(self) -> None:
        """The example through the picked model's own tokenizer."""
        seen, draft = self.seen, desk(self).draft
        if seen is None or seen.page is None or not seen.page.rows or draft.model is None:
            return
        if seen.verdict is None or seen.verdict.mapping is None:
            return
        hub, model = desk(self).engine.hub, draft.model
        row, mapping, method = seen.page.rows[min(seen.row, len(seen.page.rows) - 1)], seen.verdict.mapping, seen.method
        training = draft.recipe.training if draft.recipe is not None else None
        length = training.max_length if training is not None else 1024
        loss_on = training.loss_on if training is not None else "completion"

        def render() -> Any:
            from workbench.data.preview import load_tokenizer, preview

            tokenizer = load_tokenizer(hub, model.id, model.sha or "main")
            return preview(row, mapping, tokenizer, method=method, max_length=length, loss_on=loss_on)

        if seen.tokenizer != model.id:
            seen.preview = None
        seen.tokenizer, seen.preview_problem = model.id, ""
        self._show()

        def shown(made: Any) -> None:
            if self.seen is seen:
                seen.preview = made
                self._show()

        ask(self, render, shown, group="preview", failed=lambda error: self._preview_failed(seen, error))

    def _preview_failed(self, seen: Inspection, error: WorkbenchError) -> None:
        if self.seen is seen:
            seen.preview_problem = error.sentence()
            self._show()

    def _problem(self, error: WorkbenchError) -> None:
        if self.seen is not None:
            self.seen.problem = error.sentence()
            self._show()

    def _show(self) -> None:
        if self.seen is not None and self.seen.record.id == self._shown:
            self.doc.show(lines_of(self.seen))

    # --- actions ------------------------------------------------------------------------------------------------

    def action_split(self, by: int) -> None:
        if self.seen is None or len(self.seen.splits) < 2:
            self.notify("This dataset has one split only.", timeout=2)
            return
        self.seen.at = (self.seen.at + by) % len(self.seen.splits)
        forget(self, "preview")
        self._ask_rows()

    def action_method(self) -> None:
        if self.seen is None:
            return
        judged = [method for method in METHODS if method in self.seen.verdicts] or list(METHODS)
        at = judged.index(self.seen.method) if self.seen.method in judged else -1
        self.seen.method = judged[(at + 1) % len(judged)]
        self.seen.preview = None
        self._show()
        self._ask_preview()

    def action_row(self, by: int) -> None:
        if self.seen is None or self.seen.page is None or not self.seen.page.rows:
            return
        self.seen.row = (self.seen.row + by) % len(self.seen.page.rows)
        self._show()
        self._ask_preview()

    def pick(self, record: DatasetRecord) -> None:
        seen = self.seen
        self._pick_when_read = ""
        if seen is None or seen.record.id != record.id or seen.page is None or seen.split is None:
            if seen is not None and seen.problem:
                self.notify(seen.problem, severity="error", timeout=8)
            else:
                self._pick_when_read = record.id
                self.notify("Reading it first; it is taken as soon as its rows are here.", timeout=3)
            return
        verdict = seen.verdict
        if verdict is None or verdict.mapping is None or verdict.verdict == "incompatible":
            why = verdict.reason if verdict is not None else "nothing is known of it yet"
            self.notify(f"This data does not do for {seen.method.upper()}: {why}", severity="error", timeout=8)
            return
        total = seen.page.total if seen.page.total is not None else seen.split.rows
        draft = desk(self).draft
        draft.method = seen.method  # type: ignore[assignment]  # METHODS are Recipe methods
        draft.use_dataset(record, seen.split.config, seen.split.split, total, verdict)
        self.repaint_rows()
        self.notify(f"{record.id} is in the plan.", timeout=2)
        self.post_message(DraftChanged())
        self.post_message(GoTo("plan" if draft.model is not None else "models"))

    def on_show(self) -> None:
        """A model may have been picked meanwhile: the example goes through its template."""
        self._ask_preview()
