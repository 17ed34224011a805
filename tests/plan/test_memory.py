"""The memory formula against published tables and reported peaks (training-stack §6)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plan.making import card, recipe
from tests.plan.models import anatomy
from workbench.plan.anatomy import Anatomy, anatomy_from
from workbench.plan.memory import memory
from workbench.plan.recipe import Quantization, Recipe

A100 = card("a100-large")


def usual(quantization: str, *, rank: int = 16, batch: int = 2, length: int = 2048) -> Recipe:
    return recipe(
        training__quantization=quantization, training__batch=batch, training__max_length=length, lora__rank=rank
    )


# r16, seven projections, batch 2, 2048 tokens, 8-bit AdamW, Unsloth's checkpointing; GiB in 4-bit and in 16-bit
TABLE = {
    "Llama-3.2-1B": (2.9, 4.1),
    "Llama-3.2-3B": (4.3, 7.9),
    "Qwen3-4B": (4.9, 9.5),
    "Llama-3.1-8B": (8.3, 17.3),
    "Qwen3-8B": (8.6, 17.5),
    "Qwen3-14B": (13.2, 30.1),
    "Qwen3-32B": (24.3, 64.3),
    "Llama-3.3-70B": (47.7, 135.4),
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("column", [0, 1], ids=["4bit", "bf16"])
def test_within_ten_percent_of_the_table(name: str, column: int) -> None:
    quantization = ("4bit", "none")[column]
    assert memory(anatomy(name), usual(quantization), A100).total == pytest.approx(TABLE[name][column], rel=0.10)


# Peaks that Unsloth's notebooks printed (they divide by 1024³), 4-bit, at their rank; batch 2, 2048 tokens.
PEAKS = [
    ("Llama-3.1-8B", 16, 7.9),
    ("Qwen3-14B", 16, 12.9),
    ("Gemma-2-9B", 16, 9.4),
    ("Mistral-Small-24B", 16, 18.1),
    ("Gemma-3-27B", 8, 25.8),
    ("Llama-3.3-70B", 16, 42.8),
]


@pytest.mark.parametrize(("name", "rank", "peak"), PEAKS)
def test_never_below_a_reported_peak_and_not_far_above(name: str, rank: int, peak: float) -> None:
    body = anatomy(name)
    if name == "Gemma-3-27B":  # the notebook loads the whole model, vision tower included
        body = replace(body, parameters=27_432_406_640)
    total = memory(body, usual("4bit", rank=rank), A100).total
    assert peak <= total <= 1.10 * peak


# Unsloth's context-length table: the longest row that fits a card of so many GB; 4-bit, rank 32, batch 1.
@pytest.mark.parametrize(
    ("name", "gigabytes", "tokens"),
    [
        ("Llama-3.1-8B", 8, 2_972),
        ("Llama-3.1-8B", 12, 21_848),
        ("Llama-3.1-8B", 16, 40_724),
        ("Llama-3.1-8B", 24, 78_475),
        ("Llama-3.1-8B", 40, 153_977),
        ("Llama-3.1-8B", 80, 342_733),
        ("Llama-3.3-70B", 48, 12_106),
        ("Llama-3.3-70B", 80, 89_389),
    ],
)
def test_long_contexts(name: str, gigabytes: int, tokens: int) -> None:
    body = replace(anatomy(name), max_positions=0)
    total = memory(body, usual("4bit", rank=32, batch=1, length=tokens), A100).total
    assert total == pytest.approx(gigabytes, rel=0.10)


def qwen(size: str) -> Anatomy:
    """The first Qwen models, which its README's profile was taken from."""
    hidden, layers, inner, heads = {
        "7B": (4096, 32, 11008, 32),
        "14B": (5120, 40, 13696, 40),
        "72B": (8192, 80, 24576, 64),
    }[size]
    return anatomy_from(
        {
            "model_type": "qwen2",
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "intermediate_size": inner,
            "num_attention_heads": heads,
            "vocab_size": 151936 if size == "7B" else 152064,
            "tie_word_embeddings": False,
        },
        None,
    )


# Plain training code on one A100, batch 1, rank 64: GB (10⁹ bytes) at 512, 2048 and 8192 tokens. The 4-bit rows are
# GPTQ, which is smaller than nf4, so only the 16-bit rows bound from above.
PLAIN = [
    ("7B", "none", (20.4, 23.8, 36.6)),
    ("14B", "none", (35.1, 37.4, 55.2)),
    ("7B", "4bit", (11.5, 13.9, 23.5)),
    ("14B", "4bit", (18.4, 19.9, 27.9)),
    ("72B", "4bit", (61.4, 64.1, 75.6)),
]


@pytest.mark.parametrize(("size", "quantization", "peaks"), PLAIN)
def test_plain_training_is_never_below_its_reported_peaks(
    size: str, quantization: str, peaks: tuple[float, float, float]
) -> None:
    for tokens, peak in zip((512, 2048, 8192), peaks, strict=True):
        wanted = usual(quantization, rank=64, batch=1, length=tokens).changed("training.optimizer", "adamw_torch")
        total = memory(qwen(size), wanted, A100, engine="trl").total * 1024**3 / 1e9
        assert total >= peak
        if quantization == "none":
            assert total <= 1.12 * peak


def test_the_parts_add_up() -> None:
    need = memory(anatomy("Qwen3-8B"), usual("4bit"), A100)
    parts = (need.weights, need.adapter, need.gradients, need.optimizer, need.activations, need.logits, need.context)
    assert sum(parts) == pytest.approx(need.total)
    assert need.largest == "weights"
    assert need.usable == A100.usable_gib


_NAMES = st.sampled_from(sorted(TABLE))
_BITS: st.SearchStrategy[Quantization] = st.sampled_from(["4bit", "8bit", "none"])


@given(_NAMES, _BITS, st.integers(1, 64), st.integers(8, 32768), st.integers(1, 256), st.booleans(), st.booleans())
def test_more_of_anything_never_needs_less(
    name: str, bits: str, batch: int, length: int, rank: int, checkpointing: bool, on_cpu: bool
) -> None:
    body = anatomy(name)
    place = card("cpu-xl") if on_cpu else A100

    def total(**changes: int) -> float:
        chosen = {"batch": batch, "length": length, "rank": rank} | changes
        made = usual(bits, **chosen).changed("training.gradient_checkpointing", checkpointing)
        return memory(body, made, place).total

    here = total()
    assert total(batch=batch + 1) > here
    assert total(rank=rank + 1) > here
    # A row cannot be longer than the model's context, so from there on it stays.
    assert total(length=length + 1) >= here


@given(_NAMES, st.integers(1, 8), st.integers(64, 8192))
def test_fewer_bits_and_checkpointing_need_less(name: str, batch: int, length: int) -> None:
    body = anatomy(name)
    four, eight, none = (
        memory(body, usual(bits, batch=batch, length=length), A100).total for bits in ("4bit", "8bit", "none")
    )
    assert four < eight < none
    kept = usual("4bit", batch=batch, length=length).changed("training.gradient_checkpointing", False)
    assert memory(body, kept, A100).total > four


def test_a_preference_method_needs_more_than_sft() -> None:
    body = anatomy("Llama-3.2-3B")
    plain = memory(body, usual("4bit"), A100)
    pairs = memory(body, usual("4bit").changed("method", "dpo"), A100)
    assert pairs.activations == pytest.approx(2 * plain.activations)
    assert pairs.logits > plain.logits


def test_without_a_gpu_nothing_is_quantised() -> None:
    body = anatomy("SmolLM2-135M")
    need = memory(body, usual("4bit"), card("cpu-basic"))
    assert need.weights == pytest.approx(4 * body.parameters / 1024**3)
    assert need == memory(body, usual("none"), card("cpu-basic"))
