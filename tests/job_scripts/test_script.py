"""`train.py` as a program: its header, what it imports, its help, its arguments, its event lines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from job_scripts import train
from workbench.plan.recipe import Recipe
from workbench.runs.events import Event, parse_event

SCRIPT = Path(train.__file__)
PINS = {
    "unsloth": "2026.10.7",
    "unsloth_zoo": "2026.10.7",
    "torch": "2.10.0",
    "torchvision": "0.25.0",
    "xformers": "0.0.35",
    "transformers": "5.17.0",
    "trl": "1.14.2",
    "peft": "0.21.2",
    "accelerate": "1.15.0",
    "datasets": "4.8.5",
    "bitsandbytes": "0.50.2",
    "huggingface_hub": "1.33.0",
    "trackio": "0.43.0",
}
REQUIRED = ["--model", "someone/model", "--dataset", "someone/data"]


def header() -> dict[str, Any]:
    found = re.search(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$", SCRIPT.read_text(encoding="utf-8"))
    assert found is not None
    return tomllib.loads("".join(line[2:] or "\n" for line in found["content"].splitlines(keepends=True)))


def test_the_header_pins_every_package_exactly() -> None:
    made = header()
    assert made["requires-python"] == ">=3.11,<3.14"
    assert made["dependencies"] == [f"{name}=={version}" for name, version in PINS.items()]


def test_the_header_is_read_by_the_hf_command() -> None:
    from huggingface_hub.cli._uv_script_header import parse_uv_script_header

    made = parse_uv_script_header(SCRIPT.read_text(encoding="utf-8"))
    assert made is not None
    assert (made.flavor, made.python, made.timeout, made.secrets) == ("a10g-small", "3.12", "2h", ["HF_TOKEN"])


def test_importing_needs_the_standard_library_alone() -> None:
    # -I -S: no site-packages at all, so an import of anything else would fail.
    code = f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r}); import train; print(train.encode.__name__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "encode"


def run(*arguments: str, stdin: str = "") -> tuple[int, list[Event]]:
    """The script without site-packages: whatever it does before the heavy imports must work like that."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), *arguments], capture_output=True, text=True, input=stdin
    )
    events = [event for line in done.stdout.splitlines() if (event := parse_event(line))]
    assert "Traceback" not in done.stderr
    return done.returncode, events


def test_help_says_everything_with_defaults() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), "--help"], capture_output=True, text=True, check=True
    )
    for setting in train.EVERY_SETTING.values():
        assert setting.flag in done.stdout
        if setting.flag and isinstance(setting.default, int | float) and not isinstance(setting.default, bool):
            assert f"{setting.default})" in done.stdout
    for word in ("--recipe", "--mapping", "--system", "--no-push", "--public", "HF_TOKEN", "exit codes"):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "model.id is missing"),
        (["--model", "a/b"], "dataset.id is missing"),
        ([*REQUIRED, "--rank", "0"], "lora.rank (--rank) must be from 1 to 1024"),
        ([*REQUIRED, "--rank", "eight"], "must be a whole number, not 'eight'"),
        ([*REQUIRED, "--rank", "1.5"], "must be a whole number"),
        ([*REQUIRED, "--learning-rate", "nan"], "training.learning_rate"),
        ([*REQUIRED, "--dropout", "1"], "to below 1"),
        ([*REQUIRED, "--quantization", "3bit"], "must be one of 4bit, 8bit, none"),
        ([*REQUIRED, "--scheduler", "x"], "training.scheduler"),
        ([*REQUIRED, "--method", "dpo"], "not available in this version"),
        ([*REQUIRED, "--patience", "2", "--eval-fraction", "0"], "evaluation.patience needs"),
        ([*REQUIRED, "--eval-split", "train"], "is the training split"),
        ([*REQUIRED, "--mapping", "{"], "is not JSON"),
        ([*REQUIRED, "--mapping", '{"shape": "x", "columns": {}}'], "shape must be one of"),
        ([*REQUIRED, "--mapping", '{"shape": "text", "columns": {"txt": "a"}}'], "no role 'txt'"),
        ([*REQUIRED, "--mapping", '{"shape": "text", "columns": {"text": "a"}, "sytem": ""}'], "no key 'sytem'"),
        ([*REQUIRED, "--learnig-rate", "1"], "unrecognized arguments: --learnig-rate"),
        (["--model", "no such thing", "--dataset", "a/b"], "must be a repo id (owner/name) or a path"),
        ([*REQUIRED, "--output-repo", "a/b/c"], "must be a repo id"),
        (["--recipe", "missing.json"], "cannot be read"),
    ],
)
def test_bad_arguments_fail_before_anything_heavy(arguments: list[str], said: str) -> None:
    code, events = run(*arguments)
    assert code == 2
    assert [event.kind for event in events] == ["failed"]
    assert said in events[0].fields["cause"]
    assert events[0].fields["mend"] and events[0].fields["kind"] == "arguments"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "not a table"),
        ('{"training": {"learnig_rate": 1}}', "training.learnig_rate: there is no such key"),
        ('{"modell": {}}', "modell: there is no such key"),
        ('{"model": "a/b"}', "model: there is no such key"),
        ('{"lora": {"rank": "16.5"}}', "lora.rank"),
        ('{"lora": {"rslora": "yes"}}', "lora.rslora (--rslora) must be true or false"),
        ('{"version": 2}', "version must be from 1 to 1"),
    ],
)
def test_bad_recipes_name_the_key(text: str, said: str) -> None:
    code, events = run("--recipe", "-", *REQUIRED, stdin=text)
    assert code == 2 and said in events[-1].fields["cause"]


def full_recipe(**changes: Any) -> dict[str, Any]:
    mapping = {"shape": "messages", "columns": {"messages": "messages"}}
    return {**Recipe(model={"id": "a/m"}, dataset={"id": "a/d"}, mapping=mapping).as_dict(), **changes}


def test_a_recipe_of_the_workbench_is_a_recipe_of_the_script() -> None:
    made = train.read_recipe(full_recipe(), {})
    assert made == full_recipe()


def test_the_defaults_are_the_recipes_own() -> None:
    own = Recipe(model={"id": "a/m"}, dataset={"id": "a/d"}).as_dict()
    made, options = train.read_arguments(["--model", "a/m", "--dataset", "a/d"])
    assert made == own
    assert options.push


def test_flags_win_over_the_recipe(tmp_path: Path) -> None:
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps(full_recipe(lora={"rank": 4})))
    made, options = train.read_arguments(
        [
            *("--recipe", str(file), "--rank", "64", "--targets", "q_proj, v_proj", "--no-push", "--public"),
            *("--packing", "--system", "Be brief.", "--no-gradient-checkpointing"),
        ]
    )
    assert made["lora"]["rank"] == 64 and made["lora"]["targets"] == ["q_proj", "v_proj"]
    assert made["lora"]["alpha"] == 32
    assert made["output"]["private"] is False and made["training"]["packing"] is True
    assert made["training"]["gradient_checkpointing"] is False
    assert made["mapping"]["system"] == "Be brief." and made["mapping"]["shape"] == "messages"
    assert not options.push


def test_event_lines_are_read_back(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_verysecret")
    train.emit("step", step=1, loss=float("nan"), lr=float("-inf"), note="a\u2028b hf_verysecret ::wb:: ü")
    line = capsys.readouterr().out
    assert len(line.splitlines()) == 1 and line.startswith("::wb:: ")
    event = parse_event(line.rstrip("\n"))
    assert event is not None and event.kind == "step"
    assert event.fields == {"step": 1, "loss": "nan", "lr": "-inf", "note": "a\u2028b hf_*** ::wb:: ü"}


class GatedRepoError(Exception):
    """Named like huggingface_hub's: exceptions are told apart by name."""


def test_known_failures_have_a_cause_and_a_mend() -> None:
    outer = OSError("you are trying to access a gated repo")
    outer.__cause__ = GatedRepoError("403")
    full = OSError(28, "No space left on device")
    for error, kind in (
        (outer, "gated"),
        (full, "disk"),
        (MemoryError(), "memory"),
        (RuntimeError("CUDA out of memory. Tried"), "memory"),
        (ConnectionError("refused"), "network"),
        (KeyError("x"), "error"),
    ):
        failure = train.explained(error, "the model a/m")
        assert failure.kind == kind and failure.cause and failure.mend


def test_targets_are_the_projections_the_model_has() -> None:
    import torch

    class Model(torch.nn.Module):
        def __init__(self, *names: str) -> None:
            super().__init__()
            for name in (*names, "lm_head"):
                self.add_module(name, torch.nn.Linear(2, 2))
            self.norm = torch.nn.LayerNorm(2)

        def get_output_embeddings(self) -> torch.nn.Module:
            return self.lm_head  # type: ignore[no-any-return]

    assert train.find_targets(Model("q_proj", "v_proj", "gate"), "all-linear") == ["q_proj", "v_proj"]
    assert train.find_targets(Model("query", "dense"), "all-linear") == ["dense", "query"]
    assert train.find_targets(Model("q_proj", "v_proj"), ["v_proj"]) == ["v_proj"]
    with pytest.raises(train.Failure, match="no module 'c_attn'") as caught:
        train.find_targets(Model("q_proj", "v_proj"), ["c_attn"])
    assert caught.value.mend == "It has q_proj, v_proj."


def test_rows_are_held_out_by_the_seed() -> None:
    examples = [train.Example(train.Encoded([index], [True], 1), "") for index in range(100)]
    recipe = train.read_recipe(full_recipe(), {"evaluation.fraction": "0.1"})
    kept, held = train.hold_out(examples, recipe)
    assert len(held) == 10 and len(kept) == 90 and {id(e) for e in kept}.isdisjoint({id(e) for e in held})
    assert train.hold_out(examples, recipe)[1] == held
    recipe["training"]["seed"] = 1
    assert train.hold_out(examples, recipe)[1] != held
    recipe["evaluation"]["max_rows"] = 3
    assert len(train.hold_out(examples, recipe)[1]) == 3
    recipe["evaluation"] |= {"fraction": 0.89, "max_rows": 0}
    assert len(train.hold_out(examples, recipe)[1]) == 50
    assert len(train.hold_out(examples[:2], recipe)[1]) == 1
    assert train.hold_out(examples[:1], recipe)[1] == []
