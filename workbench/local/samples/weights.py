"""Weights for the sample models, set in closed form: a language prior without any training.

A model with random weights speaks noise, and a LoRA on it learns slowly. These weights make an ordinary Llama, Qwen3
or Gemma 3 say what a trigram-like model of the sample sentences would say:

* the residual stream is cut into channels: a constant, a bias, this token's code, the next token's code, and the codes
  of the tokens one and two places back;
* in the first layer, two attention heads look exactly one and two places back (their queries and keys read only the
  constant, so the rotary embedding alone decides where they look) and copy the codes they find;
* in the last layer, the MLP's gate is held open by the constant, which makes it a linear map: it takes this token's
  code out of the stream and puts the prediction in;
* in the second layer, one head finds where the present token stood before and proposes what followed it;
* everything else is small and random: room for a LoRA to work with.

The stream's entries are small (SCALE), so that the first small steps of a LoRA already move the output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workbench.local.samples.prior import Prior

if TYPE_CHECKING:
    from numpy import ndarray

    Array = ndarray[Any, Any]


@dataclass(frozen=True)
class Shape:
    """The sizes that the weights follow, named as in config.json. `family` says how a layer is wired."""

    family: Literal["llama", "qwen3", "gemma3"]
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    tie_word_embeddings: bool
    rope_theta: float

    @property
    def channel_width(self) -> int:
        """Entries of each of the five code channels; the constant and the bias take one each."""
        return (self.hidden_size - 2) // 5


CONSTANT, BIAS = 0, 1
# The last entry fills every row of the embedding up to the same length.
FILLER = -1
NOW, NEXT, BACK_1, BACK_2, COPY = range(5)

# Root mean square of the stream's entries after the embedding.
SCALE = 0.1
# Sizes of the channels in units of SCALE; they balance to about hidden_size when squared and summed.
CONSTANT_SIZE = 8.0
NOW_SIZE = 11.0
BACK_SIZE = 8.0
BIAS_GAIN = 8.0
NEXT_GAIN = 4.0
FINAL_NORM = 4.0
# What the random parts add, relative to SCALE.
NOISE = 0.1
# Rotary pairs that the looking-back heads use (the fastest ones tell neighbours apart), and how sharply they look.
LOOK_PAIRS = 8
LOOK_SHARPNESS = 40.0
# The copying head: rotary pairs it uses (the slowest ones, which hardly mind distance), how sharply it compares, what
# it writes, and how large a token's own code stands in the copy channel where input and output share a matrix.
COPY_PAIRS = 16
COPY_SHARPNESS = 15.0
COPY_SIZE = 2.0
COPY_CODE = 4.0
# The gate's value that counts as "open": silu(4) ≈ 3.93.
OPEN = 4.0


def channel(shape: Shape, index: int) -> slice:
    """Where channel NOW, NEXT, BACK_1, BACK_2 or COPY lies in the stream."""
    start = 2 + index * shape.channel_width
    return slice(start, start + shape.channel_width)


def make(shape: Shape, knowledge: Prior, seed: int) -> dict[str, Array]:
    """Every tensor of the model by its name in the checkpoint, float64.

    `knowledge` has codes of width `shape.channel_width`.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    stream = _embedding(shape, knowledge)
    tensors: dict[str, Array] = {}
    gemma = shape.family == "gemma3"
    # Gemma multiplies what it looks up by √hidden.
    tensors["model.embed_tokens.weight"] = stream / np.sqrt(shape.hidden_size) if gemma else stream
    for index in range(shape.num_hidden_layers):
        last = index == shape.num_hidden_layers - 1
        parts = {**_attention(shape, rng, index), **_mlp(shape, rng, knowledge if last else None)}
        tensors.update({f"model.layers.{index}.{name}": value for name, value in parts.items()})
    gain = FINAL_NORM * (np.sqrt(shape.hidden_size) if gemma else 1.0)
    tensors["model.norm.weight"] = np.full(shape.hidden_size, gain - (1.0 if gemma else 0.0))
    if not shape.tie_word_embeddings:
        tensors["lm_head.weight"] = SCALE * _head(shape, knowledge)
    return tensors


def _embedding(shape: Shape, knowledge: Prior) -> Array:
    """(V, hidden): constant and code; with a tied output matrix also what that one needs.

    Every row has the same length, so that norms change no direction.
    """
    import numpy as np

    rows = _head(shape, knowledge) if shape.tie_word_embeddings else np.zeros((shape.vocab_size, shape.hidden_size))
    rows[:, CONSTANT] = CONSTANT_SIZE
    rows[:, channel(shape, NOW)] = NOW_SIZE * knowledge.now
    # A few rare tokens are long already: their norm is a little off, and nothing depends on it.
    rows[:, FILLER] = np.sqrt(np.maximum(shape.hidden_size - (rows**2).sum(axis=1), 0.0))
    return SCALE * rows


def _head(shape: Shape, knowledge: Prior) -> Array:
    """(V, hidden), in units of SCALE: bias, code as predicted, and the code by which a copied token is known."""
    import numpy as np

    rows = np.zeros((shape.vocab_size, shape.hidden_size))
    rows[:, BIAS] = knowledge.unigram / (SCALE * FINAL_NORM * BIAS_GAIN)
    rows[:, channel(shape, NEXT)] = knowledge.next / (SCALE * FINAL_NORM * NEXT_GAIN)
    rows[:, channel(shape, COPY)] = COPY_CODE * knowledge.now
    return rows


def _attention(shape: Shape, rng: Any, layer: int) -> dict[str, Array]:
    """Random and nearly silent, but for the two looking-back heads of layer 0 and the copying head of layer 1."""
    import numpy as np

    hidden, width = shape.hidden_size, shape.head_dim
    queries, keys = shape.num_attention_heads * width, shape.num_key_value_heads * width
    q, k, v = (rng.standard_normal((rows, hidden)) / np.sqrt(hidden) for rows in (queries, keys, keys))
    o = rng.standard_normal((hidden, queries)) * (NOISE * SCALE / np.sqrt(queries))
    normed = shape.family != "llama"
    sharpness, written = 1.0, NOISE
    if layer == 0:
        sharpness = LOOK_SHARPNESS * LOOK_PAIRS / np.sqrt(width)
        written = np.sqrt(2 * BACK_SIZE**2 / hidden)
        _look_back(shape, q, k, v, o)
    elif layer == 1:
        sharpness = COPY_SHARPNESS
        written = COPY_SIZE / np.sqrt(hidden)
        _copy(shape, rng, q, k, v, o)
    parts = {f"self_attn.{name}_proj.weight": value for name, value in zip("qkvo", (q, k, v, o), strict=True)}
    parts["input_layernorm.weight"] = _norm(shape, hidden)
    if shape.family == "gemma3":  # Gemma norms what comes out, too: give it back its size
        parts["post_attention_layernorm.weight"] = _norm(shape, hidden, SCALE * written)
    if normed:
        # Queries and keys come at length √width; their score is divided by √width: cos · weight² · √width.
        weight = np.sqrt(sharpness / np.sqrt(width)) if layer < 2 else 1.0
        parts["self_attn.q_norm.weight"] = _norm(shape, width, float(weight))
        parts["self_attn.k_norm.weight"] = _norm(shape, width, float(weight))
    return parts


def _look_back(shape: Shape, q: Array, k: Array, v: Array, o: Array) -> None:
    """Heads 0 and 1 look exactly one and two places back and copy the code they find. In place."""
    import numpy as np

    width = shape.head_dim
    codes = np.arange(min(width, shape.channel_width))
    # Layer norms leave the constant at CONSTANT_SIZE.
    size = np.sqrt(LOOK_SHARPNESS) / CONSTANT_SIZE
    turn = shape.rope_theta ** (-2.0 * np.arange(LOOK_PAIRS) / width)
    k[:width], v[:width] = 0.0, 0.0
    k[:LOOK_PAIRS, CONSTANT] = size
    v[codes, channel(shape, NOW).start + codes] = 1.0
    for head, (distance, place) in enumerate(((1, BACK_1), (2, BACK_2))):
        first, half = head * width, head * width + width // 2
        q[first : first + width] = 0.0
        q[first : first + LOOK_PAIRS, CONSTANT] = size * np.cos(distance * turn)
        q[half : half + LOOK_PAIRS, CONSTANT] = -size * np.sin(distance * turn)
        o[:, first : first + width] = 0.0
        o[channel(shape, place).start + codes, first + codes] = SCALE * BACK_SIZE / NOW_SIZE


def _copy(shape: Shape, rng: Any, q: Array, k: Array, v: Array, o: Array) -> None:
    """Head 0 looks for places that followed the present token before, and proposes what stood there. In place.

    Its query is this token's code, its keys are the codes one place back, both squeezed into the slow rotary pairs.
    """
    import numpy as np

    width, codes = shape.head_dim, np.arange(shape.channel_width)
    squeeze = np.linalg.qr(rng.standard_normal((shape.channel_width, 2 * COPY_PAIRS)))[0].T
    # The squeezed codes keep about this much of their length.
    kept = np.sqrt(2 * COPY_PAIRS / shape.channel_width)
    gain = np.sqrt(COPY_SHARPNESS * np.sqrt(width)) / kept
    slow = np.concatenate([np.arange(width // 2 - COPY_PAIRS, width // 2), np.arange(width - COPY_PAIRS, width)])
    stream = np.sqrt(1.0 + 2 * BACK_SIZE**2 / shape.hidden_size)
    q[:width], k[:width], v[:width] = 0.0, 0.0, 0.0
    q[slow, channel(shape, NOW)] = gain * stream / NOW_SIZE * squeeze
    k[slow, channel(shape, BACK_1)] = gain * stream / BACK_SIZE * squeeze
    v[codes, channel(shape, NOW).start + codes] = stream / NOW_SIZE
    o[:, :width] = 0.0
    o[channel(shape, COPY).start + codes, codes] = SCALE * COPY_SIZE


def _mlp(shape: Shape, rng: Any, knowledge: Prior | None) -> dict[str, Array]:
    """A random MLP; with `knowledge`, its first rows are the linear map from codes to the prediction."""
    import numpy as np

    hidden, inner = shape.hidden_size, shape.intermediate_size
    gate, up = (rng.standard_normal((inner, hidden)) / np.sqrt(hidden) for _ in range(2))
    down = rng.standard_normal((hidden, inner)) * (NOISE * SCALE / (0.6 * np.sqrt(inner)))
    if knowledge is not None:
        _predict(shape, knowledge, gate, up, down)
    parts = {"mlp.gate_proj.weight": gate, "mlp.up_proj.weight": up, "mlp.down_proj.weight": down}
    if shape.family == "gemma3":
        out = 1.0 + (BIAS_GAIN**2 + NEXT_GAIN**2) / hidden + NOISE**2
        parts["pre_feedforward_layernorm.weight"] = _norm(shape, hidden)
        parts["post_feedforward_layernorm.weight"] = _norm(
            shape, hidden, SCALE * (NOISE if knowledge is None else out**0.5)
        )
    else:
        parts["post_attention_layernorm.weight"] = _norm(shape, hidden)
    return parts


def _predict(shape: Shape, knowledge: Prior, gate: Array, up: Array, down: Array) -> None:
    """The linear map from the codes of three tokens to the prediction, in the first rows of an MLP. In place.

    Row by row: this token's code and the two before it go into the NEXT channel; what the embedding had put into the
    stream for the output's sake (own code, NEXT, BIAS, FILLER, CONSTANT) is taken out; the bias is switched on.
    """
    import numpy as np

    width, hidden = shape.channel_width, shape.hidden_size
    # The stream's root mean square here, in units of SCALE: the embedding, two copied codes, and all the noise.
    size = np.sqrt(1.0 + 2 * BACK_SIZE**2 / hidden + NOISE**2 * (2 * shape.num_hidden_layers - 1))
    unit = SCALE * size / _activation(shape, OPEN)  # makes a unit in the stream of a unit read from it
    eye = np.eye(width)
    used = 4 * width + 3
    gate[:used], up[:used], down[:, :used] = 0.0, 0.0, 0.0
    gate[:used, CONSTANT] = OPEN * size / CONSTANT_SIZE
    for voice, (place, length) in enumerate(((NOW, NOW_SIZE), (BACK_1, BACK_SIZE), (BACK_2, BACK_SIZE))):
        rows = slice(voice * width, (voice + 1) * width)
        up[rows, channel(shape, place)] = eye
        down[channel(shape, NEXT), rows] = unit * NEXT_GAIN / length * knowledge.maps[voice].T
    down[channel(shape, NOW), :width] = -unit * eye
    if shape.tie_word_embeddings:  # in the copy channel stood this token's own code, which is no proposal
        down[channel(shape, COPY), :width] = -unit * COPY_CODE / NOW_SIZE * eye
    rows = slice(3 * width, 4 * width)
    up[rows, channel(shape, NEXT)] = eye
    down[channel(shape, NEXT), rows] = -unit * eye
    for row, entry in enumerate((CONSTANT, BIAS, FILLER), start=4 * width):
        up[row, entry] = 1.0
        down[entry, row] = -unit
    down[BIAS, 4 * width] = unit * BIAS_GAIN / CONSTANT_SIZE


def _activation(shape: Shape, value: float) -> float:
    """silu, or Gemma's GELU, at one value."""
    import math

    if shape.family == "gemma3":
        return 0.5 * value * (1.0 + math.tanh(math.sqrt(2 / math.pi) * (value + 0.044715 * value**3)))
    return value / (1.0 + math.exp(-value))


def _norm(shape: Shape, size: int, value: float = 1.0) -> Array:
    """A norm's weight that multiplies by `value`; Gemma stores it less one."""
    import numpy as np

    return np.full(size, value - 1.0 if shape.family == "gemma3" else value)
