"""Finding, starting and stopping the server of a folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.local.conftest import OwnServer, alive, raw, wait_until
from workbench.errors import WorkbenchError
from workbench.local.serve import ensure_server, package_environment, stop_server


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "root"
    stop_server(tmp_path / "root")


def test_a_second_call_finds_the_same_server(root: Path) -> None:
    first = ensure_server(root, hub=False)
    assert ensure_server(root, hub=False) == first
    assert raw(first, "GET", "/api/whoami-v2").json()["name"] == "demo"
    assert first.token not in repr(first)


def test_many_callers_at_once_get_one_server(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from workbench.local.serve import ensure_server; "
        "print(ensure_server(Path(sys.argv[1]), hub=False).url)"
    )

    def call(_: int) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, str(root)],
            env=package_environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    with ThreadPoolExecutor(5) as pool:
        urls = set(pool.map(call, range(5)))
    assert len(urls) == 1


def test_it_outlives_its_starter(root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from workbench.local.serve import ensure_server; "
        "ensure_server(Path(sys.argv[1]), hub=False)"
    )
    subprocess.run([sys.executable, "-c", code, str(root)], env=package_environment(), check=True, timeout=120)
    pid = json.loads((root / "server.json").read_text())["pid"]
    assert alive(pid)
    found = ensure_server(root, hub=False)
    assert json.loads((root / "server.json").read_text())["pid"] == pid
    assert raw(found, "GET", "/healthz", token=None).status == 200


def test_a_killed_server_is_replaced_at_the_same_address_with_the_same_token(root: Path) -> None:
    first = ensure_server(root, hub=False)
    pid = json.loads((root / "server.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid), "the server's death")
    assert ensure_server(root, hub=False) == first


def test_stop_ends_it_and_may_be_called_again(root: Path) -> None:
    ensure_server(root, hub=False)
    pid = json.loads((root / "server.json").read_text())["pid"]
    stop_server(root)
    wait_until(lambda: not alive(pid), "the server's end")
    stop_server(root)
    assert not (root / "server.json").exists()


def test_a_port_taken_meanwhile_means_another_port(root: Path) -> None:
    first = ensure_server(root, hub=False)
    stop_server(root)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", int(first.url.rpartition(":")[2])))
        taken.listen()
        second = ensure_server(root, hub=False)
        assert second.url != first.url
        assert second.token == first.token


def test_a_server_of_the_other_kind_is_a_sentence(root: Path) -> None:
    ensure_server(root, hub=False)
    with pytest.raises(WorkbenchError, match="another folder"):
        ensure_server(root, hub=True)


def test_a_folder_that_cannot_be_one_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WorkbenchError, match="cannot be used"):
        ensure_server(tmp_path / "file" / "root", hub=False)
    with pytest.raises(WorkbenchError, match="cannot be used"):
        ensure_server(tmp_path / "file", hub=False)


def test_a_server_that_cannot_start_says_why(root: Path) -> None:
    root.mkdir()
    (root / "jobs").write_text("a file where a folder must be")
    with pytest.raises(WorkbenchError, match=r"did not start: .*cannot be used"):
        ensure_server(root, hub=False)


def test_a_taken_port_in_the_foreground_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "workbench.local.serve", "--root", str(tmp_path / "r"), "--port", port]
        done = subprocess.run(command, env=package_environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.strip() == f"127.0.0.1: port {port} is taken. Choose another port, or none."


def test_two_servers_in_one_folder_are_refused(own_server: Callable[..., OwnServer]) -> None:
    one = own_server()
    one.start()
    command = [sys.executable, "-m", "workbench.local.serve", "--root", str(one.root)]
    done = subprocess.run(command, env=package_environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "already runs" in done.stderr


def test_the_jobs_server_has_no_hub(root: Path) -> None:
    found = ensure_server(root, hub=False)
    assert raw(found, "GET", "/api/models").status == 404
    assert raw(found, "GET", "/splits?dataset=a/b").status == 404
    assert len(raw(found, "GET", "/api/jobs/hardware", token=None).json()) == 26
