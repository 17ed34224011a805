"""Fixtures of the local server's tests: the real client, raw HTTP, and servers one may kill."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from workbench.local.files import lock_is_held
from workbench.local.serve import LocalServer, answers, package_environment, stop_server

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@pytest.fixture
def api(server: LocalServer) -> HfApi:
    """The unmodified client, signed in at the shared server."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=server.url, token=server.token)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def raw(
    server: LocalServer,
    method: str,
    path: str,
    *,
    token: str | None = "own",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """One request with the path exactly as given: no client that would tidy it up."""
    split = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(split.hostname), split.port, timeout=30)
    try:
        connection.putrequest(method, path, skip_host=bool(headers and "Host" in headers))
        if token is not None:
            connection.putheader("Authorization", f"Bearer {server.token if token == 'own' else token}")
        for key, value in (headers or {}).items():
            connection.putheader(key, value)
        if body is not None and not (headers and "Content-Length" in headers):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        reply = connection.getresponse()
        return Answer(reply.status, {key.lower(): value for key, value in reply.getheaders()}, reply.read())
    finally:
        connection.close()


def wait_until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """What `condition` gives as soon as it is true. The limit only ends a hopeless wait."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"gave up waiting for: {what}")
        time.sleep(0.02)


def alive(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


class OwnServer:
    """A jobs server of the test's own, in the foreground form, to be killed and started again."""

    def __init__(self, root: Path, *flags: str) -> None:
        self.root = root
        self.flags = flags
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> LocalServer:
        command = [sys.executable, "-m", "workbench.local.serve", "--root", str(self.root), *self.flags]
        self.process = subprocess.Popen(command, env=package_environment(), stdout=subprocess.DEVNULL)

        def ready() -> dict[str, Any] | None:
            assert self.process is not None
            assert self.process.poll() is None, "the server ended"
            path = self.root / "server.json"
            record = json.loads(path.read_text()) if path.exists() else None
            return record if record and record["pid"] == self.process.pid and answers(record) else None

        record = wait_until(ready, "the server to answer")
        return LocalServer(record["url"], (self.root / "token").read_text(), self.root)

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., OwnServer]]:
    """Makes servers of the test's own; whatever they left running is ended afterwards."""
    made: list[OwnServer] = []

    def make(*flags: str) -> OwnServer:
        made.append(OwnServer(tmp_path / "own", *flags))
        return made[-1]

    yield make
    for one in made:
        for cancelled in (one.root / "jobs").glob("*/spec.json"):
            (cancelled.parent / "cancel").touch()
        for lock in (one.root / "jobs").glob("*/supervisor.lock"):
            wait_until(lambda lock=lock: not lock_is_held(lock), "a job to end")
        stop_server(one.root)
        if one.process is not None:
            one.process.wait()


def client(server: LocalServer) -> HfApi:
    from huggingface_hub import HfApi

    return HfApi(endpoint=server.url, token=server.token)
