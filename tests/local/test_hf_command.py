"""The real `hf` command against the local server, as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workbench.local.serve import LocalServer

HF = str(Path(sys.executable).with_name("hf"))


@pytest.fixture
def hf(server: LocalServer, tmp_path: Path) -> Any:
    def call(*words: str) -> str:
        env = {**os.environ, "HF_TOKEN": server.token, "HF_ENDPOINT": server.url, "NO_COLOR": "1", "COLUMNS": "200"}
        done = subprocess.run([HF, *words], env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


def _id(text: str) -> str:
    """The 24 hex digits of a job in what `hf` printed."""
    import re

    found = re.search(r"\b[0-9a-f]{24}\b", text)
    assert found, text
    return found[0]


def test_run_ps_logs_inspect(hf: Any) -> None:
    job = _id(hf("jobs", "run", "--detach", "--env", "A=7", "python:3.12", sys.executable, "-c", "print('seven', 7)"))
    hf("jobs", "wait", job)
    assert hf("jobs", "logs", job).strip() == "seven 7"
    shown = json.loads(hf("jobs", "inspect", job, "--json"))
    assert shown[0]["id"] == job
    assert shown[0]["status"]["stage"] == "COMPLETED"
    assert job in hf("jobs", "ps", "-a")


def test_run_in_the_foreground_prints_the_log(hf: Any) -> None:
    assert "from the job" in hf("jobs", "run", "python:3.12", sys.executable, "-c", "print('from the job')")


def test_cancel(hf: Any) -> None:
    job = _id(hf("jobs", "run", "--detach", "python:3.12", sys.executable, "-c", "import time; time.sleep(600)"))
    assert job in hf("jobs", "ps")
    hf("jobs", "cancel", job)
    from tests.local.conftest import wait_until

    wait_until(
        lambda: json.loads(hf("jobs", "inspect", job, "--json"))[0]["status"]["stage"] == "CANCELED", "the cancel"
    )


def test_hardware(hf: Any) -> None:
    text = hf("jobs", "hardware")
    assert "a10g-small" in text
    assert "cpu-basic" in text


def test_upload_and_download(hf: Any, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "a.txt").write_text("alpha")
    (folder / "big.bin").write_bytes(os.urandom(2_000_000))
    hf("repos", "create", "demo/from-hf", "--exist-ok")
    hf("upload", "demo/from-hf", str(folder), ".")
    hf("download", "demo/from-hf", "--local-dir", str(tmp_path / "back"))
    assert (tmp_path / "back" / "big.bin").read_bytes() == (folder / "big.bin").read_bytes()
    assert "demo" in hf("auth", "whoami")
