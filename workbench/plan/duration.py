"""How long a run takes, as a range: start-up, training, evals, sample generations, push. Pure arithmetic.

Throughput follows tokens/s = efficiency · peak / FLOPs a token, plus the time to unpack 4-bit weights on every pass;
the efficiencies are fitted to published runs (training-stack §6), and the range covers those runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.plan.anatomy import Anatomy, adapter_bytes
from workbench.plan.hardware import GpuFacts
from workbench.plan.memory import Engine
from workbench.plan.recipe import Quantization, Recipe
from workbench.plan.steps import Work

Place = Literal["hub", "here", "demo"]
Range = tuple[float, float]

# (slow, fast): the share of a card's dense 16-bit peak that training reaches, counting 6 FLOPs a weight and token.
# A100: Unsloth's and HF's published Llama-2-7B runs and the Qwen README; H100: tuned packed runs at 4096 tokens; T4:
# Unsloth notebooks. The rest have no published run of this kind: wide ranges around the A100's.
_EFFICIENCY: dict[Engine, dict[str, Range]] = {
    "unsloth": {
        "A100": (0.36, 0.58),
        "H100": (0.35, 0.72),
        "H200": (0.35, 0.72),
        "T4": (0.11, 0.24),
        "A10G": (0.30, 0.58),
        "L4": (0.16, 0.38),
        "L40S": (0.25, 0.52),
        "RTX PRO 6000": (0.22, 0.50),
    },
    "trl": {"A100": (0.28, 0.60), "H100": (0.22, 0.50), "H200": (0.22, 0.50), "T4": (0.07, 0.20)},
}
_EFFICIENCY_OTHER: dict[Engine, Range] = {"unsloth": (0.15, 0.50), "trl": (0.12, 0.45)}
# Float32 on a CPU, as a share of 30 GFLOP/s a vCPU (measured on 2 vCPU, alone and shared: 6–60 a vCPU
# for 0.2 M to 117 M parameters).
_EFFICIENCY_CPU: Range = (0.20, 1.6)
# Weights unpacked a second, as a share of bandwidth ÷ 2.5 bytes moved a weight. Unsloth: the gap of its 16-bit and
# 4-bit Llama-2-7B runs (0.077 s a pass); plain: the same gap of HF's runs, and the Qwen README's intercepts.
_UNPACKING: dict[Engine, Range] = {"unsloth": (0.20, 0.34), "trl": (0.06, 0.15)}
_PASSES = 3  # forward, recomputed forward, backward
# int8 matrix products against 16-bit ones.
_INT8_SLOWDOWN: Range = (2.2, 1.3)
# Seconds a layer and pass that kernel launches (or a CPU's small operations) take, however small the matrices.
_LAUNCH: Range = (0.004, 0.0015)
_LAUNCH_CPU: Range = (0.080, 0.012)
# Seconds an optimiser step adds: the step itself, logging, the data loader.
_STEP: Range = (0.06, 0.01)
# Tokens of one sample generation: the job script stops at 48.
_SAMPLE_TOKENS: Range = (48.0, 24.0)

# Seconds before the first step, (slow, fast).
_BOOT: Range = (90.0, 15.0)  # pulling the image, starting
_INSTALL_GPU: Range = (300.0, 80.0)  # uv downloads and unpacks about 5 GB of wheels
_INSTALL_CPU: Range = (480.0, 100.0)
_IMPORT_GPU: Range = (100.0, 30.0)
_IMPORT_CPU: Range = (45.0, 12.0)  # measured 18–22 s for transformers, peft, trl on 2 cores
_DOWNLOAD: Range = (60e6, 500e6)  # bytes a second
_LOAD: Range = (0.25e9, 1.5e9)  # bytes a second from disk to the card, quantising on the way
_TOKENIZE: Range = (400.0, 4000.0)  # rows a second
_PUSH: Range = (25.0, 4.0)
_UPLOAD: Range = (8e6, 80e6)  # bytes a second


@dataclass(frozen=True)
class Duration:
    """Seconds as (low, high). `tokens_per_s` is the training throughput without padding, (low, high)."""

    startup: Range
    training: Range
    evals: Range
    push: Range
    total: Range
    tokens_per_s: Range

    @property
    def hours(self) -> Range:
        return self.total[0] / 3600.0, self.total[1] / 3600.0


def pass_seconds(
    anatomy: Anatomy,
    quantization: Quantization,
    gpu: GpuFacts,
    tokens: float,
    length: float,
    engine: Engine,
) -> Range:
    """Seconds (low, high) of one forward-backward pass over `tokens` tokens in rows of `length` tokens.

    FLOPs a token: 6 for each weight it meets (the backward pass needs no gradients of frozen weights, the recomputed
    forward pass takes their place) and 6 · layers · query width · length for causal attention.
    """
    flops = 6.0 * anatomy.active_parameters
    flops += 6.0 * anatomy.layers * anatomy.heads * anatomy.head_dim * length
    slow, fast = efficiency(gpu, engine)
    low = tokens * flops / (fast * gpu.peak_flops)
    high = tokens * flops / (slow * gpu.peak_flops)
    launch = _LAUNCH if gpu.model else _LAUNCH_CPU
    low, high = max(low, anatomy.layers * launch[1]), max(high, anatomy.layers * launch[0])
    if not gpu.model:  # nothing is quantised without a GPU
        return low, high
    if quantization == "4bit":
        weights = anatomy.linear_parameters * _PASSES * 2.5 / gpu.bandwidth
        unpack = _UNPACKING[engine]
        return low + weights / unpack[1], high + weights / unpack[0]
    if quantization == "8bit":
        return low * _INT8_SLOWDOWN[1], high * _INT8_SLOWDOWN[0]
    return low, high


def efficiency(gpu: GpuFacts, engine: Engine) -> Range:
    """(slow, fast) share of the peak."""
    if not gpu.model:
        return _EFFICIENCY_CPU
    return _EFFICIENCY[engine].get(gpu.model, _EFFICIENCY_OTHER[engine])


def duration(
    anatomy: Anatomy,
    recipe: Recipe,
    todo: Work,
    gpu: GpuFacts,
    *,
    quantization: Quantization | None = None,
    engine: Engine | None = None,
    place: Place = "hub",
    adapter: float | None = None,
) -> Duration:
    """The whole run on one card (or on the machine's cores, when the flavor has no GPU).

    `adapter` is the adapter's size in bytes, where the caller has it already.
    """
    chosen: Engine = engine or ("unsloth" if gpu.model else "trl")
    bits = quantization or recipe.training.quantization
    length = float(recipe.training.max_length) if recipe.training.packing else todo.row_tokens
    one = pass_seconds(anatomy, bits, gpu, todo.micro_tokens, length, chosen)
    training = (
        todo.micro_steps * one[0] + todo.steps * _STEP[1],
        todo.micro_steps * one[1] + todo.steps * _STEP[0],
    )
    real = recipe.training.batch * length
    tokens_per_s = (real / one[1], real / one[0]) if one[0] > 0 else (0.0, 0.0)
    startup = _startup(anatomy, todo, gpu, place)
    evals = _evals(anatomy, recipe, todo, gpu, one)
    size = adapter_bytes(anatomy, recipe.lora) if adapter is None else adapter
    push = (_PUSH[1] + size / _UPLOAD[1], _PUSH[0] + size / _UPLOAD[0])
    parts = (startup, training, evals, push)
    total = (sum(part[0] for part in parts), sum(part[1] for part in parts))
    return Duration(startup, training, evals, push, total, tokens_per_s)


def download_bytes(anatomy: Anatomy) -> float:
    """Bytes of the model's files: as the headers say, else by its type."""
    if anatomy.file_bytes:
        return float(anatomy.file_bytes)
    return anatomy.parameters * (4.0 if anatomy.dtype == "float32" else 2.0)


def _startup(anatomy: Anatomy, todo: Work, gpu: GpuFacts, place: Place) -> Range:
    """Until the first step. On this machine nothing is pulled; in the demo nothing is installed or downloaded."""
    size = download_bytes(anatomy)
    rows = float((todo.rows or 0) + todo.eval_rows)
    importing = _IMPORT_GPU if gpu.model else _IMPORT_CPU
    low = importing[1] + size / _LOAD[1] + rows / _TOKENIZE[1]
    high = importing[0] + size / _LOAD[0] + rows / _TOKENIZE[0]
    if place != "demo":
        low += size / _DOWNLOAD[1]
        high += 5.0 + size / _DOWNLOAD[0]
        install = _INSTALL_GPU if gpu.model else _INSTALL_CPU
        high += install[0]
        low += install[1] if place == "hub" else 0.0  # uv's cache may already hold everything
    if place == "hub":
        low, high = low + _BOOT[1], high + _BOOT[0]
    return low, high


def _evals(anatomy: Anatomy, recipe: Recipe, todo: Work, gpu: GpuFacts, one: Range) -> Range:
    """All evals (a forward pass is a third of a training pass) and the sample generations around them."""
    if not todo.steps:
        return 0.0, 0.0
    passes = todo.evals * todo.eval_rows / max(1, recipe.training.batch)
    low, high = passes * one[0] / 3.0, passes * one[1] / 3.0
    texts = recipe.evaluation.samples * (todo.evals + 1)
    if gpu.model:
        a_token = anatomy.active_parameters * 2.0 / gpu.bandwidth
        fast, slow = max(a_token, anatomy.layers * 0.0007), 3.0 * max(a_token, anatomy.layers * 0.0012)
    else:
        a_token = 2.0 * anatomy.active_parameters / gpu.peak_flops
        fast, slow = max(a_token, anatomy.layers * 0.0004), 3.0 * max(a_token, anatomy.layers * 0.002)
    return low + texts * _SAMPLE_TOKENS[1] * fast, high + texts * _SAMPLE_TOKENS[0] * slow
