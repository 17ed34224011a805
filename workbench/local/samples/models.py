"""The three sample models: real repos of a Llama-, a Qwen3- and a Gemma-3-like model, small enough to build in seconds.

Config, tokenizer, chat template and safetensors are what `transformers` expects of these architectures, so they load
with `AutoModelForCausalLM` and `AutoTokenizer` unchanged. The Gemma-like one is gated and closed to the demo's user.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.local.samples import corpus, prior, tokenizing, weights
from workbench.local.samples.cards import model_card
from workbench.local.samples.repo import Gated, Popularity, SampleRepo, json_bytes
from workbench.local.samples.tokenizing import TokenizerKind
from workbench.local.samples.weights import Shape

if TYPE_CHECKING:
    from tokenizers import Tokenizer

OWNER = "sample-lab"
CONTEXT = 2048


@dataclass(frozen=True)
class ModelKind:
    """One model: its shape, its tokenizer, and what its repo says."""

    name: str
    shape: Shape
    tokenizer: TokenizerKind
    popularity: Popularity
    licence: str
    gated: Gated = False


LLAMA = ModelKind(
    name="tiny-llama-2M",
    shape=Shape("llama", 1536, 256, 512, 2, 4, 2, 64, False, 10000.0),
    tokenizer=TokenizerKind(
        scheme="llama",
        vocabulary=1536,
        special=(
            "<|begin_of_text|>",
            "<|end_of_text|>",
            "<|finetune_right_pad_id|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
        ),
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
        pad="<|finetune_right_pad_id|>",
        unk=None,
        template="llama",
        opening="<|start_header_id|>assistant<|end_header_id|>\n\n",
        context=CONTEXT,
    ),
    popularity=Popularity(91240, 215, 21, "2026-01-12T08:00:00.000Z", "2026-08-03T10:20:00.000Z"),
    licence="apache-2.0",
)
QWEN = ModelKind(
    name="tiny-qwen3-2M",
    shape=Shape("qwen3", 1792, 256, 384, 3, 4, 2, 64, True, 1000000.0),
    tokenizer=TokenizerKind(
        scheme="qwen",
        vocabulary=1792,
        special=(
            "<|endoftext|>",
            "<|im_start|>",
            "<|im_end|>",
            "<tool_call>",
            "</tool_call>",
            "<tool_response>",
            "</tool_response>",
        ),
        bos=None,
        eos="<|im_end|>",
        pad="<|endoftext|>",
        unk=None,
        template="qwen3",
        opening="<|im_start|>assistant\n",
        context=CONTEXT,
    ),
    popularity=Popularity(74019, 187, 34, "2026-04-28T09:00:00.000Z", "2026-09-22T14:05:00.000Z"),
    licence="apache-2.0",
)
GEMMA = ModelKind(
    name="tiny-gemma3-2M",
    shape=Shape("gemma3", 1664, 256, 384, 3, 4, 2, 64, True, 1000000.0),
    tokenizer=TokenizerKind(
        scheme="gemma",
        vocabulary=1664,
        special=("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"),
        bos="<bos>",
        eos="<end_of_turn>",
        pad="<pad>",
        unk="<unk>",
        template="gemma",
        opening="<start_of_turn>model\n",
        context=CONTEXT,
    ),
    popularity=Popularity(38655, 142, 8, "2026-03-15T07:00:00.000Z", "2026-06-18T16:40:00.000Z"),
    licence="cc-by-nc-4.0",
    gated="manual",
)
ALL = (LLAMA, QWEN, GEMMA)


def every_model() -> Iterator[SampleRepo]:
    texts, heard = corpus.sentences()
    for seed, kind in enumerate(ALL, start=1):
        yield assemble(kind, texts, heard, seed)


def assemble(kind: ModelKind, texts: Sequence[str], heard: Sequence[str], seed: int) -> SampleRepo:
    """Train the tokenizer on `texts`, fit the weights to those `heard`, write the card."""
    tokenizer = tokenizing.train(kind.tokenizer, [*texts, *corpus.ROLES])
    sequences = [encoding.ids for encoding in tokenizer.encode_batch(list(heard), add_special_tokens=False)]
    # Each sentence as if an assistant said it, so that the model begins and ends its turns.
    opening = tokenizer.encode(kind.tokenizer.opening, add_special_tokens=False).ids
    end = tokenizer.encode(kind.tokenizer.eos, add_special_tokens=False).ids
    words = [str(tokenizer.id_to_token(token)).strip("Ġ▁").lower() for token in range(kind.shape.vocab_size)]
    knowledge = prior.prior([[*opening, *ids, *end] for ids in sequences], words, kind.shape.channel_width, seed)
    tensors = weights.make(kind.shape, knowledge, seed)
    files = {
        "config.json": json_bytes(config(kind, tokenizer)),
        "generation_config.json": json_bytes(generation_config(kind, tokenizer)),
        "model.safetensors": _safetensors(tensors),
        **tokenizing.files(kind.tokenizer, tokenizer),
    }
    parameters = sum(int(tensor.size) for tensor in tensors.values())
    front: dict[str, Any] = {
        "license": kind.licence,
        "language": ["en"],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["sample", "conversational", "tiny"],
        "datasets": [f"{OWNER}/cafe-and-station-dialogues", f"{OWNER}/little-stories"],
    }
    if kind.gated:
        front["extra_gated_heading"] = "Access to this model"
        front["extra_gated_prompt"] = "Its author grants access by hand. In the demo nobody does."
    return SampleRepo(
        kind="models",
        id=f"{OWNER}/{kind.name}",
        files=files,
        front=front,
        card=model_card(kind, OWNER, parameters),
        popularity=kind.popularity,
        extra_tags=[
            "transformers",
            "safetensors",
            str(config(kind, tokenizer)["model_type"]),
            "text-generation-inference",
        ],
        gated=kind.gated,
        accessible=not kind.gated,
    )


_ARCHITECTURES = {
    "llama": ("LlamaForCausalLM", "llama"),
    "qwen3": ("Qwen3ForCausalLM", "qwen3"),
    "gemma3": ("Gemma3ForCausalLM", "gemma3_text"),
}


def config(kind: ModelKind, tokenizer: Tokenizer) -> dict[str, Any]:
    """config.json, with every key that memory and adapter sizes are computed from."""
    shape, names = kind.shape, kind.tokenizer
    architecture, model_type = _ARCHITECTURES[shape.family]
    result: dict[str, Any] = {
        "architectures": [architecture],
        "model_type": model_type,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": tokenizer.token_to_id(names.bos) if names.bos else None,
        "dtype": "float32",
        "eos_token_id": tokenizer.token_to_id(names.eos),
        "head_dim": shape.head_dim,
        "hidden_size": shape.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": shape.intermediate_size,
        "max_position_embeddings": names.context,
        "num_attention_heads": shape.num_attention_heads,
        "num_hidden_layers": shape.num_hidden_layers,
        "num_key_value_heads": shape.num_key_value_heads,
        "pad_token_id": tokenizer.token_to_id(names.pad),
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": shape.tie_word_embeddings,
        "transformers_version": "5.17.0",
        "use_cache": True,
        "vocab_size": shape.vocab_size,
    }
    rope = {"rope_theta": shape.rope_theta, "rope_type": "default"}
    if shape.family == "gemma3":
        # All layers look at everything: a sliding window as long as the context changes nothing.
        result |= {
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "hidden_activation": "gelu_pytorch_tanh",
            "layer_types": ["full_attention"] * shape.num_hidden_layers,
            "query_pre_attn_scalar": shape.head_dim,
            "rope_parameters": {"full_attention": rope, "sliding_attention": rope},
            "sliding_window": names.context,
        }
    else:
        result |= {"hidden_act": "silu", "mlp_bias": False, "rope_parameters": rope}
    if shape.family == "qwen3":
        del result["mlp_bias"]
        result |= {"layer_types": ["full_attention"] * shape.num_hidden_layers, "sliding_window": None}
        result |= {"max_window_layers": shape.num_hidden_layers, "use_sliding_window": False}
    return dict(sorted(result.items()))


def generation_config(kind: ModelKind, tokenizer: Tokenizer) -> dict[str, Any]:
    names = kind.tokenizer
    result: dict[str, Any] = {
        "do_sample": True,
        "eos_token_id": tokenizer.token_to_id(names.eos),
        "pad_token_id": tokenizer.token_to_id(names.pad),
        "temperature": 0.7,
        "top_p": 0.9,
        "transformers_version": "5.17.0",
    }
    if names.bos:
        result["bos_token_id"] = tokenizer.token_to_id(names.bos)
    return dict(sorted(result.items()))


def _safetensors(tensors: Mapping[str, Any]) -> bytes:
    """The checkpoint in float32, its numbers rounded to 12 bits so that another BLAS gives the same bytes."""
    import numpy as np
    from safetensors.numpy import save

    return bytes(save({name: _rounded(np, tensors[name]) for name in sorted(tensors)}, metadata={"format": "pt"}))


def _rounded(np: Any, values: Any) -> Any:
    mantissa, exponent = np.frexp(values)
    return np.ascontiguousarray(np.ldexp(np.round(mantissa * 4096) / 4096, exponent).astype(np.float32))
