"""The one-way arrows of the architecture, held by reading the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("workbench", "screens", "job_scripts")

# room → what of ours it may import (besides itself). Files at the top of workbench/ are listed by name.
BASE = {"workbench.errors", "workbench.settings", "workbench.assets", "workbench.__init__", "workbench"}
MAY = {
    "workbench.errors": set(),
    "workbench.settings": {"workbench.errors"},
    "workbench.assets": set(),
    "workbench.hub": BASE,
    "workbench.local": BASE,
    "workbench.data": BASE | {"workbench.hub", "job_scripts"},
    "workbench.plan": BASE | {"workbench.hub", "workbench.data"},
    "workbench.runs": BASE | {"workbench.hub", "workbench.plan", "job_scripts"},
    "workbench.session": BASE | {"workbench.hub", "workbench.data", "workbench.plan", "workbench.runs"},
    "workbench.cli": BASE | {"workbench.session", "workbench.local", "workbench.data", "screens", "workbench.commands"},
    "workbench.commands": BASE | {"workbench.session", "workbench.local", "workbench.cli"},
    "job_scripts": set(),
    "screens": {"workbench"},
}
# What must not be loaded before the first frame, or by importing the engine at all.
HEAVY = {"huggingface_hub", "transformers", "datasets", "torch", "plotext", "numpy", "pyarrow", "httpx2"}


def room(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "workbench" else parts[0]


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            if node.module == "workbench":
                found |= {f"workbench.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in (*PACKAGES, "textual")}


FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path: Path) -> None:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    mine = room(module)
    if module == "workbench.__init__":
        return
    allowed = MAY[mine]
    for name in imports(path):
        if name.split(".")[0] == "textual":
            assert mine == "screens", f"{module} imports {name}: only the screens know of a terminal"
        elif mine == "screens":
            assert room(name) in ("screens", "job_scripts") or name.split(".")[0] == "workbench"
            assert name not in ("workbench.local", "workbench.cli"), f"{module} imports {name}"
        else:
            target = room(name)
            version = name in ("workbench", "workbench.__version__")
            assert target == mine or version or target in allowed or name in allowed, f"{module} may not import {name}"


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_the_app_opens_without_heavy_imports() -> None:
    assert not loaded_by("import screens.app, workbench.cli") & (HEAVY | {"pydantic", "typer", "starlette"})


def test_the_engine_never_loads_textual() -> None:
    modules = ["workbench.session", "workbench.runs.ledger", "workbench.runs.follow", "workbench.plan.frontier"]
    loaded = loaded_by(f"import {', '.join(modules)}")
    assert not loaded & {"textual", "screens"}
    assert not loaded & HEAVY


def test_the_job_script_needs_the_standard_library_alone() -> None:
    before = loaded_by("pass")
    after = loaded_by("import job_scripts.train") - before
    assert after <= {"job_scripts"} | set(sys.stdlib_module_names), after - set(sys.stdlib_module_names)


def test_no_file_grows_beyond_reading() -> None:
    """A long file is about more than one thing; the job script is one file by design."""
    long = {
        str(path.relative_to(ROOT)): count
        for path in FILES
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 450 and path.parts[-2] != "job_scripts"
    }
    assert not long
