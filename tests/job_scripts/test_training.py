"""Real trainings on this CPU: the script as a process, against the local Hub, down to the adapter that loads back."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from job_scripts import train
from workbench.local.samples import ACCESSIBLE_MODEL, EASY_DATASET
from workbench.local.serve import LocalServer
from workbench.plan.recipe import Recipe
from workbench.runs.events import Event, parse_event

REPO = "demo/trained-by-the-tests"
STEPS = 40
GATED_MODEL = "sample-lab/tiny-gemma3-2M"
DIRTY_DATASET = "sample-lab/support-dump-dirty"
PACKAGES = ("torch", "trl", "peft", "accelerate", "bitsandbytes")


@pytest.fixture(scope="session", autouse=True)
def train_packages() -> None:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        pytest.fail(f"the train packages are missing ({', '.join(missing)}): pip install 'lora-workbench[train]'")


@dataclass(frozen=True)
class Run:
    code: int
    events: list[Event]
    stdout: str
    stderr: str
    folder: Path

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [dict(event.fields) for event in self.events if event.kind == kind]


def run(
    folder: Path,
    server: LocalServer,
    *arguments: str,
    recipe: dict[str, Any] | None = None,
    token: str = "",
    endpoint: str = "",
) -> Run:
    """The script in a process of its own, in `folder`, with the Hub of the tests."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint or server.url, "HF_TOKEN": token or server.token}
    if recipe is not None:
        (folder / "given.json").write_text(json.dumps(recipe))
        arguments = ("--recipe", "given.json", *arguments)
    done = subprocess.run(
        [sys.executable, train.__file__, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    events = [event for line in done.stdout.splitlines() if (event := parse_event(line))]
    return Run(done.returncode, events, done.stdout, done.stderr, folder)


def recipe(**sections: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "model": {"id": ACCESSIBLE_MODEL},
        "dataset": {"id": EASY_DATASET, "rows": 400},
        "mapping": {"shape": "messages", "columns": {"messages": "messages"}},
        "training": {"batch": 8, "accumulation": 1, "max_steps": STEPS, "learning_rate": 2e-3, "max_length": 128},
        "evaluation": {"fraction": 0.05, "every": 20},
        "output": {"repo": REPO},
    }
    merged = {key: {**usual.get(key, {}), **sections.get(key, {})} for key in {*usual, *sections}}
    return Recipe.model_validate(merged).as_dict()


@pytest.fixture(scope="session")
def trained(server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One training that the tests below share, pushed to the local Hub."""
    made = run(tmp_path_factory.mktemp("run"), server, recipe=recipe())
    assert made.code == 0, made.stdout[-2000:] + made.stderr[-4000:]
    return made


pytestmark = pytest.mark.training


def test_the_loss_falls(trained: Run) -> None:
    steps = trained.of("step")
    assert [step["step"] for step in steps] == list(range(1, STEPS + 1))
    losses = [step["loss"] for step in steps]
    assert sum(losses[-5:]) / 5 < 0.7 * sum(losses[:5]) / 5
    for step in steps:
        assert step["max_steps"] == STEPS and step["tokens"] > 0 and step["grad_norm"] > 0
        assert 0 <= step["lr"] <= 2e-3 and step["epoch"] > 0


def test_evals_and_samples_come_at_the_start_between_and_at_the_end(trained: Run) -> None:
    evals = trained.of("eval")
    assert [event["step"] for event in evals] == [0, 20, STEPS]
    assert evals[-1]["loss"] < evals[0]["loss"]
    samples = trained.of("sample")
    assert [(event["step"], event["index"]) for event in samples] == [(s, i) for s in (0, 20, STEPS) for i in range(3)]
    assert all(event["prompt"] for event in samples)
    assert [event["text"] for event in samples[:3]] != [event["text"] for event in samples[-3:]]


def test_the_events_tell_the_run_in_order(trained: Run) -> None:
    assert [event["name"] for event in trained.of("phase")] == ["download", "tokenize", "load", "train", "save", "push"]
    assert trained.events[-1].kind == "done"
    (environment,) = trained.of("environment")
    assert environment["engine"] == "trl" and environment["device"] == "cpu"
    assert environment["packages"]["trl"] and len(environment["model"].rpartition("@")[2]) == 40
    notices = " ".join(event["text"] for event in trained.of("notice"))
    assert "plain TRL + PEFT" in notices and "not quantised to 4bit" in notices and "q_proj" in notices
    (done,) = trained.of("done")
    assert done["repo"] == REPO and done["step"] == STEPS and done["eval_loss"] == trained.of("eval")[-1]["loss"]
    # Nothing else is printed that a reader would take for a metric: every number comes once.
    assert "{'loss'" not in trained.stdout and "it/s]" not in trained.stdout + trained.stderr


def test_the_pushed_repo_is_complete(trained: Run, server: LocalServer) -> None:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=server.url, token=server.token)
    (pushed,) = trained.of("pushed")
    assert pushed["url"] == f"{server.url}/{REPO}" and api.model_info(REPO).sha == pushed["commit"]
    files = api.list_repo_files(REPO)
    assert {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "recipe.json", "README.md"} <= {
        *files
    }
    card = Path(api.hf_hub_download(REPO, "README.md")).read_text(encoding="utf-8")
    for text in ("library_name: peft", f"base_model: {ACCESSIBLE_MODEL}", f"- {EASY_DATASET}", "| step | loss |"):
        assert text in card
    sealed = json.loads(Path(api.hf_hub_download(REPO, "recipe.json")).read_text(encoding="utf-8"))
    assert sealed["dataset"]["revision"] == api.dataset_info(EASY_DATASET).sha
    Recipe.model_validate(sealed)
    assert sealed["training"]["quantization"] == "4bit" and sealed["training"]["gradient_checkpointing"] is True


def test_the_adapter_loads_back_and_does_something(trained: Run, server: LocalServer) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = AutoModelForCausalLM.from_pretrained(ACCESSIBLE_MODEL, token=server.token)
    tokenizer = AutoTokenizer.from_pretrained(REPO, token=server.token)
    asked = [{"role": "user", "content": "How much is two plus three?"}]
    ids = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    with torch.no_grad():
        before = base(**ids).logits
        adapted = PeftModel.from_pretrained(base, REPO, token=server.token)
        after = adapted(**ids).logits
    numbers = [parameter for name, parameter in adapted.named_parameters() if "lora_B" in name]
    assert numbers and all(torch.isfinite(n).all() and n.abs().sum() > 0 for n in numbers)
    assert not torch.allclose(before, after)


@pytest.fixture(scope="session")
def folder_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file of prompts and completions, to train on without a Hub."""
    file = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    rows = [{"instruction": f"Add one to {n}", "input": "", "output": f"It is {n + 1}."} for n in range(24)]
    rows.append({"instruction": "Empty", "input": "", "output": ""})
    file.write_text("\n".join(json.dumps(row) for row in rows))
    return file


def short(rows: Path, *more: str) -> list[str]:
    flags = "--no-push --max-steps 3 --batch 4 --accumulation 1 --max-length 128 --eval-fraction 0.2 --samples 1"
    return ["--model", ACCESSIBLE_MODEL, "--dataset", str(rows), *flags.split(), *more]


@pytest.fixture(scope="session")
def by_hand(server: LocalServer, folder_rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = run(tmp_path_factory.mktemp("hand"), server, *short(folder_rows))
    assert made.code == 0, made.stdout[-2000:] + made.stderr[-4000:]
    return made


def test_by_hand_with_a_local_file_and_no_push(by_hand: Run) -> None:
    assert (by_hand.folder / "output" / "adapter_model.safetensors").is_file()
    assert not by_hand.of("pushed") and by_hand.of("done")[0]["repo"] == ""
    notices = " ".join(event["text"] for event in by_hand.of("notice"))
    assert '"{instruction}' in notices and "1 training rows are left out: 1 × the completion is empty" in notices


def test_the_same_recipe_and_seed_give_the_same_losses(
    by_hand: Run, server: LocalServer, folder_rows: Path, tmp_path: Path
) -> None:
    again = run(tmp_path, server, *short(folder_rows))
    for kind in ("step", "eval"):
        assert [e["loss"] for e in again.of(kind)] == [e["loss"] for e in by_hand.of(kind)]
    assert [e["text"] for e in again.of("sample")] == [e["text"] for e in by_hand.of("sample")]


def test_a_preview_shows_the_jobs_tokens(by_hand: Run, server: LocalServer, folder_rows: Path) -> None:
    """What `encode` says here is what the job counted there."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(ACCESSIBLE_MODEL, token=server.token)
    mapping = {"shape": "prompt_completion", "columns": {"prompt": "{instruction}\n\n{input}", "completion": "output"}}
    rows = [json.loads(line) for line in folder_rows.read_text().splitlines()][:24]
    encoded = [train.encode(train.to_training_row(row, mapping), tokenizer, max_length=128) for row in rows]
    tokens, targets = sum(e.kept for e in encoded), sum(sum(e.trained[: e.kept]) for e in encoded)
    assert any(f"{tokens} tokens, {targets} of them trained" in event["text"] for event in by_hand.of("notice"))


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"model": {"id": "sample-lab/no-such-model"}}, "not_found", "cannot find the model sample-lab/no-such-model"),
        ({"dataset": {"id": "sample-lab/no-such-data"}}, "not_found", "cannot find the dataset"),
        ({"model": {"id": GATED_MODEL}}, "gated", f"no access to the model {GATED_MODEL}"),
        ({"dataset": {"split": "trian"}}, "split", "has no split 'trian'"),
        ({"dataset": {"id": DIRTY_DATASET, "rows": 0}}, "data", ".jsonl, line "),
        ({"output": {"repo": "somebody-else/adapter"}}, "access", "somebody-else/adapter"),
    ],
)
def test_what_is_not_there_is_told_before_the_model_is_loaded(
    server: LocalServer, tmp_path: Path, changes: dict[str, Any], kind: str, said: str
) -> None:
    made = run(tmp_path, server, recipe=recipe(**changes))
    assert made.code == 1
    failed = made.of("failed")[0]
    assert failed["kind"] == kind and said in failed["cause"] and failed["mend"]
    assert "load" not in [event["name"] for event in made.of("phase")]


def test_no_token_and_no_server_are_told_at_once(server: LocalServer, tmp_path: Path) -> None:
    flags = ["--model", ACCESSIBLE_MODEL, "--dataset", EASY_DATASET]
    without = run(tmp_path, server, *flags, token=" ")
    assert without.code == 1 and without.of("failed")[0]["kind"] == "access"
    assert "HF_TOKEN is not set" in without.of("failed")[0]["cause"]
    with socket.socket() as nobody:  # bound, but it does not listen
        nobody.bind(("127.0.0.1", 0))
        away = run(tmp_path, server, *flags, endpoint=f"http://127.0.0.1:{nobody.getsockname()[1]}")
    assert away.code == 1 and away.of("failed")[0]["kind"] == "network"


def test_being_stopped_is_told(server: LocalServer, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": server.url, "HF_TOKEN": server.token}
    command = [sys.executable, train.__file__, "--model", ACCESSIBLE_MODEL, "--dataset", EASY_DATASET, "--no-push"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "phase" in process.stdout.readline()
        process.terminate()
        rest = process.stdout.read()
    last = parse_event(rest.splitlines()[-1])
    assert process.returncode == 1
    assert last is not None and last.kind == "failed" and last.fields["kind"] == "interrupted"


def test_a_broken_line_is_named(server: LocalServer, tmp_path: Path) -> None:
    file = tmp_path / "broken.jsonl"
    file.write_text('{"text": "one"}\n{"text": "two"}\n{"text": \n{"text": "four"}\n')
    made = run(tmp_path, server, *short(file))
    assert made.code == 1
    failed = made.of("failed")[0]
    assert failed["kind"] == "data" and "broken.jsonl, line 3" in failed["cause"]


def test_packing_keeps_rows_apart(server: LocalServer, folder_rows: Path, tmp_path: Path) -> None:
    """Packed or one by one, an epoch's first loss is the same when a row sees none of its neighbours."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import SFTConfig, SFTTrainer

    base = AutoModelForCausalLM.from_pretrained(ACCESSIBLE_MODEL, token=server.token, dtype=torch.float32)
    rows = {
        "input_ids": [[5, 6, 7, 8, 9], [10, 11, 12], [13, 14, 15, 16]],
        "labels": [[-100, 6, 7, 8, 9], [-100, -100, 12], [-100, 14, 15, 16]],
    }
    config = {"output_dir": str(tmp_path), "max_length": 16, "report_to": "none", "use_cpu": True, "bf16": False}
    losses = []
    for packing in (False, True):
        args = SFTConfig(**config, packing=packing, eval_packing=packing, per_device_eval_batch_size=3)
        data = Dataset.from_dict(rows)
        from tests.job_scripts.tiny_tokenizers import tokenizer

        trainer = SFTTrainer(
            base, args=args, train_dataset=data, eval_dataset=data, processing_class=tokenizer("llama")
        )
        losses.append(trainer.evaluate()["eval_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
