"""Tokenizers for the sample models: byte-pair encodings trained on the sample datasets' own sentences.

Three kinds, as the model families have them: byte-level with numbers in groups of up to three digits (Llama 3),
byte-level digit by digit (Qwen), and "▁" for blanks with a byte fallback (Gemma). Training is deterministic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workbench.local.samples.repo import json_bytes

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# How text is cut before merging; the two differ in how many digits stay together.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class TokenizerKind:
    """What sets one family's tokenizer apart.

    Attributes:
        special: control tokens in the order of their ids, which begin at 0.
        bos: None if the family has none. `eos` ends an assistant turn; `pad` is never equal to it.
        template: name of the Jinja file with the chat template; `opening` is how it opens an assistant turn.
        context: model_max_length.
    """

    scheme: Literal["llama", "qwen", "gemma"]
    vocabulary: int
    special: tuple[str, ...]
    bos: str | None
    eos: str
    pad: str
    unk: str | None
    template: str
    opening: str
    context: int


def train(kind: TokenizerKind, texts: Sequence[str]) -> Tokenizer:
    """A BPE tokenizer of exactly `kind.vocabulary` tokens.

    Raises:
        ValueError: the texts have too few different pieces for a vocabulary of that size.
    """
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        processors,
        trainers,
    )

    byte_fallback = kind.scheme == "gemma"
    tokenizer = Tokenizer(models.BPE(unk_token=kind.unk, byte_fallback=byte_fallback, fuse_unk=byte_fallback))
    if byte_fallback:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        # Words keep the blank before them; digits stand alone.
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split("▁", "merged_with_next"),
                pre_tokenizers.Split(Regex(r"\p{N}|[^\p{L}\p{N}▁]"), "isolated"),
            ]
        )
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        alphabet: list[str] = []
        extra = [f"<0x{byte:02X}>" for byte in range(256)]
    else:
        digits = "{1,3}" if kind.scheme == "llama" else ""
        tokenizer.normalizer = normalizers.NFC()
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_SPLIT % digits), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        extra = []
    trainer = trainers.BpeTrainer(
        vocab_size=kind.vocabulary,
        special_tokens=[*kind.special, *extra],
        initial_alphabet=alphabet,
        min_frequency=1,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if tokenizer.get_vocab_size() != kind.vocabulary:
        raise ValueError(f"only {tokenizer.get_vocab_size()} of {kind.vocabulary} tokens could be learned")
    if byte_fallback:
        tokenizer = _without_added(tokenizer, extra)
    if kind.bos:
        bos_id = tokenizer.token_to_id(kind.bos)
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{kind.bos} $A", pair=f"{kind.bos} $A {kind.bos} $B", special_tokens=[(kind.bos, bos_id)]
        )
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in kind.special])
    return tokenizer


def _without_added(tokenizer: Tokenizer, tokens: Sequence[str]) -> Tokenizer:
    """The same tokenizer with `tokens` as ordinary entries: byte tokens must not match text that spells them."""
    import json

    from tokenizers import Tokenizer

    spec = json.loads(tokenizer.to_str())
    spec["added_tokens"] = [token for token in spec["added_tokens"] if token["content"] not in set(tokens)]
    return Tokenizer.from_str(json.dumps(spec))


def files(kind: TokenizerKind, tokenizer: Tokenizer) -> dict[str, bytes]:
    """The files of a tokenizer and its chat template as transformers reads them, by name."""
    import json

    named = {"bos_token": kind.bos, "eos_token": kind.eos, "pad_token": kind.pad, "unk_token": kind.unk}
    config: dict[str, Any] = {
        "added_tokens_decoder": {
            str(tokenizer.token_to_id(token)): {
                "content": token,
                "lstrip": False,
                "normalized": False,
                "rstrip": False,
                "single_word": False,
                "special": True,
            }
            for token in kind.special
        },
        **named,
        "clean_up_tokenization_spaces": False,
        "model_max_length": kind.context,
        "padding_side": "right",
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    return {
        "tokenizer.json": json_bytes(json.loads(tokenizer.to_str()), indent=None),
        "tokenizer_config.json": json_bytes(config),
        "special_tokens_map.json": json_bytes({key: value for key, value in named.items() if value}),
        "chat_template.jinja": template(kind.template).encode(),
    }


def template(name: str) -> str:
    """The text of `templates/<name>.jinja`."""
    from importlib.resources import files as resources

    return (resources("workbench.local.samples") / "templates" / f"{name}.jinja").read_text(encoding="utf-8")
