"""Counts against the real thing: small models of each family, built by transformers and adapted by PEFT."""

from __future__ import annotations

from typing import Any

import pytest

from job_scripts.train import find_targets
from workbench.plan.anatomy import PROJECTIONS, anatomy_from, lora_parameters
from workbench.plan.recipe import Lora

# Families whose count comes from the config alone, and what their configs need beside the common sizes.
KNOWN: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {},
    "granite": {},
    "smollm3": {"pad_token_id": 0},
    "qwen2": {},
    "qwen3": {"head_dim": 32},
    "gemma": {"head_dim": 32},
    "gemma2": {"head_dim": 32},
    "gemma3_text": {"head_dim": 32},
    "phi3": {"pad_token_id": 0},
    "mixtral": {"num_local_experts": 4},
    "qwen3_moe": {"head_dim": 16, "moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2},
}
# Families that need the safetensors headers.
BY_HEADER: dict[str, dict[str, Any]] = {"olmo2": {}, "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4}}
COMMON = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "vocab_size": 200,
}


def _build(family: str) -> tuple[Any, dict[str, Any], dict[str, tuple[tuple[int, ...], str]]]:
    """(the model without memory behind it, its config, its tensors as a safetensors header lists them)."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    more = KNOWN.get(family) or BY_HEADER.get(family, {})
    common = {"vocab_size": 200} if family == "gpt2" else COMMON
    config = AutoConfig.for_model(family, **(common | more))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    model.tie_weights()
    tensors = {
        name: (tuple(tensor.shape), "F32")
        for name, tensor in model.state_dict().items()
        if not (name == "lm_head.weight" and config.tie_word_embeddings)
    }
    return model, config.to_dict(), tensors


def _trainable(model: Any, targets: list[str], rank: int) -> int:
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(model, LoraConfig(r=rank, target_modules=targets))
    return sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)


@pytest.mark.parametrize("family", [*KNOWN, *BY_HEADER])
def test_what_the_job_trains_is_what_the_plan_counts(family: str) -> None:
    model, config, tensors = _build(family)
    weights = sum(parameter.numel() for parameter in model.parameters())
    counted = anatomy_from(config, tensors)
    assert (counted.parameters, counted.basis) == (weights, "exact")
    told = anatomy_from(config, None)
    if family in KNOWN:
        assert (told.parameters, told.basis) == (weights, "exact")
        assert sorted(told.linear) == sorted(counted.linear) or told.experts
    else:
        assert told.basis == "rule"
    trainable = _trainable(model, find_targets(model, "all-linear"), rank=4)
    assert lora_parameters(counted, Lora(rank=4)) == trainable
    if family in KNOWN:
        assert lora_parameters(told, Lora(rank=4)) == trainable


def test_experts_that_are_named_are_adapted() -> None:
    model, config, tensors = _build("qwen3_moe")
    named = Lora(rank=4, targets=list(PROJECTIONS))
    trainable = _trainable(model, list(PROJECTIONS), rank=4)
    assert lora_parameters(anatomy_from(config, None), named) == trainable
    assert lora_parameters(anatomy_from(config, tensors), named) == trainable
