"""One sitting: the settings and what they lead to – the Hub, the ledger, the follower – opened late and closed once.

The screens and the command line both work through a `Session`; nothing in it knows which of them asks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workbench.errors import HubError, WorkbenchError
from workbench.hub.client import Hub
from workbench.hub.records import Flavor, Identity
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.runs.ledger import Ledger
    from workbench.runs.redact import Redactor


class Session:
    """Thread-safe; every method that talks to the Hub or the disk blocks and belongs in a worker thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.hub = Hub(settings)
        self._ledger: Ledger | None = None
        self._redactor: Redactor | None = None
        self._flavors: tuple[Flavor, ...] | None = None
        self._identity: Identity | None = None
        self._lock = threading.Lock()
        self._following: _Following | None = None

    @property
    def ledger(self) -> Ledger:
        """The ledger of this place, opened at the first use.

        Raises:
            LedgerError: its folder cannot be made, read or written.
        """
        with self._lock:
            if self._ledger is None:
                from workbench.runs.ledger import Ledger

                self._ledger = Ledger(self.settings.ledger_dir, redact=self.redact)
            return self._ledger

    def flavors(self) -> tuple[Flavor, ...]:
        """What can be rented, with today's prices; the bundled list when the Hub does not answer."""
        if self._flavors is None:
            from workbench.hub.jobs import list_hardware
            from workbench.plan.hardware import bundled_flavors

            try:
                self._flavors = list_hardware(self.hub)
            except HubError:
                return bundled_flavors()
        return self._flavors

    def identity(self) -> Identity:
        """Who we are; asked once (the route is rate limited)."""
        if self._identity is None:
            from workbench.hub.access import whoami

            self._identity = whoami(self.hub)
        return self._identity

    def spent_month(self) -> float:
        """US dollars spent on jobs since the first of this month (UTC), from the ledger's real durations."""
        first = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return self.ledger.spent_since(first.timestamp())

    def redact(self, text: str) -> str:
        """`text` without any secret of ours and anything shaped like one."""
        if self._redactor is None:
            from workbench.runs.redact import Redactor

            self._redactor = Redactor(self._secrets())
        return self._redactor(text)

    def _secrets(self) -> tuple[str, ...]:
        return tuple(s for s in (self.settings.token, self.settings.jobs_token) if s)

    # --- following ----------------------------------------------------------------------------------------------

    def follow(self, on_change: Callable[[str], None]) -> None:
        """Keep every open run of the ledger followed, on a loop of its own, until `close`.

        `on_change(run id)` is called from that loop's thread. Calling `follow` again only wakes it up.
        """
        if self._following is None:
            self._following = _Following(self, on_change)
        self._following.wake()

    def close(self) -> None:
        """Stop following; jobs go on, and the next sitting picks them up."""
        if self._following is not None:
            self._following.stop()
            self._following = None
        with self._lock:
            if self._ledger is not None:
                self._ledger.close()
                self._ledger = None


class _Following:
    """The follower's thread: an asyncio loop that outlives no one."""

    def __init__(self, session: Session, on_change: Callable[[str], None]) -> None:
        self._session = session
        self._on_change = on_change
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except (asyncio.CancelledError, WorkbenchError):
            pass

    async def _main(self) -> None:
        from workbench.runs.follow import FollowAll

        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        everyone = FollowAll(self._session.hub, self._session.ledger, on_change=self._on_change)
        self._wake = everyone.nudge
        await everyone.run()

    def wake(self) -> None:
        if self._loop is not None and self._wake is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def stop(self) -> None:
        if self._loop is not None and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(timeout=2)
