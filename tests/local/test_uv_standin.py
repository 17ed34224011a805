"""The `uv` a job finds first: when it runs the script itself, and when it hands over."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workbench.local import uv_standin

if TYPE_CHECKING:
    from huggingface_hub import HfApi


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("print('ran')")
    return "train.py"


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("run train.py", []),
        ("run train.py --rank 8 -m x", ["--rank", "8", "-m", "x"]),
        ("run --with trl --with=peft -p 3.12 -q train.py a", ["a"]),
        ("--quiet run --no-project --script train.py", []),
        ("run -- train.py --help", ["--help"]),
        ("--color never run --index-url x train.py", []),
    ],
)
def test_scripts_are_found_behind_options(script: str, words: str, arguments: list[str]) -> None:
    assert uv_standin.script_and_arguments(words.split()) == (script, arguments)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "run",
        "--version",
        "pip install x",
        "run -m trl",
        "run -",
        "run python train.py",
        "run none.py",
        "run https://x/train.py",
    ],
)
def test_everything_else_is_uvs(script: str, words: str) -> None:
    assert uv_standin.script_and_arguments(words.split()) is None


def _logs(api: HfApi, command: list[str], **more: str) -> list[str]:
    job = api.run_job(image="uv", command=command, namespace="demo", **more)
    api.wait_for_job(job_id=job.id, namespace="demo", timeout=120)
    return list(api.fetch_job_logs(job_id=job.id, namespace="demo"))


def test_a_cpu_job_runs_a_script_with_this_interpreter_and_says_so(api: HfApi) -> None:
    write = (
        "echo 'import sys, os; print(sys.executable, sys.argv[1:], os.getcwd())' > s.py && uv run --with trl s.py -x 1"
    )
    first, second = _logs(api, ["bash", "-c", write])
    assert first.startswith(f"workbench: running on this machine with Python {sys.version.split()[0]} (")
    assert "the train packages of this environment" in first
    assert second.startswith(f"{sys.executable} ['-x', '1']")


def test_other_uses_reach_the_real_uv(api: HfApi) -> None:
    (line,) = _logs(api, ["uv", "--version"])
    assert line.startswith("uv 0.")


def test_a_missing_package_means_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    assert uv_standin.missing_packages() == []
    monkeypatch.setattr(uv_standin, "TRAIN_PACKAGES", ("torch", "no_such_package_here"))
    assert uv_standin.missing_packages() == ["no_such_package_here"]
