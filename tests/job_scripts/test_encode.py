"""Tokens and masks on real tokenizers: what is trained is the answers with their ends, whatever the template does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_scripts.train import Encoded, NoTemplateError, RowError, encode
from tests.job_scripts.tiny_tokenizers import TEMPLATES, tokenizer, trained_text

TEMPLATED = sorted(set(TEMPLATES) - {"none"})


def chat(*turns: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"role": role, "content": text} for role, text in turns]


def encoded(row: dict[str, Any], kind: str, **options: Any) -> Encoded:
    return encode(row, tokenizer(kind), **{"max_length": 4096, **options})


def trained(row: dict[str, Any], kind: str, **options: Any) -> str:
    return trained_text(encoded(row, kind, **options), tokenizer(kind))


TWO = {"messages": chat(("user", "Hi"), ("assistant", "It is five."), ("user", "more"), ("assistant", "Two plus two"))}
ENDS = {
    "llama": "<|eot_id|>",
    "chatml": "<|im_end|>",
    "generation": "<|im_end|>",
    "gemma": "<end_of_turn>",
    "thinking": "<|im_end|>",
}


@pytest.mark.parametrize("kind", ["llama", "chatml", "generation", "gemma"])
def test_every_answer_is_trained_with_its_end(kind: str) -> None:
    assert trained(TWO, kind) == f"It is five.{ENDS[kind]}¦Two plus two{ENDS[kind]}"


def test_reasoning_that_the_template_drops_from_earlier_turns() -> None:
    row = {
        "messages": chat(
            ("user", "Hi"),
            ("assistant", "<think>\none\n</think>\n\nYes"),
            ("user", "more"),
            ("assistant", "<think>\ntwo\n</think>\n\nNo"),
        )
    }
    assert trained(row, "thinking") == "Yes<|im_end|>¦<think>\ntwo\n</think>\n\nNo<|im_end|>"


def test_what_the_template_writes_before_an_answer_is_generated_too() -> None:
    assert trained(TWO, "thinking") == "It is five.<|im_end|>¦<think>\n\n</think>\n\nTwo plus two<|im_end|>"


def test_a_template_that_ends_no_turn_gets_eos_at_the_end() -> None:
    assert trained(TWO, "instruct") == " It is five.¦Two plus two</s>"
    made = encoded(TWO, "instruct")
    assert made.input_ids[-1] == tokenizer("instruct").eos_token_id and made.trained[-1]


@pytest.mark.parametrize("kind", TEMPLATED)
def test_a_system_text_reaches_the_model_under_every_template(kind: str) -> None:
    row = {"messages": chat(("system", "Be brief"), ("user", "Hi"), ("assistant", "Yes"))}
    made = encoded(row, kind)
    assert "Be brief" in tokenizer(kind).decode(made.input_ids)
    assert "Be brief" not in trained_text(made, tokenizer(kind))


@pytest.mark.parametrize("kind", TEMPLATED)
def test_only_the_completion_of_a_prompt_is_trained(kind: str) -> None:
    turns = TWO["messages"]
    made = trained({"prompt": turns[:3], "completion": turns[3:]}, kind)
    assert "Two plus two" in made and "five" not in made and "¦" not in made


@pytest.mark.parametrize("kind", TEMPLATED)
def test_the_tokens_are_the_templates_own(kind: str) -> None:
    own = tokenizer(kind).apply_chat_template(TWO["messages"], return_dict=True)["input_ids"]
    made = encoded(TWO, kind).input_ids
    assert made == own if kind != "instruct" else made == [*own, tokenizer(kind).eos_token_id]


@pytest.mark.parametrize("kind", TEMPLATED)
def test_all_trains_every_token(kind: str) -> None:
    assert all(encoded(TWO, kind, loss_on="all").trained)


def test_a_chosen_answer_is_encoded_for_the_preview() -> None:
    row = {"prompt": chat(("user", "Hi")), "chosen": chat(("assistant", "Yes")), "rejected": chat(("assistant", "No"))}
    assert trained(row, "chatml") == "Yes<|im_end|>"


def test_tool_calls_are_trained() -> None:
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    turns = [*chat(("user", "Hi")), {"role": "assistant", "content": "", "tool_calls": [call]}, *chat(("tool", "3"))]
    made = trained({"messages": [*turns, *chat(("assistant", "Three"))]}, "thinking")
    assert made.startswith("<tool_call>\n") and '"name": "add"' in made.split("¦")[0]
    assert made.split("¦")[0].endswith("</tool_call><|im_end|>")


def test_tool_calls_that_the_template_does_not_write_are_refused() -> None:
    call = {"type": "function", "function": {"name": "add", "arguments": {}}}
    row = {"messages": [*chat(("user", "Hi")), {"role": "assistant", "content": "", "tool_calls": [call]}]}
    with pytest.raises(RowError, match="does not write tool calls"):
        encoded(row, "llama")


def test_text_is_trained_whole_and_ends_with_eos() -> None:
    made = encoded({"text": "Two plus two"}, "none")
    assert all(made.trained) and made.input_ids[-1] == tokenizer("none").eos_token_id
    twice = encoded({"text": "Two plus two</s>"}, "none")
    assert twice.input_ids == made.input_ids


def test_without_a_template_one_exchange_is_plain_text() -> None:
    row = {"prompt": chat(("user", "Two plus two?")), "completion": chat(("assistant", "Four"))}
    made = encoded(row, "none")
    assert tokenizer("none").decode(made.input_ids) == "Two plus two?\nFour</s>"
    assert trained(row, "none") == "Four</s>"


def test_without_a_template_a_dialogue_is_refused() -> None:
    with pytest.raises(NoTemplateError, match="no chat template"):
        encoded(TWO, "none")


def test_a_row_the_template_refuses() -> None:
    row = {"messages": chat(("user", "Hi"), ("user", "Hi"), ("assistant", "Yes"))}
    with pytest.raises(RowError, match="the chat template refuses the row: Roles must alternate"):
        encoded(row, "gemma")


def test_truncation_keeps_the_start_and_may_leave_nothing() -> None:
    whole = encoded(TWO, "chatml")
    first = whole.trained.index(True)
    cut = encoded(TWO, "chatml", max_length=first + 1)
    assert cut.kept == first + 1 and cut.input_ids == whole.input_ids
    with pytest.raises(RowError, match=f"within max_length {first}"):
        encoded(TWO, "chatml", max_length=first)


texts = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="<>|"), min_size=1).map(str.strip).filter(bool)


@pytest.mark.parametrize("kind", ["llama", "chatml", "generation", "gemma", "thinking"])
@given(asked=texts, answer=texts, more=texts, last=texts)
def test_the_trained_tokens_say_the_answers_and_nothing_else(
    kind: str, asked: str, answer: str, more: str, last: str
) -> None:
    row = {"messages": chat(("user", asked), ("assistant", answer), ("user", more), ("assistant", last))}
    made = encoded(row, kind)
    runs, run = [], []
    for token, is_trained in zip([*made.input_ids, -1], [*made.trained, False], strict=True):
        if is_trained:
            run.append(token)
        elif run:
            runs.append(tokenizer(kind).decode(run))
            run = []
    lead = "<think>\n\n</think>\n\n" if kind == "thinking" else ""
    assert runs == [answer + ENDS[kind], lead + last + ENDS[kind]]
