"""Parameter counts are exact, adapters are exact, and what is not known is marked."""

from __future__ import annotations

import pytest

from tests.plan.making import recipe
from tests.plan.models import CONFIGS, anatomy
from workbench.errors import HubError
from workbench.plan.anatomy import (
    PROJECTIONS,
    Anatomy,
    adapter_bytes,
    anatomy_from,
    lora_parameters,
    matched_targets,
)
from workbench.plan.guess import anatomy_of_size, size_in_name
from workbench.plan.recipe import Lora


@pytest.mark.parametrize("name", CONFIGS)
def test_config_alone_gives_the_published_parameter_count(name: str) -> None:
    assert anatomy(name).parameters == CONFIGS[name][1]
    assert anatomy(name).basis == "exact"


# training-stack §5: r = 16, the seven projections
@pytest.mark.parametrize(
    ("name", "trainable"),
    [
        ("Llama-3.1-8B", 41_943_040),
        ("Llama-3.2-1B", 11_272_192),
        ("Llama-3.2-3B", 24_313_856),
        ("Qwen3-8B", 43_646_976),
        ("Llama-3.3-70B", 207_093_760),
    ],
)
def test_trainable_parameters_at_rank_16(name: str, trainable: int) -> None:
    assert lora_parameters(anatomy(name), Lora(rank=16)) == trainable
    assert lora_parameters(anatomy(name), Lora(rank=16, targets=list(PROJECTIONS))) == trainable
    assert adapter_bytes(anatomy(name), Lora(rank=16)) == 4 * trainable


def _tensors(name: str) -> dict[str, tuple[tuple[int, ...], str]]:
    """The tensors of a Llama- or Qwen-like checkpoint, as its safetensors header lists them."""
    body = anatomy(name)
    made: dict[str, tuple[tuple[int, ...], str]] = {
        "model.embed_tokens.weight": ((body.vocab, body.hidden), "BF16"),
        "model.norm.weight": ((body.hidden,), "BF16"),
    }
    if not body.tied:
        made["lm_head.weight"] = ((body.vocab, body.hidden), "BF16")
    for layer in range(body.layers):
        at = f"model.layers.{layer}"
        made[f"{at}.input_layernorm.weight"] = ((body.hidden,), "BF16")
        made[f"{at}.post_attention_layernorm.weight"] = ((body.hidden,), "BF16")
        for suffix, inside, outside, _ in body.linear:
            part = "mlp" if suffix in ("gate_proj", "up_proj", "down_proj") else "self_attn"
            made[f"{at}.{part}.{suffix}.weight"] = ((outside, inside), "BF16")
    return made


@pytest.mark.parametrize("name", ["Llama-3.2-1B", "Llama-3.1-8B", "SmolLM2-135M"])
def test_headers_agree_with_the_config(name: str) -> None:
    config, parameters = CONFIGS[name]
    counted = anatomy_from(config, _tensors(name))
    assert counted.parameters == parameters
    assert sorted(counted.linear) == sorted(anatomy(name).linear)
    assert counted.dtype == "bfloat16"
    assert counted.file_bytes == 2 * parameters


def test_headers_win_where_the_family_is_unknown() -> None:
    config = {**CONFIGS["SmolLM2-135M"][0], "model_type": "novel", "intermediate_size": 7}
    assert anatomy_from(config, None).basis == "rule"
    counted = anatomy_from(config, _tensors("SmolLM2-135M"))
    assert counted.basis == "exact"
    assert counted.parameters == CONFIGS["SmolLM2-135M"][1]


def test_a_tied_head_stored_twice_counts_once() -> None:
    config, parameters = CONFIGS["SmolLM2-135M"]
    tensors = _tensors("SmolLM2-135M")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    assert anatomy_from(config, tensors).parameters == parameters


def test_a_packed_4bit_repo_is_counted_from_its_config() -> None:
    config, parameters = CONFIGS["Llama-3.2-1B"]
    config = {**config, "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    tensors = _tensors("Llama-3.2-1B")
    for name, (dims, _) in list(tensors.items()):
        if "proj" in name:
            tensors[name] = ((dims[0] * dims[1] // 2, 1), "U8")
            tensors[f"{name}.absmax"] = ((dims[0] * dims[1] // 64,), "U8")
    packed = anatomy_from(config, tensors)
    assert packed.parameters == parameters
    assert packed.prequantized == "4bit"
    assert lora_parameters(packed, Lora(rank=16)) == 11_272_192
    assert packed.file_bytes < parameters * 2


def test_a_vision_tower_counts_as_weights_but_takes_no_adapter() -> None:
    config, parameters = CONFIGS["SmolLM2-135M"]
    tensors = {f"language_model.{name}": value for name, value in _tensors("SmolLM2-135M").items()}
    tensors["vision_tower.encoder.layers.0.self_attn.q_proj.weight"] = ((64, 64), "BF16")
    nested = {"model_type": "gemma3", "text_config": config, "vision_config": {"hidden_size": 64}}
    seen = anatomy_from(nested, tensors)
    assert seen.parameters == parameters + 64 * 64
    assert lora_parameters(seen, Lora()) == lora_parameters(anatomy("SmolLM2-135M"), Lora())


def _mixture() -> Anatomy:
    return anatomy_from(
        {
            "model_type": "qwen3_moe",
            "hidden_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "intermediate_size": 256,
            "moe_intermediate_size": 32,
            "num_experts": 8,
            "num_experts_per_tok": 2,
            "vocab_size": 1000,
        },
        None,
    )


def test_a_mixture_of_experts() -> None:
    body = _mixture()
    hidden, inner, experts, layers, rank = 64, 32, 8, 2, 4
    assert body.experts == experts
    assert body.active_parameters < body.parameters
    attention = layers * rank * ((64 + 64) + 2 * (64 + 32) + (64 + 64))
    assert lora_parameters(body, Lora(rank=rank)) == attention
    # training-stack §5: E · [2r(H + 2F) + r(F + H)] a layer, plus attention
    named = lora_parameters(body, Lora(rank=rank, targets=list(PROJECTIONS)))
    per_layer = experts * (2 * rank * (hidden + 2 * inner) + rank * (inner + hidden))
    assert named == attention + layers * per_layer


def test_targets_are_checked_against_the_model() -> None:
    body = anatomy("Qwen3-8B")
    assert matched_targets(body, Lora()) == (PROJECTIONS, ())
    some = Lora(targets=["q_proj", "c_attn", "v_proj"])
    assert matched_targets(body, some) == (("q_proj", "v_proj"), ("c_attn",))
    assert lora_parameters(body, Lora(targets=["c_attn"])) == 0


def test_fused_projections_of_phi() -> None:
    body = anatomy_from(
        {
            "model_type": "phi3",
            "hidden_size": 3072,
            "num_hidden_layers": 32,
            "intermediate_size": 8192,
            "num_attention_heads": 32,
            "num_key_value_heads": 32,
            "vocab_size": 32064,
            "tie_word_embeddings": False,
        },
        None,
    )
    assert body.parameters == 3_821_079_552  # Phi-3-mini
    assert {name for name, *_ in body.linear} == {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", 8e9),
        ("HuggingFaceTB/SmolLM2-135M", 135e6),
        ("Qwen/Qwen2.5-0.5B", 0.5e9),
        ("openai-community/gpt2", None),
        ("microsoft/phi-4", None),
    ],
)
def test_the_size_a_name_tells(name: str, size: float | None) -> None:
    assert size_in_name(name) == size


@pytest.mark.parametrize("size", [500_000, 5_000_000, 135_000_000, 3_000_000_000, 70_000_000_000])
def test_a_body_of_a_given_size_is_marked_as_a_rule(size: int) -> None:
    body = anatomy_of_size("some/model", size)
    assert body.basis == "rule"
    assert body.parameters == size
    assert 0 < body.linear_parameters <= size
    assert lora_parameters(body, Lora()) > 0


@pytest.mark.parametrize("config", [{}, {"hidden_size": "wide"}, {"model_type": "vit", "hidden_size": 768}])
def test_a_config_that_says_too_little_is_refused_with_a_sentence(config: dict[str, object]) -> None:
    with pytest.raises(HubError, match="names no layers"):
        anatomy_from(config, None, model_id="some/model")


def test_a_rank_raises_the_count_in_proportion() -> None:
    body = anatomy("Qwen3-4B")
    for rank in (1, 8, 64):
        assert lora_parameters(body, Lora(rank=rank)) == rank * lora_parameters(body, Lora(rank=1))


def test_the_recipes_own_lora_is_taken() -> None:
    assert lora_parameters(anatomy("Llama-3.1-8B"), recipe(lora__rank=32).lora) == 83_886_080
