"""How the layers of known model families are built, read from `config.json` alone.

Used when a repo's safetensors headers are missing or quantised (a packed 4-bit tensor does not show its shape), and
to check them. A family that is not here is treated like Llama and marked a rule of thumb.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# (module suffix, in features, out features, how many in the whole model)
Linear = tuple[str, int, int, int]


@dataclass(frozen=True)
class Family:
    """What a family does differently from Llama.

    Attributes:
        norms: RMSNorm weights of hidden width a layer.
        qk_norm: RMSNorms over queries and keys, of head width.
        qkv_bias: biases on q, k, v (and not o), whatever the config says.
        tied: the default of `tie_word_embeddings` when the file leaves it out.
        fused: q, k, v in one matrix and gate, up in one.
    """

    norms: int = 2
    qk_norm: bool = False
    qkv_bias: bool = False
    tied: bool = False
    fused: bool = False


# Read from the model classes of transformers 5.
_FAMILIES: dict[str, Family] = {
    "llama": Family(),
    "mistral": Family(),
    "mixtral": Family(),
    "granite": Family(),
    "qwen2": Family(qkv_bias=True),
    "qwen3": Family(qk_norm=True),
    "qwen3_moe": Family(qk_norm=True),
    "gemma": Family(tied=True),
    "gemma2": Family(norms=4, tied=True),
    "gemma3_text": Family(norms=4, qk_norm=True, tied=True),
    "smollm3": Family(tied=True),
    "phi3": Family(fused=True),
}


@dataclass(frozen=True)
class Shape:
    """The text part of a model as its config describes it. Widths in features, `experts` 0 for dense models."""

    model_type: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool
    experts: int
    experts_per_token: int
    max_positions: int
    linear: tuple[Linear, ...]
    parameters: int
    known: bool


def shape_of(config: Mapping[str, Any]) -> Shape | None:
    """The shape a config describes; None when it does not even name a width, a depth and a vocabulary."""
    nested = config.get("text_config")
    text: Mapping[str, Any] = nested if isinstance(nested, Mapping) else config
    hidden = _number(text, "hidden_size", "n_embd", "d_model")
    layers = _number(text, "num_hidden_layers", "n_layer", "num_layers")
    vocab = _number(text, "vocab_size") or _number(config, "vocab_size")
    if not (hidden and layers and vocab):
        return None
    model_type = str(text.get("model_type") or config.get("model_type") or "")
    family = _FAMILIES.get(model_type)
    heads = _number(text, "num_attention_heads", "n_head") or max(1, hidden // 64)
    kv_heads = _number(text, "num_key_value_heads") or heads
    head_dim = _number(text, "head_dim") or hidden // heads
    experts = _number(text, "num_local_experts", "num_experts", "n_routed_experts")
    width = _number(text, "moe_intermediate_size") if experts else 0
    intermediate = width or _number(text, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden
    kind = family or Family()
    linear = _linear(kind, layers, hidden, intermediate, heads * head_dim, kv_heads * head_dim, experts)
    tied_word = text.get("tie_word_embeddings", config.get("tie_word_embeddings", kind.tied))
    tied = bool(tied_word)
    parameters = sum(inside * outside * count for _, inside, outside, count in linear)
    parameters += vocab * hidden * (1 if tied else 2) + hidden + layers * kind.norms * hidden
    parameters += layers * _small(kind, text, hidden, intermediate, heads * head_dim, kv_heads * head_dim, head_dim)
    return Shape(
        model_type=model_type,
        layers=layers,
        hidden=hidden,
        intermediate=intermediate,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocab=vocab,
        tied=tied,
        experts=experts,
        experts_per_token=_number(text, "num_experts_per_tok", "top_k_experts") if experts else 0,
        max_positions=_number(text, "max_position_embeddings", "n_positions"),
        linear=linear,
        parameters=parameters,
        # A text part inside a larger model leaves the vision tower uncounted.
        known=family is not None and not isinstance(nested, Mapping),
    )


def _linear(kind: Family, layers: int, hidden: int, inner: int, q: int, kv: int, experts: int) -> tuple[Linear, ...]:
    """Every matrix of the layers; q and kv are the widths of all query and all key heads together."""
    if kind.fused:
        attention: tuple[Linear, ...] = (("qkv_proj", hidden, q + 2 * kv, layers), ("o_proj", q, hidden, layers))
        mlp: tuple[Linear, ...] = (("gate_up_proj", hidden, 2 * inner, layers), ("down_proj", inner, hidden, layers))
        return attention + mlp
    attention = (
        ("q_proj", hidden, q, layers),
        ("k_proj", hidden, kv, layers),
        ("v_proj", hidden, kv, layers),
        ("o_proj", q, hidden, layers),
    )
    if experts:
        mlp = (
            ("experts.gate_up_proj", hidden, 2 * inner, layers * experts),
            ("experts.down_proj", inner, hidden, layers * experts),
            ("gate", hidden, experts, layers),
        )
    else:
        mlp = (
            ("gate_proj", hidden, inner, layers),
            ("up_proj", hidden, inner, layers),
            ("down_proj", inner, hidden, layers),
        )
    return attention + mlp


def _small(kind: Family, text: Mapping[str, Any], hidden: int, inner: int, q: int, kv: int, head_dim: int) -> int:
    """Biases and per-head norms of one layer."""
    count = 2 * head_dim if kind.qk_norm else 0
    if kind.qkv_bias or text.get("attention_bias"):
        count += q + 2 * kv
    if text.get("attention_bias") and not kind.qkv_bias:
        count += hidden
    if text.get("mlp_bias"):
        count += 2 * inner + hidden
    return count


def _number(data: Mapping[str, Any], *names: str) -> int:
    """The first of `names` that holds a positive whole number; 0 if none does."""
    for name in names:
        value = data.get(name)
        if isinstance(value, bool):
            continue
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and value > 0:
            return value
        if isinstance(value, list) and value and all(isinstance(item, int) for item in value):
            return int(max(value))  # some families give one value a layer
    return 0
