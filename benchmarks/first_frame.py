"""From exec to the first usable frame, against a bare Textual app that shows one label."""

from __future__ import annotations

import os
import select
import statistics
import sys
import time

import ptyprocess

BARE = """
from textual.app import App
from textual.widgets import Label
class Bare(App):
    def compose(self):
        yield Label("READY-TO-USE")
Bare().run()
"""
OURS = """
from workbench.settings import Settings
from workbench.cli import open_screens
open_screens(Settings(endpoint="http://127.0.0.1:9", jobs_endpoint="http://127.0.0.1:9", viewer=""))
"""


def seconds_until(code: str, what: bytes) -> float:
    """Wall seconds from exec until `what` has been written to the terminal."""
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    started = time.perf_counter()
    process = ptyprocess.PtyProcess.spawn([sys.executable, "-c", code], dimensions=(40, 120), env=env)
    seen = b""
    try:
        while what not in seen:
            if not select.select([process.fd], [], [], 20)[0]:
                raise TimeoutError("no frame came")
            seen += os.read(process.fd, 65536)
        return time.perf_counter() - started
    finally:
        process.kill(9)
        process.close(force=True)


def run() -> list[tuple[str, str, str]]:
    seconds_until(OURS, b"Datasets"), seconds_until(BARE, b"READY-TO-USE")  # warm the caches
    pairs = [(seconds_until(OURS, b"Datasets"), seconds_until(BARE, b"READY-TO-USE")) for _ in range(7)]
    ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return [("exec to first frame", f"{ours:.2f} s = {ratio:.2f} × a bare app ({bare:.2f} s)", "at most 1.3 ×")]
