"""From a recipe to a job: what is sealed, sent, written down and refused."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub.test_jobs import scripted, wait_for_end
from tests.runs.making import new_run
from workbench.data.mapping import ColumnMapping
from workbench.errors import HubError, NotFoundError, RecipeError, WorkbenchError
from workbench.hub.client import Hub
from workbench.hub.jobs import JobSpec, cancel_job, inspect_job, list_hardware
from workbench.hub.records import Flavor
from workbench.plan.recipe import DatasetRef, Job, ModelRef, Recipe
from workbench.runs.follow import Follower
from workbench.runs.ledger import RUN_LABEL, Ledger
from workbench.runs.records import RunRecord
from workbench.runs.submit import (
    LARGEST_VARIABLE,
    build_job,
    hf_command_line,
    output_repo,
    reconcile,
    seal,
    start,
    submit,
)
from workbench.settings import Settings

TOKEN = "hf_" + "t" * 34
CPU = Flavor("cpu-basic", "CPU basic", "", 0, 0.0, 2, 16.0, 50.0, 0.01)
BIG = Flavor("h200x8", "8 H200", "H200", 8, 141.0, 176, 2000.0, 3000.0, 40.0)


def recipe(**changes: Any) -> Recipe:
    values: dict[str, Any] = {
        "model": ModelRef(id="sample-lab/tiny-llama-2M"),
        "dataset": DatasetRef(id="sample-lab/sums-in-words"),
        "mapping": ColumnMapping(shape="messages", columns={"messages": "messages"}),
        "job": Job(flavor="cpu-basic", timeout_minutes=30),
    }
    return Recipe(**{**values, **changes})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "ledger")
    yield made
    made.close()


def built(one: Recipe, **changes: Any) -> JobSpec:
    values: dict[str, Any] = {
        "job_name": "my run/1",
        "namespace": "alice",
        "settings": Settings(demo=True, endpoint="http://127.0.0.1:9"),
        "script_text": "print('hi')\n",
        "token": TOKEN,
    }
    return build_job(one, **{**values, **changes})


def test_the_job_carries_script_and_recipe_and_the_token_only_as_a_secret() -> None:
    one = recipe(name="ünï 🚀")
    spec = built(one)
    assert gzip.decompress(base64.b64decode(spec.env["WB_SCRIPT"])).decode() == "print('hi')\n"
    assert json.loads(gzip.decompress(base64.b64decode(spec.env["WB_RECIPE"]))) == one.as_dict()
    assert spec.secrets == {"HF_TOKEN": TOKEN}
    assert TOKEN not in json.dumps([spec.command, dict(spec.env), dict(spec.labels)]) + repr(spec)
    assert spec.timeout_seconds == 1800
    assert spec.labels == {
        "name": "my-run-1",
        "tool": "lora-workbench",
        "method": "sft",
        "model": "sample-lab-tiny-llama-2M",
        "dataset": "sample-lab-sums-in-words",
    }
    assert spec.env["HF_ENDPOINT"] == "http://127.0.0.1:9"
    assert "HF_ENDPOINT" not in built(one, settings=Settings()).env
    assert built(one, token=None).secrets == {}


def test_the_command_unpacks_both_and_runs_the_script(tmp_path: Path) -> None:
    """The very command, run by the very bash, with a `uv` that shows what it was given."""
    spec = built(recipe(), script_text="print('ä')")
    folder = tmp_path / "bin"
    folder.mkdir()
    uv = folder / "uv"
    uv.write_text('#!/bin/sh\necho "$@"; cat train.py; echo; cat recipe.json; echo; echo "left:$WB_SCRIPT"\n')
    uv.chmod(0o755)
    env = {**spec.env, "PATH": f"{folder}:/usr/bin:/bin"}
    said = subprocess.run(spec.command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[:2] == ["run train.py --recipe recipe.json", "print('ä')"]
    assert json.loads(said.splitlines()[2]) == recipe().as_dict()
    assert said.splitlines()[3] == "left:"


def test_what_does_not_fit_into_a_variable_is_refused() -> None:
    import random

    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=2 * LARGEST_VARIABLE))
    with pytest.raises(RecipeError, match="too large for a job"):
        built(recipe(mapping=ColumnMapping(shape="text", columns={"text": "text"}, system=noise)))


def test_the_real_script_fits(hub: Hub) -> None:
    from workbench.runs.submit import script

    assert len(built(recipe(), script_text=script()).env["WB_SCRIPT"]) < LARGEST_VARIABLE


def test_the_equal_command_line_holds_no_secret_and_is_one_the_client_understands(hub: Hub) -> None:
    line = hf_command_line(recipe(name="a b; rm -rf /"), namespace="alice")
    assert line == (
        "hf jobs uv run --flavor cpu-basic --timeout 30m --namespace alice --secrets HF_TOKEN "
        "--name a-b-rm--rf --label tool=lora-workbench train.py --recipe recipe.json"
    )
    hf = str(Path(sys.executable).with_name("hf"))
    options = subprocess.run([hf, "jobs", "uv", "run", "--help"], capture_output=True, text=True, check=True).stdout
    for option in re.findall(r"--[a-z]+", line.split(" train.py")[0]):
        assert option in options or option == "--rf"


@pytest.mark.parametrize(
    ("given", "expected"),
    [("", "alice/tiny-llama-2M-sums-in-words-lora"), ("mine", "alice/mine"), ("acme/theirs", "acme/theirs")],
)
def test_the_push_target_is_made_from_what_is_given(given: str, expected: str) -> None:
    assert output_repo(recipe().changed("output.repo", given), "alice") == expected


def test_sealing_leaves_nothing_open(hub: Hub) -> None:
    sealed = seal(recipe(), hub)
    assert re.fullmatch(r"[0-9a-f]{40}", sealed.model.revision)
    assert re.fullmatch(r"[0-9a-f]{40}", sealed.dataset.revision)
    assert sealed.job.namespace == hub.namespace()
    assert sealed.output.repo == f"{hub.namespace()}/tiny-llama-2M-sums-in-words-lora"
    assert sealed.name
    assert seal(sealed, hub) == sealed


def test_sealing_names_what_cannot_be_reached(hub: Hub) -> None:
    with pytest.raises(NotFoundError, match="sample-lab/nothing"):
        seal(recipe(model=ModelRef(id="sample-lab/nothing")), hub)
    with pytest.raises(NotFoundError, match="no such revision"):
        seal(recipe(dataset=DatasetRef(id="sample-lab/sums-in-words", revision="nope")), hub)


def test_submitting_writes_the_run_down_and_starts_the_job(hub: Hub, ledger: Ledger, settings: Settings) -> None:
    run = submit(hub, ledger, recipe(), flavors=list_hardware(hub), settings=settings)
    try:
        job = inspect_job(hub, run.job_id)
        assert job.labels[RUN_LABEL] == run.id
        assert job.timeout_seconds == 1800
        assert (run.place, run.endpoint, run.flavor, run.usd_per_hour) == (
            "demo",
            hub.settings.jobs_endpoint,
            "cpu-basic",
            0.01,
        )
        assert run.recipe is not None and Recipe.model_validate(run.recipe) == seal(recipe(), hub)
        assert len(run.script_sha256) == 64
        assert run.command_line.startswith("hf jobs uv run")
    finally:
        cancel_job(hub, run.job_id)
        wait_for_end(hub, run.job_id)


@pytest.mark.parametrize(
    ("flavor", "minutes", "settings", "said"),
    [
        (BIG, 60, Settings(cap_run_usd=20), r"60 min on h200x8 may cost \$40.00, the cap for a run is \$20.00"),
        (BIG, 60, Settings(cap_run_usd=20), "Set the timeout to 30 minutes"),
        (CPU, 60, Settings(readonly=True), "read-only"),
        (BIG, 60, Settings(cap_run_usd=0, cap_month_usd=50), r"\$30.00 of this month's \$50.00 are spent"),
        (CPU, 60, Settings(), "no flavor 'cpu-basic'"),
    ],
)
def test_what_the_settings_forbid_is_refused_before_anything_happens(
    flavor: Flavor, minutes: int, settings: Settings, said: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "spent_since", lambda _: 30.0)
    offered = [] if "no flavor" in said else [flavor]
    one = recipe(job=Job(flavor=flavor.name, timeout_minutes=minutes))
    unused = Hub(Settings(endpoint="http://127.0.0.1:9", jobs_endpoint="http://127.0.0.1:9"))
    with pytest.raises(WorkbenchError, match=said):
        submit(unused, ledger, one, flavors=offered, settings=settings)
    assert ledger.runs() == []


def test_a_cap_in_the_recipe_wins_and_no_cap_lets_all_through(ledger: Ledger) -> None:
    from workbench.runs.submit import check_allowed

    hour = recipe(job=Job(flavor="h200x8", timeout_minutes=60, cap_usd=40.0))
    check_allowed(hour, BIG, ledger, Settings(cap_run_usd=1.0))
    check_allowed(hour.changed("job.cap_usd", 0.0), BIG, ledger, Settings(cap_run_usd=0.0))
    with pytest.raises(WorkbenchError):
        check_allowed(hour.changed("job.cap_usd", 39.0), BIG, ledger, Settings(cap_run_usd=99.0))


SPEC = JobSpec("python:3.12", ("true",), "cpu-basic", "alice", timeout_seconds=60)


def prepared(ledger: Ledger, hub: Hub) -> RunRecord:
    return ledger.create(new_run(endpoint=hub.settings.jobs_endpoint))


def test_a_refusal_is_kept_with_its_reason(ledger: Ledger) -> None:
    with scripted(lambda *_: (402, {}, {"error": "pay"})) as hub:
        run = prepared(ledger, hub)
        with pytest.raises(HubError, match="no credits"):
            start(hub, ledger, run, SPEC)
    kept = ledger.run(run.id)
    assert kept.stage == "REFUSED"
    assert "no credits for paid compute in alice" in kept.message


def wire(run_id: str) -> dict[str, Any]:
    return {
        "id": "f" * 24,
        "status": {"stage": "RUNNING"},
        "owner": {"id": "1", "name": "alice", "type": "user"},
        "labels": {RUN_LABEL: run_id},
    }


def test_a_job_that_started_although_the_server_failed_is_found_and_not_started_twice(ledger: Ledger) -> None:
    posts: list[str] = []

    def script(method: str, path: str) -> tuple[int, dict[str, str], Any]:
        if method == "POST":
            posts.append(path)
            return 500, {}, {"error": "oops"}
        assert f"label={RUN_LABEL}%3D{run.id}" in path
        return 200, {}, [wire(run.id)]

    with scripted(script) as hub:
        run = prepared(ledger, hub)
        assert start(hub, ledger, run, SPEC).job_id == "f" * 24
    assert len(posts) == 1


def test_without_an_answer_the_run_waits_until_it_is_cleared_up(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[Any] = []

    def script(method: str, _: str) -> tuple[int, dict[str, str], Any]:
        return (502, {}, {}) if method == "POST" else (200, {}, known)

    with scripted(script) as hub:
        run = prepared(ledger, hub)
        with pytest.raises(HubError, match="not known yet"):
            start(hub, ledger, run, SPEC)
        assert ledger.run(run.id).stage == "PREPARED"
        assert reconcile(hub, ledger) == [], "too early to give up"
        known.append(wire(run.id))
        assert reconcile(hub, ledger) == [run.id]
        assert ledger.run(run.id).job_id == "f" * 24
        known.clear()
        lost = prepared(ledger, hub)
        monkeypatch.setattr("workbench.runs.submit.ANSWER_SECONDS", -1.0)
        assert reconcile(hub, ledger) == [lost.id]
        assert ledger.run(lost.id).stage == "REFUSED"


def test_a_server_that_is_not_there_refuses_at_once(ledger: Ledger) -> None:
    with scripted(lambda *_: (200, {}, {})) as hub:
        run = prepared(ledger, hub)
    with pytest.raises(HubError, match="cannot be reached"):
        start(hub, ledger, run, SPEC)
    assert ledger.run(run.id).stage == "REFUSED"


@pytest.mark.training
async def test_a_real_training_is_submitted_and_followed_to_its_adapter(
    hub: Hub, ledger: Ledger, settings: Settings
) -> None:
    one = recipe()
    for key, value in {
        "training.max_steps": 12,
        "training.quantization": "none",
        "training.optimizer": "adamw_torch",
        "training.max_length": 128,
        "training.batch": 4,
        "training.accumulation": 1,
        "training.learning_rate": 0.003,
        "evaluation.max_rows": 8,
        "evaluation.every": 6,
        "evaluation.samples": 1,
        "dataset.rows": 100,
        "lora.rank": 4,
    }.items():
        one = one.changed(key, value)
    run = submit(hub, ledger, one, flavors=list_hardware(hub), settings=settings)
    done = await Follower(hub, ledger).follow(run.id)
    last = "\n".join(line.text for line in ledger.lines(run.id, max(0, done.lines - 40), 40))
    assert done.stage == "COMPLETED", last
    losses = ledger.series(run.id, "loss")
    assert losses.step[-1] == 12
    assert losses.value[-1] < losses.value[0]
    assert {"loss", "eval/loss", "lr", "grad_norm"} <= set(ledger.metrics(run.id))
    assert done.pushed_repo == f"{hub.namespace()}/tiny-llama-2M-sums-in-words-lora"
    assert done.failure == ""
    assert ledger.samples(run.id)
    assert {"queue", "load", "train", "push"} <= {phase.name for phase in ledger.phases(run.id)}
    assert all(phase.end is not None for phase in ledger.phases(run.id))
    assert (settings.token or "") not in "\n".join(line.text for line in ledger.lines(run.id, 0, done.lines))
