"""What the model sees: one row through the mapping, the chat template and the tokenizer, token by token.

The training row and the loss mask come from `job_scripts.train`, the very functions of the job, so what is shown
here is what would be trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from job_scripts.train import RowError, encode, to_training_row
from workbench.data.mapping import ColumnMapping
from workbench.data.tokenizer import load_tokenizer

__all__ = ["Preview", "Token", "load_tokenizer", "preview", "token_texts"]

State = Literal["trained", "context", "cut"]

# Longer than any row: the whole row is encoded, and what max_length cuts is shown as cut.
WHOLE = 1 << 40
# A character is at most four bytes of UTF-8, so it is spread over at most four byte-level tokens.
_BYTES_A_CHARACTER = 4
_BROKEN = "\ufffd"


@dataclass(frozen=True)
class Token:
    """One token. The texts of all tokens joined are the decoded row, special tokens included.

    Of a character that is spread over several tokens the last one carries the text, the others have "".
    """

    text: str
    id: int
    state: State


@dataclass(frozen=True)
class Preview:
    """A row as it would be trained.

    Attributes:
        tokens: all of them, those beyond `max_length` as "cut".
        training_row: what `to_training_row` made of the row; {} if it made nothing.
        trained / context / cut: how many tokens of each state.
        problem: a sentence if this row would not be trained on as it is; else "".
    """

    tokens: tuple[Token, ...] = ()
    training_row: Mapping[str, Any] = field(default_factory=dict)
    trained: int = 0
    context: int = 0
    cut: int = 0
    problem: str = ""


def preview(
    row: Mapping[str, Any],
    mapping: ColumnMapping,
    tokenizer: Any,
    *,
    method: str = "sft",
    max_length: int = 1024,
    loss_on: str = "completion",
) -> Preview:
    """One row as the job would train on it. Never raises for a bad row: `problem` says what is wrong with it."""
    try:
        made = to_training_row(row, mapping.as_dict(), method)
    except RowError as error:
        return Preview(problem=_sentence(error))
    problem = ""
    try:
        try:
            encoded = encode(encodable(made), tokenizer, max_length=max_length, loss_on=loss_on)
        except RowError as error:
            # Too long to leave a target: still show the tokens, all the better to see where the cut falls.
            problem = _sentence(error)
            encoded = encode(encodable(made), tokenizer, max_length=WHOLE, loss_on=loss_on)
        ids = list(encoded.input_ids)
        texts = token_texts(ids, tokenizer)
    except RowError as error:
        return Preview(training_row=made, problem=_sentence(error))
    except (UnicodeError, TypeError, ValueError, KeyError) as error:  # lone surrogates; a template that trips
        said = (str(error).splitlines() or [""])[0][:200] or type(error).__name__
        return Preview(training_row=made, problem=f"The tokenizer cannot take this row ({said}).")
    kept = min(len(ids), max_length)
    states: list[State] = [
        "cut" if at >= kept else "trained" if hit and not _prompt_only(made) else "context"
        for at, hit in enumerate(encoded.trained)
    ]
    return Preview(
        tokens=tuple(Token(text, id_, state) for text, id_, state in zip(texts, ids, states, strict=True)),
        training_row=made,
        trained=states.count("trained"),
        context=states.count("context"),
        cut=states.count("cut"),
        problem=problem,
    )


def encodable(made: Mapping[str, Any]) -> Mapping[str, Any]:
    """A training row of any method in a form `encode` takes: steps as text, a prompt alone as a dialogue."""
    if "completions" in made:  # PRM: the trainer joins prompt and steps with line breaks
        return {"text": "\n".join([str(made["prompt"]), *map(str, made["completions"])])}
    if _prompt_only(made):
        return {"text": "\n\n".join(str(turn.get("content", "")) for turn in made["prompt"])}
    return made


def token_texts(ids: Sequence[int], tokenizer: Any) -> list[str]:
    """The text of each token, such that all of them joined are `decode(ids)`.

    A token's text depends on its neighbours: a space before a word is dropped at a text's start by some tokenizers,
    and one character may take several tokens. So each text is what the decoded text grows by, measured behind a few
    tokens that came before.
    """

    def decode(part: Sequence[int]) -> str:
        return str(tokenizer.decode(part, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    texts = [""] * len(ids)
    anchor = start = 0  # ids[anchor:start] stand before, ids[start:at + 1] have no text yet
    for at in range(len(ids)):
        before = decode(ids[anchor:start])
        grown = decode(ids[anchor : at + 1])
        incomplete = grown.endswith(_BROKEN) and at - start + 1 < _BYTES_A_CHARACTER and at + 1 < len(ids)
        if incomplete or not grown.startswith(before):
            continue
        texts[at] = grown[len(before) :]
        anchor, start = start, at + 1
    whole = decode(ids)
    if "".join(texts) != whole:  # a decoder that rewrites what came before: measure from the beginning, slow but true
        texts = _grown_from_start(ids, decode, whole)
    return texts


def _grown_from_start(ids: Sequence[int], decode: Any, whole: str) -> list[str]:
    texts = [""] * len(ids)
    shown = 0
    for at in range(len(ids) - 1):
        grown = decode(ids[: at + 1])
        stable = _common(grown, whole)
        if stable > shown:
            texts[at] = whole[shown:stable]
            shown = stable
    if ids:
        texts[-1] = whole[shown:]
    return texts


def _common(one: str, other: str) -> int:
    """Length of the common beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # equal prefixes are monotone, so bisect
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _prompt_only(made: Mapping[str, Any]) -> bool:
    return "prompt" in made and not {"completion", "chosen", "completions"} & made.keys()


def _sentence(error: BaseException) -> str:
    said = str(error).strip()
    return said[:1].upper() + said[1:] + ("" if said.endswith(".") else ".")
