"""What the Models and Datasets panes share: a search line, an endless list, details of the row under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import Input

from screens.actions import Action, bindings
from screens.asking import ask, forget
from screens.widgets.bars import Notice
from screens.widgets.doc import Doc, Line
from screens.widgets.grid import Column, Grid, Row
from workbench.errors import WorkbenchError

SORTS = ("trendingScore", "downloads", "likes", "lastModified", "createdAt")
SORT_NAMES = {
    "trendingScore": "trending",
    "downloads": "downloads",
    "likes": "likes",
    "lastModified": "last updated",
    "createdAt": "newest",
}


class CatalogPane(Vertical):
    """Search as you type, page as you scroll, details as you move. Subclasses say what is searched and shown."""

    SEARCH_DELAY = 0.2  # seconds without a key before the Hub is asked
    DETAILS_DELAY = 0.12
    COLUMNS: ClassVar[tuple[Column, ...]] = ()
    NOUN = "things"

    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action(
            "catalog.search", "slash", "search", "Search", "Search; words, or filters such as task:… .", footer=True
        ),
        Action("catalog.use", "enter", "use", "Use", "Use the row under the cursor in the plan.", footer=True),
        Action("catalog.details", "l,right,i", "details", "Details", "Go to the details, to scroll them.", footer=True),
        Action("catalog.sort", "o", "sort", "Order", "Change the order of the list.", footer=True),
        Action("catalog.retry", "r", "reload", "Reload", "Ask the Hub again."),
        Action("catalog.zoom", "z", "zoom", "Zoom", "Details on the whole pane, and back.", footer=True),
        Action("catalog.back", "escape,h,left", "back", "Back", "Back to the list."),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self) -> None:
        super().__init__()
        self.sort = SORTS[0]
        self.records: list[Any] = []
        self._next: str | None = None
        self._loading = False
        self._shown = ""  # the id whose details are on screen

    # --- for subclasses -----------------------------------------------------------------------------------------

    def fetch(self, text: str, cursor: str | None) -> Any:
        """A page of records (blocking; in a worker)."""
        raise NotImplementedError

    def row(self, record: Any) -> Row:
        raise NotImplementedError

    def fetch_details(self, record: Any) -> Any:
        """What the details need beyond the record (blocking; in a worker)."""
        raise NotImplementedError

    def brief(self, record: Any) -> Sequence[Line]:
        """Details from the record alone, shown at once."""
        raise NotImplementedError

    def full(self, record: Any, details: Any) -> Sequence[Line]:
        raise NotImplementedError

    def pick(self, record: Any) -> None:
        raise NotImplementedError

    # --- layout -------------------------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        with Container(classes="search"):
            field = Input(placeholder=self.placeholder())
            field.cursor_blink = False  # a blinking cursor costs bytes for ever
            yield field
        yield Notice()
        with Container(classes="split"):
            yield Grid(self.COLUMNS, empty="")
            yield Doc(classes="second")

    def placeholder(self) -> str:
        return f"/ search {self.NOUN}"

    @property
    def grid(self) -> Grid:
        return self.query_one(Grid)

    @property
    def notice(self) -> Notice:
        return self.query_one(Notice)

    @property
    def doc(self) -> Doc:
        return self.query_one(Doc)

    def on_mount(self) -> None:
        self.ask_first_page()
        self.take_focus()

    def take_focus(self) -> None:
        self.grid.focus()

    # --- searching ----------------------------------------------------------------------------------------------

    def ask_first_page(self) -> None:
        text = self.query_one(Input).value
        self._loading = True
        self.grid.set_empty("Asking the Hub …")
        ask(
            self,
            lambda: self.fetch(text, None),
            self._first_page,
            group="page",
            failed=self._page_failed,
        )

    def _first_page(self, page: Any) -> None:
        self._loading = False
        self.notice.tell("")
        self.records = list(page.items)
        self._next = page.next
        text = self.query_one(Input).value.strip()
        self.grid.set_empty(
            f"No {self.NOUN} match “{text}”. Esc clears the search." if text else f"This Hub has no {self.NOUN} yet."
        )
        self.grid.set_rows([self.row(record) for record in self.records], to_top=True)

    def _page_failed(self, error: WorkbenchError) -> None:
        self._loading = False
        self.notice.tell(error.sentence() + "  (r tries again)")
        if not self.records:
            self.grid.set_empty("")
            self.grid.refresh()

    def on_grid_near_end(self, event: Grid.NearEnd) -> None:
        event.stop()
        if self._next is None or self._loading:
            return
        self._loading = True
        text, cursor = self.query_one(Input).value, self._next
        ask(self, lambda: self.fetch(text, cursor), self._more, group="page", failed=self._page_failed)

    def _more(self, page: Any) -> None:
        self._loading = False
        self._next = page.next
        self.records.extend(page.items)
        self.grid.set_rows([*self.grid.rows, *(self.row(record) for record in page.items)])

    def repaint_rows(self) -> None:
        """Rows drawn again from the records (a rank changed, something was picked)."""
        self.grid.set_rows([self.row(record) for record in self.records])

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        forget(self, "page")
        timer = getattr(self, "_search_timer", None)
        if timer is not None:
            timer.stop()
        self._search_timer = self.set_timer(self.SEARCH_DELAY, self.ask_first_page)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.grid.focus()

    # --- details ------------------------------------------------------------------------------------------------

    def record(self, key: str) -> Any:
        return next((record for record in self.records if record.id == key), None)

    def on_grid_highlighted(self, event: Grid.Highlighted) -> None:
        event.stop()
        record = self.record(event.key)
        if record is None:
            self._shown = ""
            self.doc.show([], to_top=True)
            return
        if record.id == self._shown:
            return
        self._shown = record.id
        self.doc.show(self.brief(record), to_top=True)
        timer = getattr(self, "_details_timer", None)
        if timer is not None:
            timer.stop()
        forget(self, "details")
        self._details_timer = self.set_timer(self.DETAILS_DELAY, lambda: self.ask_details(record))

    def ask_details(self, record: Any) -> None:
        ask(
            self,
            lambda: self.fetch_details(record),
            lambda details: self._details(record, details),
            group="details",
            failed=lambda error: self._details_failed(record, error),
        )

    def _details(self, record: Any, details: Any) -> None:
        if record.id == self._shown:
            self.doc.show(self.full(record, details))

    def _details_failed(self, record: Any, error: WorkbenchError) -> None:
        if record.id == self._shown:
            self.doc.show([*self.brief(record), [("", "")], [(error.sentence(), "bad")]])

    # --- actions ------------------------------------------------------------------------------------------------

    def action_search(self) -> None:
        self.query_one(Input).focus()

    def action_back(self) -> None:
        field = self.query_one(Input)
        self.query_one(".split").remove_class("-zoomed")
        if self.grid.has_focus and field.value:
            field.value = ""
        self.grid.focus()

    def action_details(self) -> None:
        self.doc.focus()

    def action_zoom(self) -> None:
        zoomed = self.query_one(".split").toggle_class("-zoomed").has_class("-zoomed")
        (self.doc if zoomed else self.grid).focus()

    def action_reload(self) -> None:
        self._shown = ""
        self.ask_first_page()

    def action_sort(self) -> None:
        self.sort = SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)]
        self.notify(f"Ordered by {SORT_NAMES[self.sort]}.", timeout=2)
        self.ask_first_page()

    def action_use(self) -> None:
        record = self.record(self.grid.key)
        if record is None:
            self.notify(f"There is no row under the cursor: search for {self.NOUN} with /.", severity="warning")
            return
        self.pick(record)

    def on_grid_chosen(self, event: Grid.Chosen) -> None:
        event.stop()
        self.action_use()
