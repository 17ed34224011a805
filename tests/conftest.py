"""What all tests share: a real local server with the sample Hub, and an environment that is nobody's own.

`huggingface_hub` reads HF_ENDPOINT when it is imported, so the address is fixed here, before any test module is
imported: a free port is chosen and remembered in the server's folder, where the server looks for its port.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings

if TYPE_CHECKING:
    from workbench.hub.client import Hub
    from workbench.local.serve import LocalServer
    from workbench.settings import Settings

# Machines that run tests are slow and shared: a property fails for what it finds, never for how long it took.
hypothesis_settings.register_profile("workbench", deadline=None)
hypothesis_settings.load_profile("workbench")

BASE = Path(tempfile.mkdtemp(prefix="workbench-tests-"))
ROOT = BASE / "server"


def _prepare() -> str:
    """Set the environment of this process (and of every process a test starts); returns the server's address."""
    for name in list(os.environ):
        if name.startswith(("HF_", "HUGGING_FACE_", "WORKBENCH_")):
            del os.environ[name]
    ROOT.mkdir(mode=0o700)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (ROOT / "port").write_text(str(port))
    url = f"http://127.0.0.1:{port}"
    os.environ |= {
        "HF_HOME": str(BASE / "hf-home"),
        "HF_ENDPOINT": url,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "WORKBENCH_CONFIG_DIR": str(BASE / "config"),
        "WORKBENCH_DATA_DIR": str(BASE / "data"),
        "WORKBENCH_CACHE_DIR": str(BASE / "cache"),
    }
    return url


URL = _prepare()


@pytest.fixture(scope="session")
def server() -> Iterator[LocalServer]:
    """A running local server with the sample Hub (a process of its own); its address is HF_ENDPOINT."""
    from workbench.local.serve import ensure_server, stop_server

    found = ensure_server(ROOT, hub=True, timeout=180)
    assert found.url == URL, "another process took the port chosen for the tests"
    yield found
    _cancel_jobs(found)
    stop_server(ROOT)


def _cancel_jobs(server: LocalServer) -> None:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=server.url, token=server.token)
    for job in api.list_jobs(namespace="demo", status=["RUNNING", "SCHEDULING"]):
        api.cancel_job(job_id=job.id, namespace="demo")
        api.wait_for_job(job_id=job.id, namespace="demo", timeout=30)


@pytest.fixture
def settings(server: LocalServer, tmp_path: Path) -> Settings:
    """Settings of a demo that talks to `server`, with folders of this test's own."""
    from workbench.settings import Settings

    return Settings(
        endpoint=server.url,
        token=server.token,
        jobs_endpoint=server.url,
        jobs_token=server.token,
        viewer=server.url,
        demo=True,
        config_dir=tmp_path / "config",
        data_dir=tmp_path / "data",
        cache_dir=tmp_path / "cache",
    )


@pytest.fixture
def hub(settings: Settings) -> Hub:
    from workbench.hub.client import Hub

    return Hub(settings)


def pytest_unconfigure() -> None:
    shutil.rmtree(BASE, ignore_errors=True)
