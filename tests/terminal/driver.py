"""A real pseudo-terminal with the real program in it: keys in, a screen out, bytes counted."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import ptyprocess
import pyte

BIN = Path(sys.executable).parent

KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "space": " ",
    "down": "\x1b[B",
    "up": "\x1b[A",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "ctrl+c": "\x03",
    "ctrl+p": "\x10",
}


class Terminal:
    """Runs a program in a pseudo-terminal of `columns` × `rows` and keeps its screen."""

    def __init__(
        self,
        argv: list[str],
        *,
        columns: int = 120,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
    ) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}
        self.process = ptyprocess.PtyProcess.spawn(argv, dimensions=(rows, columns), env=environment)
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.received = bytearray()

    # --- reading ------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        return list(self._screen.display)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def read_for(self, seconds: float) -> int:
        """Read what comes for so long; returns how many bytes came."""
        before, end = len(self.received), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self._read(left):
            pass
        return len(self.received) - before

    def _read(self, timeout: float) -> bool:
        """One read; False when the program has ended."""
        ready, _, _ = select.select([self.process.fd], [], [], timeout)
        if not ready:
            return True
        try:
            data = os.read(self.process.fd, 65536)
        except OSError:
            return False
        if not data:
            return False
        self.received += data
        self._stream.feed(data)
        return True

    def wait_for(self, what: str | Callable[[str], bool], timeout: float = 30) -> str:
        """Read until a text (or a predicate over the screen's text) is there; the screen's text then.

        Raises:
            AssertionError: it did not come; the message shows the screen.
        """
        seen = what if callable(what) else (lambda text: what in text)
        end = time.monotonic() + timeout
        while not seen(self.text):
            left = end - time.monotonic()
            if left <= 0 or not self._read(min(left, 0.2)):
                wanted = what if isinstance(what, str) else "what was waited for"
                if seen(self.text):
                    break
                raise AssertionError(f"{wanted!r} did not appear within {timeout} s:\n{self.text}")
        return self.text

    def settle(self, quiet: float = 0.3, most: float = 10) -> str:
        """Read until nothing came for `quiet` seconds."""
        end = time.monotonic() + most
        while time.monotonic() < end and self.read_for(quiet):
            pass
        return self.text

    # --- writing ------------------------------------------------------------------------------------------------

    def press(self, *keys: str) -> None:
        """Type keys; names as in KEYS, anything else as it is."""
        for key in keys:
            self.process.write(KEYS.get(key, key).encode())
            self.read_for(0.05)

    def resize(self, columns: int, rows: int) -> None:
        self.process.setwinsize(rows, columns)
        self._screen.resize(rows, columns)

    def end(self, timeout: float = 10) -> int:
        """Wait for the program's own end; its exit status."""
        end = time.monotonic() + timeout
        while self.process.isalive() and time.monotonic() < end:
            if not self._read(0.1):
                break
        self.process.wait()
        return int(self.process.exitstatus if self.process.exitstatus is not None else -1)

    def kill(self) -> None:
        if self.process.isalive():
            self.process.kill(signal.SIGKILL)
        self.process.close(force=True)
