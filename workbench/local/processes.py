"""Finding and ending everything a job has started, also what left its process group or lost its parent."""

from __future__ import annotations

import os
import signal
import time

# Every process of a job has this in its environment; it survives double forks and new sessions.
MARK = "WORKBENCH_JOB_ID"


def signal_group(group: int, sign: signal.Signals) -> None:
    try:
        os.killpg(group, sign)
    except (ProcessLookupError, PermissionError):  # PermissionError: only zombies left (macOS)
        pass


def marked(job_id: str) -> list[int]:
    """Process ids that carry the job's mark, ourselves left out."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == job_id:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def kill_leftovers(job_id: str, group: int | None) -> None:
    """KILL the group and whatever else carries the mark, until nothing is left (or nothing more can be done)."""
    if group is not None:
        signal_group(group, signal.SIGKILL)
    for _ in range(20):
        left = marked(job_id)
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        time.sleep(0.02)
