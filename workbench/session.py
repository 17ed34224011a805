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
        self._closed = False

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
        with self._lock:
            if self._closed:
                return
            if self._following is None:
                self._following = _Following(self, on_change)
            following = self._following
        following.wake()

    def close(self) -> None:
        """Stop following; jobs go on, and the next sitting picks them up."""
        with self._lock:
            self._closed = True
            following, self._following = self._following, None
        if following is not None:
            following.stop()
        with self._lock:
            if self._ledger is not None:
                self._ledger.close()
                self._ledger = None


class _Following:
    """The follower's thread: an asyncio loop that outlives no one."""

    def __init__(self, session: Session, on_change: Callable[[str], None]) -> None:
        self._session = session
        self._on_change = on_change
        self._lock = threading.Lock()
        self._stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._nudge: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except (asyncio.CancelledError, WorkbenchError):
            pass
        except RuntimeError:
            if not self._stopped:  # the interpreter is going down around us; anything else is a fault
                raise

    async def _main(self) -> None:
        from workbench.runs.follow import FollowAll

        everyone = FollowAll(self._session.hub, self._session.ledger, on_change=self._on_change)
        with self._lock:
            if self._stopped:
                return
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            self._nudge = everyone.nudge
        await everyone.run()

    def wake(self) -> None:
        """Look at the ledger now."""
        with self._lock:
            if self._loop is not None and self._nudge is not None and not self._stopped:
                self._loop.call_soon_threadsafe(self._nudge)

    def stop(self) -> None:
        """End the loop; returns when it has ended, or after two seconds."""
        with self._lock:
            self._stopped = True
            if self._loop is not None and self._task is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(timeout=2)
