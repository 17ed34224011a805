"""Jobs outlive the server, and the death of a supervisor is noticed."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.local.conftest import OwnServer, alive, client, raw, wait_until

NS = "demo"
COUNT = "import time\nfor i in range(120):\n    print('line', i, flush=True)\n    time.sleep(.01)\n"


def _supervisor(folder: Path) -> int:
    """The supervisor's process id, found by its command line."""
    import psutil

    def find() -> int | None:
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "workbench.local.supervisor" in words and str(folder) in words:
                return int(process.pid)
        return None

    return int(wait_until(find, "the supervisor"))


def test_a_job_runs_on_when_its_server_is_killed_and_nothing_of_its_log_is_lost(
    own_server: Callable[..., OwnServer],
) -> None:
    holder = own_server()
    first = holder.start()
    job = client(first).run_job(image="x", command=[sys.executable, "-c", COUNT], namespace=NS)
    log = holder.root / "jobs" / job.id / "log.jsonl"
    wait_until(lambda: log.read_bytes().count(b"\n") > 5, "some lines")
    holder.kill()
    second = holder.start()
    assert second.url == first.url  # the port is taken again
    api = client(second)
    assert list(api.fetch_job_logs(job_id=job.id, namespace=NS, follow=True)) == [f"line {i}" for i in range(120)]
    assert api.wait_for_job(job_id=job.id, namespace=NS, timeout=60).status.stage == "COMPLETED"


def test_a_job_that_ended_while_there_was_no_server_is_known_to_the_next(own_server: Callable[..., OwnServer]) -> None:
    holder = own_server()
    job = client(holder.start()).run_job(image="x", command=[sys.executable, "-c", COUNT], namespace=NS)
    holder.kill()
    status = holder.root / "jobs" / job.id / "status.json"
    wait_until(lambda: json.loads(status.read_text())["stage"] == "COMPLETED", "the job's end without a server")
    api = client(holder.start())
    assert api.inspect_job(job_id=job.id, namespace=NS).status.stage == "COMPLETED"
    assert len(list(api.fetch_job_logs(job_id=job.id, namespace=NS))) == 120


def test_a_job_whose_supervisor_was_killed_is_an_error_and_its_processes_end(
    own_server: Callable[..., OwnServer],
) -> None:
    holder = own_server()
    api = client(holder.start())
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "print(os.getpid(), child.pid, flush=True)\ntime.sleep(600)"
    )
    job = api.run_job(image="x", command=[sys.executable, "-c", code], secrets={"K": "vvv"}, namespace=NS)
    folder = holder.root / "jobs" / job.id
    first = next(iter(api.fetch_job_logs(job_id=job.id, namespace=NS, follow=True)))
    pids = [int(word) for word in first.split()]
    os.kill(_supervisor(folder), signal.SIGKILL)

    def ended() -> Any:
        seen = api.inspect_job(job_id=job.id, namespace=NS)
        return seen if seen.status.stage != "RUNNING" else None

    seen = wait_until(ended, "the death to be noticed")
    assert seen.status.stage == "ERROR"
    assert "supervisor died" in seen.status.message
    assert seen.finished_at is not None
    wait_until(lambda: not any(alive(pid) for pid in pids), "the job's processes to end")
    assert not (folder / "secrets.json").exists()
    log = list(api.fetch_job_logs(job_id=job.id, namespace=NS))
    assert log == [first, "workbench: the job's supervisor died, so the job was ended"]


def test_a_torn_last_line_does_not_spoil_the_log(own_server: Callable[..., OwnServer]) -> None:
    """What a supervisor killed in the middle of a write leaves behind."""
    holder = own_server()
    server = holder.start()
    api = client(server)
    job = api.run_job(image="x", command=[sys.executable, "-c", "print('whole')"], namespace=NS)
    api.wait_for_job(job_id=job.id, namespace=NS, timeout=60)
    with (holder.root / "jobs" / job.id / "log.jsonl").open("ab") as file:
        file.write(b'{"data": "to')
    assert list(api.fetch_job_logs(job_id=job.id, namespace=NS)) == ["whole"]
    assert list(api.fetch_job_logs(job_id=job.id, namespace=NS, tail=1)) == ["whole"]
    with (holder.root / "jobs" / job.id / "log.jsonl").open("ab") as file:
        file.write(b'\n{"data": "after", "timestamp": "2026-01-01T00:00:00Z"}\n')
    assert list(api.fetch_job_logs(job_id=job.id, namespace=NS)) == ["whole", "after"]


def test_a_silent_stream_sends_keep_alives(own_server: Callable[..., OwnServer]) -> None:
    import http.client
    from urllib.parse import urlsplit

    server = own_server("--keepalive-seconds", "0.2").start()
    job = client(server).run_job(
        image="x", command=[sys.executable, "-c", "import time; time.sleep(600)"], namespace=NS
    )
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=60)
    path = f"/api/jobs/{NS}/{job.id}/logs"
    connection.request("GET", path, headers={"Authorization": f"Bearer {server.token}"})
    reply = connection.getresponse()
    got = b""
    while got.count(b": keep-alive\n\n") < 2:
        got += reply.read1(4096)
    connection.close()
    assert raw(server, "POST", f"/api/jobs/{NS}/{job.id}/cancel").status == 200


def test_the_server_ends_by_itself_when_idle_but_not_while_a_job_runs(own_server: Callable[..., OwnServer]) -> None:
    holder = own_server("--idle-seconds", "0.4")
    server = holder.start()
    gate = holder.root / "gate"
    code = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(.05)"
    job = client(server).run_job(image="x", command=[sys.executable, "-c", code], namespace=NS)
    status = holder.root / "jobs" / job.id / "status.json"
    wait_until(lambda: json.loads(status.read_text())["stage"] == "RUNNING", "the job")
    assert holder.process is not None
    gate.touch()
    wait_until(lambda: holder.process.poll() is not None, "the idle server to end")  # type: ignore[union-attr]
    assert holder.process.returncode == 0
    assert json.loads(status.read_text())["stage"] == "COMPLETED"  # it had not left before the job
    assert not (holder.root / "server.json").exists()
