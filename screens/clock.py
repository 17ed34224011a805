"""What time it is, asked in one place, so that a recorded screen can be drawn as it was."""

from __future__ import annotations

import time


def now() -> float:
    """Unix seconds."""
    return time.time()
