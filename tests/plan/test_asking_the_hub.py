"""Anatomy and pre-flight facts over real HTTP, from the sample Hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.plan.making import lengths, mapped, recipe
from workbench.errors import HubError, NotFoundError
from workbench.hub.catalog import DatasetQuery, ModelQuery, datasets, models
from workbench.hub.client import Hub
from workbench.plan.anatomy import fetch_anatomy, lora_parameters
from workbench.plan.frontier import frontier
from workbench.plan.hardware import bundled_flavors
from workbench.plan.preflight import gather, preflight
from workbench.plan.recipe import Lora
from workbench.plan.starts import apply, sensible_start
from workbench.settings import Settings


def _open_models(hub: Hub) -> list[str]:
    found = [item for item in models(hub, ModelQuery()).items if item.gated == "no"]
    assert found
    return [item.id for item in found]


def test_the_anatomy_of_every_open_sample_model_is_exact(hub: Hub) -> None:
    for record in models(hub, ModelQuery(author="sample-lab")).items:
        if record.gated != "no":
            continue
        body = fetch_anatomy(hub, record.id)
        assert body.basis == "exact"
        assert body.model_id == record.id
        assert body.parameters == record.parameters
        assert lora_parameters(body, Lora(rank=4)) > 0


def test_sharded_weights_are_counted_over_all_their_files(hub: Hub, tmp_path: Path) -> None:
    import numpy
    from safetensors.numpy import save_file

    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "intermediate_size": 16,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": 32,
        "tie_word_embeddings": True,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    weight_map = {}
    for layer in range(2):
        name = f"model-0000{layer + 1}-of-00002.safetensors"
        sizes = {"self_attn.q_proj": (8, 8), "self_attn.k_proj": (8, 8), "mlp.up_proj": (16, 8)}
        tensors = {f"model.layers.{layer}.{part}.weight": numpy.zeros(size, "float32") for part, size in sizes.items()}
        if layer == 0:
            tensors["model.embed_tokens.weight"] = numpy.zeros((32, 8), "float32")
        save_file(tensors, tmp_path / name)
        weight_map |= dict.fromkeys(tensors, name)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    repo = f"{hub.namespace()}/sharded"
    hub.api.create_repo(repo, exist_ok=True)
    hub.api.upload_folder(repo_id=repo, folder_path=tmp_path)

    body = fetch_anatomy(hub, repo)
    assert body.parameters == 32 * 8 + 2 * (64 + 64 + 128)
    assert body.dtype == "float32"
    assert body.file_bytes == 4 * body.parameters
    assert lora_parameters(body, Lora(rank=2)) == 2 * 2 * (16 + 16 + 24)


def test_what_is_no_model_gets_a_sentence(hub: Hub) -> None:
    with pytest.raises(NotFoundError, match="nobody/nothing"):
        fetch_anatomy(hub, "nobody/nothing")
    repo = f"{hub.namespace()}/no-config"
    hub.api.create_repo(repo, exist_ok=True)
    with pytest.raises(NotFoundError, match=r"no config\.json"):
        fetch_anatomy(hub, repo)
    hub.api.upload_file(path_or_fileobj=b"{ not json", path_in_repo="config.json", repo_id=repo)
    with pytest.raises(HubError, match="no JSON"):
        fetch_anatomy(hub, repo)
    hub.api.upload_file(path_or_fileobj=b'{"model_type": "vit"}', path_in_repo="config.json", repo_id=repo)
    with pytest.raises(HubError, match="names no layers"):
        fetch_anatomy(hub, repo)


def test_a_server_that_is_down_gets_a_sentence(tmp_path: Path) -> None:
    nowhere = Settings(endpoint="http://127.0.0.1:9", jobs_endpoint="http://127.0.0.1:9", token="t", jobs_token="t")
    with pytest.raises(HubError, match="cannot be reached"):
        fetch_anatomy(Hub(nowhere), "a/b")
    facts = gather(Hub(nowhere), recipe("a/b", "c/d"))
    assert set(facts.problems) >= {"model", "dataset"}
    checks = preflight(recipe("a/b", "c/d"), settings=nowhere, facts=facts)
    assert {check.key for check in checks if check.verdict == "fail"} >= {"model", "dataset"}


def test_the_first_recipe_of_the_demo_passes_every_check(hub: Hub) -> None:
    model = _open_models(hub)[0]
    dataset = next(item.id for item in datasets(hub, DatasetQuery()).items if item.gated == "no")
    body = fetch_anatomy(hub, model)
    sample = lengths(40, 60, 80, rows=400)
    made = mapped(apply(recipe(model, dataset), sensible_start(body, sample)))
    found = frontier(made, body, sample, bundled_flavors(), place="demo")
    facts = gather(hub, made)
    assert facts.problems == {}
    assert facts.output == "new"
    checks = preflight(
        made,
        settings=hub.settings,
        facts=facts,
        mapping_verdict="READY",
        estimate=found.row(made.job.flavor),
    )
    assert [check for check in checks if check.verdict != "ok"] == []


def test_a_gated_model_is_refused_before_it_costs_anything(hub: Hub) -> None:
    gated = next(item.id for item in models(hub, ModelQuery()).items if item.gated != "no")
    facts = gather(hub, recipe(gated, "c/d"))
    assert "gated" in facts.problems["model"].what
    assert facts.problems["model"].where == gated
    assert "not found" in facts.problems["dataset"].what


def test_a_push_target_that_exists_is_seen(hub: Hub) -> None:
    repo = f"{hub.namespace()}/kept-lora"
    hub.api.create_repo(repo, exist_ok=True)
    assert gather(hub, recipe("a/b", "c/d", output__repo="kept-lora")).output == "exists"


def test_a_dataset_on_this_machine_is_known_as_one(hub: Hub, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "a"}\n', encoding="utf-8")
    facts = gather(hub, recipe("a/b", str(file)))
    assert facts.local_dataset
    assert "dataset" not in facts.problems
    missing = gather(hub, recipe("a/b", str(tmp_path / "gone.jsonl")))
    assert "no such file" in missing.problems["dataset"].what
