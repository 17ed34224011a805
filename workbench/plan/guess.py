"""A model of which only the size is known, or only the name: a stand-in anatomy, marked as a rule of thumb."""

from __future__ import annotations

import re
from dataclasses import replace

from workbench.plan.anatomy import Anatomy, anatomy_from

_SIZE_IN_NAME = re.compile(r"(?<![A-Za-z0-9.])(\d+(?:[._]\d+)?)\s*([bBmM])(?![A-Za-z0-9])")


def anatomy_of_size(model_id: str, parameters: int) -> Anatomy:
    """A rule of thumb for a model of which only the size is known: a Llama-like body of that many parameters.

    Width and depth follow the usual proportions (hidden ≈ 128 a layer, MLP 3.5 × hidden, a vocabulary of 128,000).
    """
    vocab = 128_000 if parameters > 300_000_000 else 32_000 if parameters > 30_000_000 else 1_000
    a_layer = 128 if parameters > 30_000_000 else 32  # features of width that go with each layer
    layers = 4
    while layers < 160:
        hidden = a_layer * layers
        if hidden * vocab * 2 + layers * (2.5 + 3 * 3.5) * hidden * hidden >= parameters:
            break
        layers += 2
    hidden, inner = a_layer * layers, 7 * a_layer * layers // 2
    heads = max(1, hidden // 128)
    config = {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "intermediate_size": inner,
        "num_attention_heads": heads,
        "num_key_value_heads": max(1, heads // 4),
        "vocab_size": vocab,
        "tie_word_embeddings": parameters < 4_000_000_000,
        "dtype": "bfloat16",
    }
    made = anatomy_from(config, None, model_id=model_id)
    # The count is what is known; the matrices are stretched to carry it.
    share = (parameters - vocab * hidden * (1 if made.tied else 2)) / max(1, made.linear_parameters)
    if share <= 0:
        share = 0.5 * parameters / max(1, made.linear_parameters)
    linear = tuple((name, i, max(1, round(o * share)), count) for name, i, o, count in made.linear)
    return replace(made, parameters=parameters, linear=linear, basis="rule")


def size_in_name(model_id: str) -> int | None:
    """The parameter count that a model's name tells ("Llama-3.1-8B" → 8·10⁹, "SmolLM2-135M"); None if none."""
    found = _SIZE_IN_NAME.findall(model_id.rsplit("/", 1)[-1])
    if not found:
        return None
    number, unit = found[0]
    return int(float(number.replace("_", ".")) * (1e9 if unit in "bB" else 1e6)) or None
