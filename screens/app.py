"""The app. It only wires: places, keys that work everywhere, the status bar, and messages handed on."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widget import Widget

from screens import terminal
from screens.actions import Action, bindings
from screens.asking import ask
from screens.draft import Draft
from screens.messages import DraftChanged, GoTo, ModelPicked, OpenRun, RunChanged
from screens.models import ModelsPane
from screens.theme import THEMES
from screens.widgets.bars import Keys, Status, StatusBar
from workbench.assets import asset
from workbench.errors import WorkbenchError
from workbench.plan.money import burn_rate
from workbench.session import Session
from workbench.settings import PUBLIC_ENDPOINT, Settings

PLACES = ("models", "datasets", "plan", "jobs", "runs")


class PlacesScreen(Screen[None]):
    """The five places under one status bar. A place is made when it is first visited."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 – declared by Textual as it is

    def compose(self) -> ComposeResult:
        yield StatusBar()
        yield Container(id="places")
        yield Keys()

    def on_mount(self) -> None:
        self.app.show_place("models")  # type: ignore[attr-defined]


class TooSmall(Screen[None]):
    """Shown while the terminal is smaller than any place can use; what was there is untouched below."""

    def render(self) -> str:
        width, height = self.size
        need = f"{terminal.LEAST[0]}×{terminal.LEAST[1]}"
        return (
            f"The workbench needs a terminal of {need}; this one is {width}×{height}. Make it larger; nothing is lost."
        )


class WorkbenchApp(App[None]):
    """The LoRA Workbench."""

    TITLE = "LoRA Workbench"
    CSS_PATH = asset("workbench.tcss")
    ENABLE_COMMAND_PALETTE = True
    ACTIONS: ClassVar[tuple[Action, ...]] = (
        Action("app.models", "1", "place('models')", "Models", "Go to the models."),
        Action("app.datasets", "2", "place('datasets')", "Datasets", "Go to the datasets."),
        Action("app.plan", "3", "place('plan')", "Plan", "Go to the plan."),
        Action("app.jobs", "4", "place('jobs')", "Jobs", "Go to the jobs."),
        Action("app.runs", "5", "place('runs')", "Runs", "Go to the runs."),
        Action("app.help", "question_mark,f1", "help", "Help", "What can be pressed here."),
        Action("app.palette", "ctrl+p", "command_palette", "Palette", "Any action by a few letters."),
        Action("app.picture", "ctrl+s", "picture", "Picture", "Save a picture of the screen (SVG)."),
        Action("app.theme", "ctrl+t", "next_theme", "Theme", "The next theme."),
        Action("app.quit", "ctrl+q,q", "leave", "Quit", "Leave the workbench; jobs go on."),
        Action("app.stop", "ctrl+c", "leave", "Quit", "Leave the workbench; jobs go on.", priority=True),
    )
    BINDINGS = bindings(ACTIONS)

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.engine = Session(settings)
        self.draft = Draft()
        self.place = "models"
        self.status = Status(where=_where(settings), billed=settings.place == "hub", month_cap=settings.cap_month_usd)
        self.utf8 = terminal.speaks_utf8()
        self.chart_marker = "braille" if self.utf8 else "*"
        self._too_small: TooSmall | None = None

    # --- starting and leaving -----------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[Any]:
        return PlacesScreen()

    def on_load(self) -> None:
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = (
            self.engine.settings.theme if self.engine.settings.theme in self.available_themes else THEMES[0].name
        )
        if not self.utf8:
            self._filters.append(terminal.AsciiFilter())

    @property
    def home(self) -> Screen[Any]:
        return self.screen_stack[0]

    def on_mount(self) -> None:
        # After the first frame: the rest of the program is imported and the account looked up meanwhile.
        self.call_after_refresh(self._wake_up)

    def _wake_up(self) -> None:
        if not self.utf8:
            self.notify("This terminal does not speak UTF-8: drawing in ASCII.", severity="warning")
        ask(self.home, self.engine.identity, self._signed_in, group="identity", failed=self._not_signed_in)
        self.follow()
        self.news("")
        self.set_interval(30, lambda: self.news(""))

    def _signed_in(self, identity: Any) -> None:
        self._set_status(account=self.engine.settings.namespace or identity.name)

    def _not_signed_in(self, error: WorkbenchError) -> None:
        self.notify(error.sentence(), severity="warning", timeout=6)

    def action_leave(self) -> None:
        self.exit()

    def on_unmount(self) -> None:
        self.engine.close()

    # --- places -------------------------------------------------------------------------------------------------

    def show_place(self, name: str) -> None:
        """Bring a place to the front, making it on the first visit."""
        while len(self.screen_stack) > 1 and not self.screen.is_modal:
            self.pop_screen()
        if self.screen.is_modal:
            return
        self.place = name
        holder = self.home.query_one("#places")
        pane = next((child for child in holder.children if child.id == name), None)
        for child in holder.children:
            child.display = child is pane
        if pane is None:
            pane = _make(name)
            pane.id = name
            holder.mount(pane)  # it takes the focus itself when its parts are there
        elif pane.is_mounted:
            pane.take_focus()  # type: ignore[attr-defined]  # every place has it
        for news in ("draft_changed", "runs_changed"):  # what a place missed while another was shown
            if pane.is_mounted and hasattr(pane, news):
                getattr(pane, news)()
        self._set_status(place=name)

    def pane(self, name: str) -> Any:
        """The pane of a place, or None before its first visit."""
        return next((child for child in self.home.query_one("#places").children if child.id == name), None)

    def action_place(self, name: str) -> None:
        self.show_place(name)

    def on_go_to(self, message: GoTo) -> None:
        self.show_place(message.place)

    def on_model_picked(self, message: ModelPicked) -> None:
        self.draft.use_model(message.record)
        self.notify(f"{message.record.id} is in the plan.", timeout=2)
        self.pane("models").repaint_rows()
        self.post_message(DraftChanged())
        self.show_place("datasets" if self.draft.dataset is None else "plan")

    def on_draft_changed(self, message: DraftChanged) -> None:
        plan = self.pane("plan")
        if plan is not None and plan.is_mounted and plan.display:
            plan.draft_changed()

    def on_open_run(self, message: OpenRun) -> None:
        from screens.watch import WatchScreen

        if self.place == "plan":
            self.show_place("jobs")
        self.follow()
        self.news("")
        self.push_screen(WatchScreen(message.run_id))

    # --- news from the engine -----------------------------------------------------------------------------------

    def follow(self) -> None:
        """See to it that every open run is followed."""
        ask(self.home, lambda: self.engine.follow(self._heard), lambda _: None, group="follow")

    def _heard(self, run_id: str) -> None:
        """Called on the follower's thread."""
        self.post_message(RunChanged(run_id))

    def on_run_changed(self, message: RunChanged) -> None:
        self.news(message.run_id)

    def news(self, run_id: str) -> None:
        """Something of a run changed: the open screen and the lists look again, the status bar too."""
        for screen in self.screen_stack:
            if hasattr(screen, "run_changed"):
                screen.run_changed(run_id)
        now = time.monotonic()
        if run_id and now - getattr(self, "_news_at", 0.0) < 1.0:
            if not getattr(self, "_news_timer", None):
                self._news_timer: Any = self.set_timer(1.0, self._late_news)
            return
        self._news_at = now
        pane = self.pane(self.place) if self.place in ("jobs", "runs") else None
        if pane is not None and pane.is_mounted:
            pane.runs_changed()
        ask(self.home, self._sums, self._have_sums, group="sums", failed=lambda error: None)

    def _late_news(self) -> None:
        self._news_timer = None
        self.news("")

    def _sums(self) -> tuple[int, float, float]:
        ledger = self.engine.ledger
        going = ledger.runs(open_only=True, limit=500)
        rate = burn_rate(run.usd_per_hour for run in going if run.stage == "RUNNING" and run.place == "hub")
        return len(going), rate, self.engine.spent_month()

    def _have_sums(self, sums: tuple[int, float, float]) -> None:
        running, rate, month = sums
        self._set_status(running=running, usd_per_hour=rate, month_usd=month)

    def _set_status(self, **changes: Any) -> None:
        from dataclasses import replace

        self.status = replace(self.status, **changes)
        self.paint_status()

    def paint_status(self) -> None:
        for screen in self.screen_stack:
            for bar in screen.query(StatusBar):
                bar.show_status(self.status)

    # --- everywhere ---------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        from screens.actions import MOVES
        from screens.widgets.dialogs import Help

        if self.screen.is_modal:
            return
        here: list[Action] = []
        about, title = "", self.place.capitalize()
        nodes = self.focused.ancestors_with_self if self.focused is not None else [self.screen]
        for node in nodes:
            here += [action for action in vars(type(node)).get("ACTIONS", ()) if action not in here]
            for base in type(node).__mro__[1:]:
                here += [action for action in vars(base).get("ACTIONS", ()) if action not in here]
            about = about or getattr(node, "ABOUT", "")
        everywhere = list(self.ACTIONS)
        here = [action for action in here if action not in everywhere]
        if self.screen is not self.home:
            title = type(self.screen).__name__.removesuffix("Screen")
        groups = [("Here", here), ("In lists", MOVES), ("Everywhere", everywhere)]
        self.push_screen(Help(title, about, groups))

    def action_picture(self) -> None:
        from pathlib import Path

        folder = Path(self.engine.settings.data_dir) / "pictures"
        picture = self.export_screenshot(title="LoRA Workbench")
        name = f"{self.place}-{time.strftime('%Y%m%d-%H%M%S')}.svg"

        def write() -> Path:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(self.engine.redact(picture), encoding="utf-8")
            except OSError as error:
                raise WorkbenchError(f"cannot be written ({error.strerror})", where=str(folder / name)) from error
            return folder / name

        ask(self.home, write, lambda path: self.notify(f"Saved to {path}."), group="picture")

    def action_next_theme(self) -> None:
        names = [*(theme.name for theme in THEMES), "ansi-dark", "ansi-light"]
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = next(name for name in names[at + 1 :] + names if name in self.available_themes)
        self.notify(self.theme, timeout=1.5)

    def get_system_commands(self, screen: Screen[Any]) -> Any:
        """The palette shows our own actions only: each has its key, help and one definition."""
        return ()

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        small = width < terminal.LEAST[0] or height < terminal.LEAST[1]
        if small and self._too_small is None:
            self._too_small = TooSmall()
            self.push_screen(self._too_small)
        elif not small and self._too_small is not None:
            gone, self._too_small = self._too_small, None
            if gone in self.screen_stack:
                gone.dismiss()


def _make(name: str) -> Widget:
    """A place's pane; its module is imported at the first visit."""
    if name == "models":
        return ModelsPane()
    if name == "datasets":
        from screens.datasets import DatasetsPane

        return DatasetsPane()
    if name == "plan":
        from screens.plan import PlanPane

        return PlanPane()
    if name == "jobs":
        from screens.jobs import JobsPane

        return JobsPane()
    from screens.runs import RunsPane

    return RunsPane()


def _where(settings: Settings) -> str:
    """The endpoint in a word or two."""
    if settings.demo:
        return "demo"
    host = settings.endpoint.removeprefix("https://").removeprefix("http://")
    name = "Hugging Face" if settings.endpoint == PUBLIC_ENDPOINT else host
    return f"{name}, jobs here" if settings.compute == "here" else name


def run(settings: Settings) -> None:
    """Open the screens and stay until the user leaves."""
    from screens.palette import ActionsProvider

    WorkbenchApp.COMMANDS = {ActionsProvider}
    WorkbenchApp(settings).run()
