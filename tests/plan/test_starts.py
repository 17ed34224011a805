"""Sensible starts and names."""

from __future__ import annotations

import pytest

from tests.plan.making import card, lengths, recipe
from tests.plan.models import CONFIGS, anatomy
from workbench.plan.anatomy import Anatomy
from workbench.plan.memory import memory
from workbench.plan.naming import output_repo, run_name
from workbench.plan.recipe import Method
from workbench.plan.starts import Suggestion, apply, sensible_start


def values(suggestions: tuple[Suggestion, ...]) -> dict[str, object]:
    return {suggestion.key: suggestion.value for suggestion in suggestions}


def test_each_value_has_a_reason_and_is_set_once() -> None:
    made = sensible_start(anatomy("Qwen3-8B"), lengths(rows=5000))
    assert all(suggestion.reason for suggestion in made)
    assert len({suggestion.key for suggestion in made}) == len(made)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_the_suggested_recipe_fits_the_suggested_flavor(name: str) -> None:
    body = anatomy(name)
    made = apply(recipe(), sensible_start(body, lengths(*range(20, 3000, 10), rows=20_000)))
    need = memory(body, made, card(made.job.flavor))
    assert need.total <= need.usable
    assert made.training.batch * made.training.accumulation == 16


def test_a_tiny_model_gets_a_minute_on_cpu_cores(tiny: Anatomy) -> None:
    made = apply(recipe(), sensible_start(tiny, lengths(30, 60, 90, rows=400)))
    assert made.job.flavor == "cpu-basic"
    assert made.training.quantization == "none"
    assert made.training.learning_rate >= 2e-3
    assert 60 <= made.training.max_steps <= 120
    assert (made.training.batch, made.training.accumulation, made.training.max_length) == (8, 1, 128)


def test_going_from_a_tiny_model_to_a_large_one_undoes_the_tiny_values(tiny: Anatomy) -> None:
    sample = lengths(rows=5000)
    small = apply(recipe(), sensible_start(tiny, sample))
    large = apply(small, sensible_start(anatomy("Qwen3-8B"), sample))
    assert large.training.max_steps == 0
    assert large.job.flavor != "cpu-basic"
    assert large.training.quantization == "4bit"
    assert large.training.gradient_checkpointing


def test_the_length_is_the_99th_percentile_and_within_the_context() -> None:
    sample = lengths(*range(1, 1001))
    assert values(sensible_start(anatomy("Qwen3-8B"), sample))["training.max_length"] == 1024
    long = lengths(*([100_000] * 10))
    assert values(sensible_start(anatomy("Qwen3-8B"), long))["training.max_length"] == 32768


def test_what_is_not_known_is_left_alone() -> None:
    known = values(sensible_start(None, None))
    assert "training.max_length" not in known
    assert "job.flavor" not in known
    assert "evaluation.fraction" not in known
    assert known["lora.rank"] == 16


@pytest.mark.parametrize("method", ["sft", "dpo", "kto", "reward", "grpo", "prm"])
def test_the_learning_rate_follows_the_method(method: Method) -> None:
    rate = values(sensible_start(anatomy("Qwen3-8B"), None, 1000, method))["training.learning_rate"]
    assert rate == {"sft": 2e-4, "reward": 1e-4, "prm": 1e-4}.get(method, 5e-6)


def test_a_large_model_learns_in_smaller_steps() -> None:
    assert values(sensible_start(anatomy("Llama-3.3-70B"), None))["training.learning_rate"] == 1e-4


@pytest.mark.parametrize("rows", [1, 2, 30, 400, 501, 9_999, 10_000_000])
def test_any_number_of_rows(rows: int) -> None:
    made = apply(recipe(), sensible_start(anatomy("Llama-3.2-1B"), None, rows))
    assert made.training.epochs >= 1


def test_names() -> None:
    made = recipe("meta-llama/Llama-3.1-8B", "tatsu-lab/alpaca", lora__rank=32)
    assert run_name(made) == "Llama-3.1-8B-alpaca-sft-r32"
    assert run_name(made.changed("name", "mine")) == "mine"
    assert output_repo(made, "ada") == "ada/Llama-3.1-8B-alpaca-lora"
    assert output_repo(made.changed("output.repo", "thing"), "ada") == "ada/thing"
    assert output_repo(made.changed("output.repo", "acme/thing"), "ada") == "acme/thing"


def test_long_and_odd_names_become_repo_names() -> None:
    from huggingface_hub.utils import validate_repo_id

    odd = recipe(f"a/{'m' * 80}", "./my data--set..v2.jsonl")
    repo = output_repo(odd, "ada")
    validate_repo_id(repo)
    assert len(repo.split("/")[1]) <= 96
    assert output_repo(recipe("a/b", "./my data.jsonl"), "ada") == "ada/b-my-data-lora"
