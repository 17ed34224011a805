"""The anatomy of a model from `config.json` and the safetensors headers: a few kB by range requests, no weights.

Parameter counts, the matrices a LoRA adapter can be put on, and every width the memory formula needs. Where a header
or a family is unknown, the anatomy says so: `basis` is then "rule".
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from workbench.errors import HubError, NotFoundError
from workbench.hub.client import Hub, hub_errors
from workbench.plan.families import Linear, Shape, shape_of
from workbench.plan.recipe import Lora

# name → (shape, dtype as safetensors writes it)
Tensors = Mapping[str, tuple[Sequence[int], str]]

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks?)\.\d+\.")
_EXPERT = re.compile(r"\.experts\.\d+\.")
# Towers that read pictures or sound: they count as weights, but no adapter is put on them.
_TOWER = re.compile(r"vision|visual|audio|image|multi_modal|mm_projector")
_NO_WEIGHT = re.compile(
    r"inv_freq$|position_ids$|masked_bias$|\.absmax$|quant_map$|quant_state|\.SCB$|\.weight_format$"
)
# Tensor types that hold several weights a byte or are codes, not weights.
_PACKED = frozenset({"U8", "I8", "I32", "I64", "F4", "F6"})


@dataclass(frozen=True)
class Anatomy:
    """What a model is made of.

    Attributes:
        linear: (module suffix, in features, out features, how many) for every matrix inside the layers.
        intermediate: width of the MLP, of one expert in a mixture.
        heads, kv_heads, head_dim: attention; `heads * head_dim` may differ from `hidden`.
        tied: input and output embeddings are one tensor.
        experts: experts a layer, 0 for dense models; `experts_per_token` of them are active.
        dtype: of the stored weights ("bfloat16", …); `prequantized` names a quantisation they are stored in.
        parameters: weights in the whole model, tied ones once.
        max_positions: tokens of context, 0 if unknown.
        file_bytes: size of the safetensors files, 0 if unknown.
        basis: "exact" if counted, "rule" if an unknown family was treated like Llama.
    """

    model_id: str
    revision: str
    architecture: str
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
    dtype: str
    parameters: int
    linear: tuple[Linear, ...]
    max_positions: int
    basis: Literal["exact", "rule"]
    experts_per_token: int = 0
    prequantized: str = ""
    file_bytes: int = 0

    @cached_property
    def linear_parameters(self) -> int:
        """Weights in the layers' matrices: what 4-bit quantisation shrinks."""
        return sum(inside * outside * count for _, inside, outside, count in self.linear)

    @cached_property
    def active_parameters(self) -> int:
        """Weights one token passes through: all of a dense model's, the chosen experts' of a mixture."""
        if not (self.experts and self.experts_per_token):
            return self.parameters
        expert = sum(i * o * count for name, i, o, count in self.linear if name.startswith("experts."))
        return self.parameters - expert + expert * self.experts_per_token // self.experts


def anatomy_from(
    config: Mapping[str, Any], tensors: Tensors | None, *, model_id: str = "", revision: str = "main"
) -> Anatomy:
    """The anatomy that config and headers describe. Pure.

    Shapes come from the tensors where they are plain; from the config's family where they are packed or missing.

    Raises:
        HubError: the config does not even name a width, a depth and a vocabulary.
    """
    shape = shape_of(config)
    if shape is None:
        raise HubError(
            "its config.json names no layers, width and vocabulary", where=model_id, mend="Pick a language model."
        )
    architectures = config.get("architectures")
    quantized = _quantization(config)
    base = Anatomy(
        model_id=model_id,
        revision=revision,
        architecture=str(architectures[0]) if isinstance(architectures, list) and architectures else "",
        model_type=shape.model_type,
        layers=shape.layers,
        hidden=shape.hidden,
        intermediate=shape.intermediate,
        heads=shape.heads,
        kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        vocab=shape.vocab,
        tied=shape.tied,
        experts=shape.experts,
        dtype=_dtype(config),
        parameters=shape.parameters,
        linear=shape.linear,
        max_positions=shape.max_positions,
        basis="exact" if shape.known else "rule",
        experts_per_token=shape.experts_per_token,
        prequantized=quantized,
    )
    if not tensors:
        return base
    return _with_tensors(base, shape, tensors)


def _with_tensors(base: Anatomy, shape: Shape, tensors: Tensors) -> Anatomy:
    """`base` with what the headers prove: sizes, and – unless packed – counts and matrices."""
    stored = sum(_numel(dims) * _WIDTH.get(dtype, 2) for dims, dtype in tensors.values())
    kinds = Counter[str]()
    for name, (dims, dtype) in tensors.items():
        if len(dims) >= 2 and not _NO_WEIGHT.search(name):
            kinds[dtype] += _numel(dims)
    packed = sum(count for dtype, count in kinds.items() if dtype in _PACKED) > 0
    if packed or base.prequantized:
        return replace(base, file_bytes=stored, prequantized=base.prequantized or "packed")
    weights = {name: dims for name, (dims, _) in tensors.items() if not _NO_WEIGHT.search(name)}
    heads = [name for name in weights if name.endswith("lm_head.weight")]
    has_embedding = any(name.endswith(("embed_tokens.weight", "wte.weight")) for name in weights)
    # Some repos store the tied output embedding a second time; it is one tensor once loaded.
    twice = _numel(weights[heads[0]]) if base.tied and heads and has_embedding else 0
    linear = _linear_of(weights)
    common = kinds.most_common(1)
    return replace(
        base,
        dtype=_DTYPE_NAMES.get(common[0][0], base.dtype) if common else base.dtype,
        parameters=sum(_numel(dims) for dims in weights.values()) - twice,
        linear=linear or shape.linear,
        basis="exact" if linear else "rule",
        file_bytes=stored,
    )


def _linear_of(weights: Mapping[str, Sequence[int]]) -> tuple[Linear, ...]:
    """The matrices of the layers, grouped by module suffix and size."""
    groups: Counter[tuple[str, int, int]] = Counter()
    for name, dims in weights.items():
        if not _LAYER.search(name) or _TOWER.search(name):
            continue
        parts = name.split(".")
        if len(dims) == 3 and ".experts." in name:  # fused experts: experts × (in, out), in either order
            groups[(f"experts.{parts[-1]}", int(dims[1]), int(dims[2]))] += int(dims[0])
        elif len(dims) == 2 and parts[-1] == "weight" and "norm" not in parts[-2]:
            suffix = f"experts.{parts[-2]}" if _EXPERT.search(name) else parts[-2]
            groups[(suffix, int(dims[1]), int(dims[0]))] += 1
    return tuple((suffix, inside, outside, count) for (suffix, inside, outside), count in groups.items())


# Bytes a value, by safetensors' name of the type.
_WIDTH = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "U8": 1, "I8": 1, "BOOL": 1}
_WIDTH |= {"F8_E4M3": 1, "F8_E5M2": 1}
_DTYPE_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8"}


def _numel(dims: Sequence[int]) -> int:
    count = 1
    for size in dims:
        count *= int(size)
    return count


def _dtype(config: Mapping[str, Any]) -> str:
    text = config.get("text_config")
    for place in (config, text if isinstance(text, Mapping) else {}):
        for key in ("dtype", "torch_dtype"):
            if isinstance(place.get(key), str):
                return str(place[key]).removeprefix("torch.")
    return "float32"


def _quantization(config: Mapping[str, Any]) -> str:
    """The quantisation a repo is stored in: "4bit", "8bit", or the method's own name; "" for plain weights."""
    quant = config.get("quantization_config")
    if not isinstance(quant, Mapping):
        return ""
    if quant.get("load_in_4bit"):
        return "4bit"
    if quant.get("load_in_8bit"):
        return "8bit"
    return str(quant.get("quant_method") or "quantized")


def fetch_anatomy(hub: Hub, model_id: str, revision: str = "main") -> Anatomy:
    """Read config.json and the safetensors headers of a repo (blocking; a few range requests a shard).

    Raises:
        GatedError, NotFoundError, HubError: the repo cannot be read, or is no model with a usable config.
    """
    from workbench.hub.files import read_text

    try:
        text = read_text(hub, "model", model_id, revision, "config.json")
    except NotFoundError as error:
        raise NotFoundError(
            "has no config.json that can be read",
            where=model_id,
            mend="Pick a model in the transformers format.",
            status=404,
        ) from error
    try:
        config = json.loads(text)
    except ValueError as error:
        raise HubError("its config.json is no JSON", where=model_id, mend="Pick another revision.") from error
    tensors = _headers(hub, model_id, revision)
    if not isinstance(config, dict):
        raise HubError("its config.json is no JSON object", where=model_id, mend="Pick another revision.")
    return anatomy_from(config, tensors, model_id=model_id, revision=revision)


def _headers(hub: Hub, model_id: str, revision: str) -> dict[str, tuple[Sequence[int], str]] | None:
    """Every tensor's shape and type, None if the repo has no safetensors."""
    api = hub.api  # before the import: it prepares what huggingface_hub reads when it is imported
    from huggingface_hub.errors import NotASafetensorsRepoError, SafetensorsParsingError

    with hub_errors(model_id):
        try:
            metadata = api.get_safetensors_metadata(model_id, revision=revision)
        except NotASafetensorsRepoError:
            return None
        except SafetensorsParsingError as error:
            raise HubError("a safetensors header is damaged", where=model_id, mend="Pick another revision.") from error
        return {
            name: (tuple(info.shape), str(info.dtype))
            for file in metadata.files_metadata.values()
            for name, info in file.tensors.items()
        }


def matched_targets(anatomy: Anatomy, lora: Lora) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which target names exist in the model and which do not: (matched, unmatched).

    "all-linear" means what the job script makes of it: those of the seven projections that are modules of their own,
    or, in a model that has none of them, every matrix of the layers. The fused experts of a mixture are tensors, not
    modules: they are adapted only when named.
    """
    modules = list(dict.fromkeys(name for name, *_ in anatomy.linear if not name.startswith(_EXPERTS)))
    if lora.targets == "all-linear":
        usual = tuple(name for name in PROJECTIONS if name in modules)
        return usual or tuple(sorted(modules)), ()
    known = set(modules) | {name.removeprefix(_EXPERTS) for name, *_ in anatomy.linear}
    if "gate_up_proj" in known:
        known |= {"gate_proj", "up_proj"}  # PEFT follows the old names into the fused tensor
    wanted = list(dict.fromkeys(lora.targets))
    matched = tuple(name for name in wanted if name.rsplit(".", 1)[-1] in known)
    return matched, tuple(name for name in wanted if name not in matched)


_EXPERTS = "experts."


def lora_parameters(anatomy: Anatomy, lora: Lora) -> int:
    """Trainable weights: exactly rank · Σ(in + out) over the adapted matrices (training-stack §5).

    Named experts count too; a fused gate_up of theirs gets twice the rank, one for gate and one for up.
    """
    matched, _ = matched_targets(anatomy, lora)
    wanted = {name.rsplit(".", 1)[-1] for name in matched}
    by_name = lora.targets != "all-linear"
    total = 0
    for name, inside, outside, count in anatomy.linear:
        if not name.startswith(_EXPERTS):
            total += lora.rank * (inside + outside) * count if name in wanted else 0
        elif by_name and name == "experts.gate_up_proj" and wanted & {"gate_proj", "up_proj", "gate_up_proj"}:
            total += 2 * lora.rank * (inside + outside) * count
        elif by_name and name.removeprefix(_EXPERTS) in wanted:
            total += lora.rank * (inside + outside) * count
    return total


def adapter_bytes(anatomy: Anatomy, lora: Lora) -> int:
    """Size of `adapter_model.safetensors`: the weights in float32, as PEFT keeps and saves them on both engines."""
    return 4 * lora_parameters(anatomy, lora)
