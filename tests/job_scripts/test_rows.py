"""Rows of every shape → training rows: what must come out, and that nothing but RowError ever does besides."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_scripts.train import _METHOD_FORMS, _READERS, RowError, to_training_row

USER, REPLY = {"role": "user", "content": "Two plus two?"}, {"role": "assistant", "content": "Four."}
SYSTEM = {"role": "system", "content": "Be brief."}
MESSAGES = {"shape": "messages", "columns": {"messages": "m"}}
TURNS = [USER, REPLY]


def mapped(shape: str, **more: object) -> dict:
    columns = {role: source for role, source in more.items() if role not in ("system_prompt", "options")}
    return {
        "shape": shape,
        "columns": columns,
        "system": more.get("system_prompt", ""),
        "options": more.get("options", {}),
    }


@pytest.mark.parametrize(
    "value",
    [
        TURNS,
        tuple(TURNS),
        [{"from": "human", "value": "Two plus two?"}, {"from": "gpt", "value": "Four."}],
        [{"from": "prompter", "value": "Two plus two?"}, {"from": "chatgpt", "value": "Four."}],
        [{"role": "User", "content": "Two plus two?", "tool_calls": None}, {"role": "MODEL", "content": "Four."}],
        [{"input": "Two plus two?", "output": "Four."}],
        {"role": ["user", "assistant"], "content": ["Two plus two?", "Four."]},
        json.dumps(TURNS),
        repr(TURNS),
        "[{'from': 'human', 'value': 'Two plus two?'}\n {'from': 'gpt', 'value': 'Four.'}]",
        ["Two plus two?", "Four."],
        "\n\nHuman: Two plus two?\n\nAssistant: Four.",
        "### Human: Two plus two?\n### Assistant: Four.",
        "USER: Two plus two?\nASSISTANT: Four.<|endoftext|>",
        [*TURNS, {"role": "user", "content": "and five?"}],
        [{"role": "system", "content": "  "}, *TURNS],
        [{"role": "user", "content": [{"type": "text", "text": "Two plus two?", "image": None}]}, REPLY],
    ],
)
def test_messages_in_every_form(value: object) -> None:
    assert to_training_row({"m": value}, MESSAGES) == {"messages": TURNS}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "missing"),
        ("hello", "plain text"),
        (3, "not a list"),
        ([], "no assistant"),
        ([USER], "no assistant"),
        ([3], "not a role"),
        ([{"content": "x"}], "no role"),
        ([{"role": "wizard", "content": "x"}], "unknown role 'wizard'"),
        ([USER, {"role": "assistant", "content": " "}], "empty assistant turn"),
        ([{"role": "user", "content": None}, REPLY], "empty user turn"),
    ],
)
def test_messages_that_cannot_be_trained_on(value: object, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        to_training_row({"m": value}, MESSAGES)


def test_system_from_the_turns_wins_over_the_column_and_that_over_the_fixed_one() -> None:
    both = mapped("messages", messages="m", system="s", system_prompt="Fixed.")
    assert to_training_row({"m": [SYSTEM, *TURNS], "s": "Column."}, both)["messages"][0] == SYSTEM
    assert to_training_row({"m": TURNS, "s": "Column."}, both)["messages"][0]["content"] == "Column."
    assert to_training_row({"m": TURNS, "s": None}, both)["messages"][0]["content"] == "Fixed."
    assert to_training_row({"m": TURNS}, MESSAGES)["messages"] == TURNS


def test_keys_beside_role_and_content_are_kept() -> None:
    thought = {"role": "assistant", "content": "Four.", "thinking": "2+2", "name": None}
    made = to_training_row({"m": [USER, thought]}, MESSAGES)["messages"][1]
    assert made == {"role": "assistant", "content": "Four.", "thinking": "2+2"}


def test_tool_calls_of_both_families() -> None:
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 2}}}
    tool = {"name": "add", "parameters": {"type": "object"}}
    sharegpt = [
        {"from": "human", "value": "2?"},
        {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 2}}'},
        {"from": "observation", "value": "4"},
        {"from": "gpt", "value": "Four."},
    ]
    made = to_training_row(
        {"m": sharegpt, "t": json.dumps([tool])}, mapped("messages", messages="m", tools="t")
    )  # fmt: skip
    assert made["messages"][1] == {"role": "assistant", "content": "", "tool_calls": [call]}
    assert made["messages"][2] == {"role": "tool", "content": "4"}
    assert made["tools"] == [{"type": "function", "function": tool}]
    openai = [USER, {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c1", "function": {"name": "add", "arguments": '{"a": 2}', "x": None}}]}]  # fmt: skip
    assert to_training_row({"m": openai}, MESSAGES)["messages"][1]["tool_calls"] == [{"id": "c1", **call}]
    xlam = {"query": "2?", "answers": '[{"name": "add", "arguments": {"a": 2}}]', "tools": json.dumps([tool])}
    made = to_training_row(xlam, mapped("prompt_completion", prompt="query", completion="answers", tools="tools"))
    assert made["completion"] == [{"role": "assistant", "content": "", "tool_calls": [call]}]


ALPACA = mapped("prompt_completion", prompt="{instruction}\n\n{input}", completion="output")


@pytest.mark.parametrize(
    ("row", "template", "prompt"),
    [
        ({"instruction": "Add", "input": "2 2"}, "{instruction}\n\n{input}", "Add\n\n2 2"),
        ({"instruction": "Add", "input": ""}, "{instruction}\n\n{input}", "Add"),
        ({"instruction": "Add", "input": None}, "{input}\n\n{instruction}", "Add"),
        ({"a": "A", "b": "", "c": "C"}, "{a}\n\n{b}\n\n{c}", "A\n\nC"),
        ({"a": "A", "b": "", "c": "C"}, "{a}\n{b}\n\n\n{c}", "A\n\n\nC"),
        ({"a": "A", "b": "", "c": ""}, "{a}\n\n{b}\n\n{c}", "A"),
        ({"a": "A\n\nB", "b": "B"}, "{a}\n{b}", "A\n\nB\nB"),
        ({"a": "A"}, "{{{a}}} {{x}}", "{A} {x}"),
        ({"meta": {"q": {"text": "Deep"}}}, "Q: {meta.q.text}", "Q: Deep"),
        ({"meta": '{"q": [1, "two"]}'}, "{meta.q.1}", "two"),
        ({"c": ["red", "blue"], "n": 3, "f": True}, "{c}\n{n} {f}", "red\nblue\n3 true"),
        ({"with space": "x"}, "{with space}", "x"),
    ],
)
def test_templates(row: dict, template: str, prompt: str) -> None:
    made = to_training_row({**row, "out": "o"}, mapped("prompt_completion", prompt=template, completion="out"))
    assert made["prompt"] == [{"role": "user", "content": prompt}]


def test_a_column_is_found_under_its_own_name_first() -> None:
    row = {"a.b": "dotted", "a": {"b": "nested"}, "{x}": "braces", "o": "o"}
    for source, text in (("a.b", "dotted"), ("{x}", "braces")):
        made = to_training_row(row, mapped("prompt_completion", prompt=source, completion="o"))
        assert made["prompt"][0]["content"] == text


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("Four.", "Four."),
        (4, "4"),
        (["", "Four.", "4"], "Four."),
        ({"text": ["Four."], "answer_start": [1]}, "Four."),
        ([{"role": "assistant", "content": "Four."}], "Four."),
        ("[1, 2]", "[1, 2]"),
        ('{"sum": 4}', '{"sum": 4}'),
        ({"sum": 4}, '{"sum": 4}'),
    ],
)
def test_answers_as_text_lists_and_structs(output: object, answer: str) -> None:
    made = to_training_row({"instruction": "Add", "input": "", "output": output}, ALPACA)
    assert made["completion"] == [{"role": "assistant", "content": answer}]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"instruction": "Add", "input": "", "output": ""}, "the completion is empty"),
        ({"instruction": "Add", "input": "", "output": None}, "the completion is empty"),
        ({"instruction": " ", "input": "", "output": "x"}, "the prompt is empty"),
        ({"instruction": "Add", "output": "x"}, "no column 'input'"),
        ({"instruction": "Add", "input": "", "output": [USER]}, "does not begin with an assistant turn"),
    ],
)
def test_prompt_completion_that_cannot_be_trained_on(row: dict, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        to_training_row(row, ALPACA)


def test_prompt_as_a_message_list_with_a_system_prompt() -> None:
    mapping = mapped("prompt_completion", prompt="p", completion="c", system_prompt="Be brief.")
    made = to_training_row({"p": [USER], "c": "Four."}, mapping)
    assert made == {"prompt": [SYSTEM, USER], "completion": [REPLY]}


PAIR = mapped("preference", prompt="p", chosen="c", rejected="r")
WORSE = {"role": "assistant", "content": "Five."}


@pytest.mark.parametrize(
    ("row", "mapping"),
    [
        ({"p": "Two plus two?", "c": "Four.", "r": "Five."}, PAIR),
        ({"p": "Two plus two?", "c": [USER, REPLY], "r": [USER, WORSE]}, PAIR),
        ({"p": [USER], "c": [REPLY], "r": [WORSE]}, PAIR),
        ({"p": [USER], "c": REPLY, "r": WORSE}, PAIR),
        ({"p": "Two plus two?", "c": "Two plus two? Four.", "r": "Two plus two?\nFive."}, PAIR),
        ({"c": [USER, REPLY], "r": [USER, WORSE]}, mapped("preference", chosen="c", rejected="r")),
        (
            {"c": "\n\nHuman: Two plus two?\n\nAssistant: Four.", "r": "\n\nHuman: Two plus two?\n\nAssistant: Five."},
            mapped("preference", chosen="c", rejected="r"),
        ),
        (
            {"p": "Two plus two?", "c": "Five.", "r": "Four.", "w": 1},
            mapped("preference", prompt="p", chosen="c", rejected="r", options={"winner": "w", "first_wins": "0"}),
        ),
        (
            {"p": "Two plus two?", "c": "Four.", "r": "Five.", "w": -2},
            mapped("preference", prompt="p", chosen="c", rejected="r", options={"winner": "w", "first_wins": "<0"}),
        ),
    ],
)
def test_preference_in_every_form(row: dict, mapping: dict) -> None:
    assert to_training_row(row, mapping, "dpo") == {"prompt": [USER], "chosen": [REPLY], "rejected": [WORSE]}
    assert to_training_row(row, mapping, "sft") == {"prompt": [USER], "completion": [REPLY]}


def test_preference_shares_more_than_one_turn() -> None:
    more = {"role": "user", "content": "Sure?"}
    row = {"c": [SYSTEM, USER, REPLY, more, REPLY], "r": [SYSTEM, USER, REPLY, more, WORSE]}
    made = to_training_row(row, mapped("preference", chosen="c", rejected="r"), "dpo")
    assert made == {"prompt": [SYSTEM, USER, REPLY, more], "chosen": [REPLY], "rejected": [WORSE]}


@pytest.mark.parametrize(
    ("row", "options", "reason"),
    [
        ({"p": "Q", "c": "same", "r": "same"}, {}, "are the same"),
        ({"p": "Q", "c": "", "r": "x"}, {}, "chosen answer is empty"),
        ({"p": "Q", "c": "x", "r": None}, {}, "rejected answer is empty"),
        ({"p": "Q", "c": "x", "r": "y", "w": 0}, {"winner": "w", "first_wins": "<0"}, "a tie"),
        ({"p": "Q", "c": "x", "r": "y", "w": None}, {"winner": "w"}, "nobody said"),
    ],
)
def test_pairs_that_cannot_be_trained_on(row: dict, options: dict, reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        to_training_row(row, {**PAIR, "options": options}, "dpo")


def test_pairs_without_a_prompt() -> None:
    with pytest.raises(RowError, match="no prompt"):
        to_training_row({"c": "x", "r": "y"}, mapped("preference", chosen="c", rejected="r"), "dpo")


@pytest.mark.parametrize(
    ("label", "options", "good"),
    [
        (True, {}, True),
        (False, {}, False),
        ("true", {}, True),
        ("bad", {}, False),
        (1, {}, True),
        (0.0, {}, False),
        ("safe", {"true_label": "Safe"}, True),
        (3, {"min_label": 4}, False),
        (4, {"min_label": 4}, True),
    ],
)
def test_labels(label: object, options: dict, good: bool) -> None:
    mapping = mapped("unpaired", prompt="p", completion="c", label="l", options=options)
    row = {"p": "Two plus two?", "c": "Four.", "l": label}
    assert to_training_row(row, mapping, "kto") == {"prompt": [USER], "completion": [REPLY], "label": good}
    if good:
        assert to_training_row(row, mapping, "sft") == {"prompt": [USER], "completion": [REPLY]}
    else:
        with pytest.raises(RowError, match="label is false"):
            to_training_row(row, mapping, "sft")


def test_unpaired_with_the_whole_dialogue_under_completion() -> None:
    made = to_training_row({"c": TURNS, "l": True}, mapped("unpaired", completion="c", label="l"), "kto")
    assert made == {"prompt": [USER], "completion": [REPLY], "label": True}


def test_prompt_only() -> None:
    mapping = mapped("prompt_only", prompt="q", solution="a", options={"solution_after": "####"})
    row = {"q": "Two plus two?", "a": "2 + 2 = 4\n#### 4"}
    assert to_training_row(row, mapping, "grpo") == {"prompt": [USER], "solution": "4"}
    assert to_training_row(row, mapping, "sft")["completion"] == [{"role": "assistant", "content": "4"}]
    bare = mapped("prompt_only", prompt="q")
    assert to_training_row(row, bare, "grpo") == {"prompt": [USER]}
    with pytest.raises(RowError, match="no answer"):
        to_training_row(row, bare, "sft")


def test_stepwise() -> None:
    mapping = mapped("stepwise", prompt="p", completions="s", labels="l")
    row = {"p": "Q", "s": ["one", "two"], "l": [True, True]}
    assert to_training_row(row, mapping, "prm") == {
        "prompt": "Q",
        "completions": ["one", "two"],
        "labels": [True, True],
    }
    assert to_training_row(row, mapping, "sft")["completion"][0]["content"] == "one\ntwo"
    with pytest.raises(RowError, match="a step is wrong"):
        to_training_row({**row, "l": [True, False]}, mapping, "sft")
    with pytest.raises(RowError, match="as many labels"):
        to_training_row({**row, "l": [True]}, mapping, "prm")


def test_text_and_what_cannot_be() -> None:
    assert to_training_row({"t": "hello"}, mapped("text", text="t")) == {"text": "hello"}
    with pytest.raises(RowError, match="the text is empty"):
        to_training_row({"t": None}, mapped("text", text="t"))
    with pytest.raises(RowError, match="cannot train dpo"):
        to_training_row({"t": "hello"}, mapped("text", text="t"), "dpo")
    with pytest.raises(RowError, match="the mapping names no text"):
        to_training_row({"t": "hello"}, {"shape": "text", "columns": {}})


def test_a_dialogue_gives_a_prompt_and_its_solution_for_rewards() -> None:
    assert to_training_row({"m": TURNS}, MESSAGES, "grpo") == {"prompt": [USER], "solution": "Four."}


# --- properties

plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
keys = st.sampled_from(
    ["role", "from", "content", "value", "tool_calls", "name", "type", "text", "input", "output", "x"]
)
roles = st.sampled_from(["user", "human", "assistant", "gpt", "system", "function_call", "tool", "?"])
values = st.recursive(
    plain | roles,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
cells = values | values.map(lambda value: json.dumps(value)) | values.map(repr)
sources = st.sampled_from(["a", "b", "a.content", "a.0", "{a}\n\n{b}", "{a.x}", "{{a}} {b}", "missing", "", "{", "{}"])
ROLES = ("messages", "prompt", "completion", "text", "chosen", "rejected", "label", "completions", "labels", "solution")


@given(
    row=st.fixed_dictionaries({"a": cells, "b": cells}),
    shape=st.sampled_from(sorted(_READERS)),
    method=st.sampled_from(sorted(_METHOD_FORMS)),
    columns=st.dictionaries(st.sampled_from((*ROLES, "system", "tools", "images")), sources, max_size=6),
    options=st.sampled_from([{}, {"winner": "a", "first_wins": "<0"}, {"min_label": 2}, {"solution_after": "#"}]),
    system=st.sampled_from(["", "Be brief."]),
)
def test_any_row_is_mapped_or_refused(
    row: dict, shape: str, method: str, columns: dict, options: dict, system: str
) -> None:
    mapping = {"shape": shape, "columns": columns, "system": system, "options": options}
    try:
        made = to_training_row(row, mapping, method)
    except RowError as error:
        assert str(error) and "\n" not in str(error)
        return
    for turns in (made[key] for key in ("messages", "prompt", "completion", "chosen", "rejected") if key in made):
        if isinstance(turns, str):
            continue
        assert turns
        assert all(turn["role"] in ("system", "user", "assistant", "tool") for turn in turns)
        assert all(turn["content"] or turn.get("tool_calls") for turn in turns)
    last = made.get("messages") or made.get("completion") or made.get("chosen")
    assert last is None or last[-1]["role"] == "assistant"


turns = st.lists(
    st.tuples(st.sampled_from(["user", "assistant"]), st.text(min_size=1).filter(str.strip)), min_size=1, max_size=6
)


@given(turns)
def test_every_form_of_a_dialogue_gives_the_same(dialogue: list[tuple[str, str]]) -> None:
    dialogue = [*dialogue, ("assistant", "end")]
    usual = [{"role": role, "content": text} for role, text in dialogue]
    sharegpt = [{"from": {"user": "human", "assistant": "gpt"}[role], "value": text} for role, text in dialogue]
    for form in (usual, sharegpt, json.dumps(usual), repr(sharegpt)):
        assert to_training_row({"m": form}, MESSAGES)["messages"] == usual


@given(st.lists(st.text(alphabet="ab \n{}", min_size=1).filter(str.strip), min_size=2, max_size=3))
def test_a_template_with_no_empty_field_is_plain_formatting(texts: list[str]) -> None:
    row = {f"c{index}": text for index, text in enumerate(texts)}
    template = "start\n\n" + "\n\n".join(f"{{{name}}}" for name in row) + "\nend"
    made = to_training_row({**row, "out": "o"}, mapped("prompt_completion", prompt=template, completion="out"))
    assert made["prompt"][0]["content"] == template.format(**row)
