"""The command line and the settings, as a shell sees them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.terminal.driver import BIN
from workbench import __version__
from workbench import settings as settings_module
from workbench.errors import WorkbenchError
from workbench.settings import PUBLIC_ENDPOINT, PUBLIC_VIEWER


def workbench(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / "workbench"), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
    )


def test_version_and_help() -> None:
    assert workbench("--version").stdout.strip() == __version__
    told = workbench("--help")
    assert told.returncode == 0
    assert "demo" in told.stdout
    assert "Traceback" not in told.stderr


def test_wrong_use_is_two() -> None:
    assert workbench("no-such-command").returncode == 2
    assert workbench("locate", "nothing").returncode == 2


def test_without_a_terminal_there_is_a_sentence_and_no_screen() -> None:
    for arguments in ((), ("--readonly",)):
        done = workbench(*arguments)
        assert done.returncode == 1
        assert "the screens need a terminal" in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def test_locate_prints_one_path(tmp_path: Path) -> None:
    done = workbench("locate", "config", WORKBENCH_CONFIG_DIR=str(tmp_path))
    assert done.stdout.strip() == str(tmp_path / "config.toml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("endpoint = ", "not valid TOML"),
        ("endpont = 'http://x'", "unknown setting 'endpont'"),
        ("cap_run_usd = 'lots'", "cap_run_usd must be a float"),
        ("readonly = 1", "readonly must be a bool"),
        ("compute = 'moon'", "compute is 'moon'"),
    ],
)
def test_a_wrong_settings_file_names_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    done = workbench(WORKBENCH_CONFIG_DIR=str(tmp_path))
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_flag_beats_environment_beats_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("HF_ENDPOINT")
    (tmp_path / "config.toml").write_text("endpoint = 'http://file:1/'\ncap_run_usd = 5\n")
    assert settings_module.load().endpoint == "http://file:1"
    assert settings_module.load().cap_run_usd == 5.0
    monkeypatch.setenv("HF_ENDPOINT", "http://environment:2")
    assert settings_module.load().endpoint == "http://environment:2"
    flagged = settings_module.load(endpoint="http://flag:3")
    assert flagged.endpoint == flagged.viewer == flagged.jobs_endpoint == "http://flag:3"


def test_the_public_hub_is_the_default_and_the_token_is_found_where_hf_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("HF_ENDPOINT")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    plain = settings_module.load()
    assert (plain.endpoint, plain.viewer, plain.token) == (PUBLIC_ENDPOINT, PUBLIC_VIEWER, None)
    (tmp_path / "token").write_text("hf_from_the_file\n")
    assert settings_module.load().token == "hf_from_the_file"
    monkeypatch.setenv("HF_TOKEN", "hf_from_the_environment")
    told = settings_module.load()
    assert told.token == "hf_from_the_environment"
    assert "hf_from" not in repr(told), "a token is never shown"


def test_compute_must_be_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_CONFIG_DIR", str(tmp_path))
    with pytest.raises(WorkbenchError, match="moon"):
        settings_module.load(compute="moon")
