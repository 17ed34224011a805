"""How much memory a training step needs, in parts, from a model's anatomy and a recipe. Pure arithmetic.

Each term has its source beside it. Two engines are known: "unsloth" (a GPU job: checkpoints offloaded to host memory,
loss computed in chunks) and "trl" (plain TRL + PEFT: checkpoints kept, full logits). The sum is checked against
published tables and against peaks that real runs reported (tests/plan/test_memory.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from workbench.plan.anatomy import Anatomy, lora_parameters
from workbench.plan.hardware import GIB, GpuFacts
from workbench.plan.recipe import Method, Quantization, Recipe

Engine = Literal["unsloth", "trl"]

# Bytes a weight inside the layers' matrices. nf4: half a byte and a float32 scale for each block of 64 (QLoRA paper
# §3); double quantisation would save 0.047 of it, which is left as room for the buffers a matrix is unpacked into.
# int8: one byte, a float32 scale a row, and the 16-bit outlier columns (LLM.int8 paper §3), about 5 % together.
_BYTES_QUANTIZED: dict[Quantization, float] = {"4bit": 0.5 + 4 / 64, "8bit": 1.05}
# PEFT keeps adapters in float32 (autocast_adapter_dtype), and so are their gradients.
_BYTES_ADAPTER = 4.0
_BYTES_GRADIENT = 4.0
# Adam's two moments: one byte each in 8 bit (plus block scales), four each otherwise. Paged states still have to be
# on the card while the step is taken.
_BYTES_OPTIMIZER = {"adamw_8bit": 2.1, "paged_adamw_8bit": 2.1, "adamw_torch": 8.0}
# What is there before the first tensor: CUDA context, cuBLAS workspaces, kernels' modules, the allocator's slack.
# Unsloth: the intercept of its context-length table (8B and 70B, rank 32, batch 1), less the terms above.
# Plain TRL: the intercept of the Qwen README's profile (7B, 14B, 72B on an A100), less the terms above.
_CONTEXT_GIB: dict[Engine, float] = {"unsloth": 1.2, "trl": 3.0}
# The interpreter with torch, transformers and trl imported, on a CPU (measured peak RSS of a tiny run: 560 MiB).
_CONTEXT_CPU_GIB = 0.6
# Parameters below which the job script keeps activations on a CPU instead of computing them twice.
_RECOMPUTED_ON_CPU = 500_000_000
# Tokens whose logits exist at once in the chunked loss, and bytes for each: 16-bit logits and a float32 copy.
_CHUNK_TOKENS = 512
_BYTES_CHUNK_LOGIT = 6.0
# Full logits: 16 bit, upcast to float32, and a float32 gradient.
_BYTES_FULL_LOGIT = 10.0
# Families whose loss Unsloth computes otherwise. Soft-capped logits (tanh) need one more float32 buffer; Gemma 3's
# reported peak (27B on an A100: 25.8 GB) is only met with the logits of the whole batch, 16 bit and float32.
_BYTES_CAPPED_LOGIT = 10.0
_SOFT_CAPPED = ("gemma2",)
_UNCHUNKED = ("gemma3",)
# Sequences that pass through the model together for each row of a batch.
_SEQUENCES: dict[Method, int] = {"sft": 1, "dpo": 2, "kto": 2, "reward": 2, "grpo": 1, "prm": 1}


@dataclass(frozen=True)
class MemoryParts:
    """GiB at the peak of a step, against what the card (or, without one, the machine) offers.

    Attributes:
        weights: the frozen model, quantised as the recipe says.
        adapter, gradients, optimizer: of the LoRA weights.
        activations: of the longest batch, with or without checkpointing.
        logits: the loss's buffers.
        context: what is there before the first tensor.
        total, usable: GiB needed and there.
    """

    weights: float
    adapter: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    context: float
    total: float
    usable: float

    @property
    def largest(self) -> str:
        """The name of the biggest part."""
        names = ("weights", "activations", "logits", "optimizer", "adapter", "gradients", "context")
        return max(names, key=lambda name: getattr(self, name))

    def against(self, usable: float) -> MemoryParts:
        """The same need on another card."""
        return replace(self, usable=usable)


class Load(NamedTuple):
    """The choices that memory depends on: a recipe's, cut down so that variants are cheap to try."""

    quantization: Quantization
    rank_parameters: int
    batch: int
    length: int
    checkpointing: bool
    optimizer: str
    sequences: int = 1


def load_of(anatomy: Anatomy, recipe: Recipe) -> Load:
    """What `recipe` asks of `anatomy`. A repo stored in 4 bit stays in 4 bit, whatever the recipe says."""
    training = recipe.training
    stored = anatomy.prequantized
    quantization: Quantization = training.quantization
    if stored:
        quantization = "8bit" if stored == "8bit" else "4bit"
    length = min(training.max_length, anatomy.max_positions) if anatomy.max_positions else training.max_length
    return Load(
        quantization,
        lora_parameters(anatomy, recipe.lora),
        training.batch,
        length,
        training.gradient_checkpointing,
        training.optimizer,
        _SEQUENCES[recipe.method],
    )


def without_gpu(anatomy: Anatomy, load: Load) -> Load:
    """The same as the job script runs it on CPU cores: not quantised, plain AdamW, nothing recomputed if small."""
    checkpointing = load.checkpointing and anatomy.parameters >= _RECOMPUTED_ON_CPU
    return load._replace(quantization="none", optimizer="adamw_torch", checkpointing=checkpointing)


def memory(anatomy: Anatomy, recipe: Recipe, gpu: GpuFacts, *, engine: Engine | None = None) -> MemoryParts:
    """The peak of one training step on one card; `engine` defaults to Unsloth on a GPU and plain TRL without one."""
    chosen: Engine = engine or ("unsloth" if gpu.model else "trl")
    load = load_of(anatomy, recipe)
    return parts(anatomy, load if gpu.model else without_gpu(anatomy, load), gpu, chosen)


def parts(anatomy: Anatomy, load: Load, gpu: GpuFacts, engine: Engine) -> MemoryParts:
    """The same from a `Load`."""
    on_cpu = not gpu.model
    # Without a GPU the script trains in float32; on one, in 16 bit.
    width = 4.0 if on_cpu else 2.0
    weights = weight_bytes(anatomy, load.quantization, width) / GIB
    trainable = load.rank_parameters / GIB
    adapter = trainable * _BYTES_ADAPTER
    gradients = trainable * _BYTES_GRADIENT
    optimizer = trainable * _BYTES_OPTIMIZER[load.optimizer]
    tokens = load.batch * load.length * load.sequences
    activations = tokens * activation_bytes(anatomy, load.checkpointing, engine) * (width / 2.0) / GIB
    logits = _logit_bytes(anatomy, tokens, load, engine) * anatomy.vocab / GIB
    context = _CONTEXT_CPU_GIB if on_cpu else _CONTEXT_GIB[engine]
    total = weights + adapter + gradients + optimizer + activations + logits + context
    return MemoryParts(weights, adapter, gradients, optimizer, activations, logits, context, total, gpu.usable_gib)


def _logit_bytes(anatomy: Anatomy, tokens: int, load: Load, engine: Engine) -> float:
    """Bytes of the loss's buffers for each entry of the vocabulary."""
    if engine == "trl" or load.sequences > 1:  # preference losses need the whole sequence's log-probabilities
        return tokens * _BYTES_FULL_LOGIT
    if anatomy.model_type.startswith(_UNCHUNKED):
        return tokens * _BYTES_CHUNK_LOGIT
    a_logit = _BYTES_CAPPED_LOGIT if anatomy.model_type.startswith(_SOFT_CAPPED) else _BYTES_CHUNK_LOGIT
    return min(tokens, _CHUNK_TOKENS) * a_logit


def weight_bytes(anatomy: Anatomy, quantization: Quantization, width: float = 2.0) -> float:
    """The frozen model in bytes. Embeddings, norms and the output head are never quantised."""
    if quantization == "none":
        return anatomy.parameters * width
    inside = anatomy.linear_parameters
    return inside * _BYTES_QUANTIZED[quantization] + (anatomy.parameters - inside) * width


def activation_bytes(anatomy: Anatomy, checkpointing: bool, engine: Engine) -> float:
    """Bytes a token needs in 16 bit, all layers together.

    One layer is recomputed and differentiated at a time: about 6 H + 2 Q + 3 K + 5.5 M values, with H the width, Q and
    K the widths of all query and key heads, M the MLP's. The factors are fitted to the slopes of Unsloth's published
    context-length table (QLoRA, 24 → 80 GB: 227 kB a token at 8B, 445 kB at 70B). Plain TRL has no fused norms and MLP:
    twice that (fitted to the Qwen README's profile), and its checkpoints, each layer's input, stay on the card.
    Without checkpointing every layer keeps what its backward pass needs.
    """
    query = anatomy.heads * anatomy.head_dim
    key = anatomy.kv_heads * anatomy.head_dim
    inner = anatomy.intermediate * max(1, anatomy.experts_per_token)
    live = (4.0 if engine == "trl" else 2.0) * (6 * anatomy.hidden + 2 * query + 3 * key + 5.5 * inner)
    if not checkpointing:
        return live + 2.0 * anatomy.layers * (4 * anatomy.hidden + 2 * query + 2 * key + 4 * inner)
    return live + (2.0 * anatomy.layers * anatomy.hidden if engine == "trl" else 0.0)
