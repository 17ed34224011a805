"""Verdicts by value: the sample Hub's shapes, the 68 real schemas, their traps – and rows nobody planned for."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from job_scripts.train import RowError, to_training_row
from tests.data.schema_rows import SCHEMAS, rows_for
from tests.data.world import items
from workbench.data.propose import METHODS, Verdict, judge, judge_all
from workbench.hub import rows
from workbench.hub.client import Hub

WORDS = {"ready": "ready", "map": "needs_mapping", "no": "incompatible"}


# --- the sample Hub: (config, split), sft, dpo, kto, grpo, and the columns of the SFT mapping

SAMPLES: dict[str, tuple[str, str, str, str, str, str, dict[str, str]]] = {
    "sums-in-words": ("default", "train", "ready", "no", "no", "map", {"messages": "messages"}),
    "cafe-and-station-dialogues": ("cafe", "train_sft", "map", "no", "no", "map", {"messages": "conversations"}),
    "unit-conversion-alpaca": (
        "default",
        "train",
        "map",
        "no",
        "no",
        "map",
        {"prompt": "{instruction}\n\n{input}", "completion": "output"},
    ),
    "animals-and-colours": (
        "default",
        "train",
        "map",
        "no",
        "no",
        "map",
        {"prompt": "question", "completion": "response"},
    ),
    "calendar-and-clock": (
        "default",
        "train",
        "ready",
        "no",
        "no",
        "map",
        {"prompt": "prompt", "completion": "completion"},
    ),
    "better-replies": (
        "default",
        "train",
        "map",
        "ready",
        "no",
        "map",
        {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"},
    ),
    "better-replies-scored": (
        "default",
        "train",
        "map",
        "ready",
        "no",
        "no",
        {"chosen": "chosen", "rejected": "rejected"},
    ),
    "clock-thumbs-up-down": (
        "default",
        "train",
        "map",
        "no",
        "ready",
        "map",
        {"prompt": "prompt", "completion": "completion", "label": "label"},
    ),
    "word-problems": ("default", "train", "map", "no", "no", "map", {"prompt": "question", "completion": "answer"}),
    "small-tool-calls": (
        "default",
        "train",
        "ready",
        "no",
        "no",
        "map",
        {"messages": "messages", "tools": "tools"},
    ),
    "support-dump-dirty": ("default", "train", "ready", "no", "no", "map", {"messages": "messages"}),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sample_hub(hub: Hub, name: str) -> None:
    config, split, sft, dpo, kto, grpo, columns = SAMPLES[name]
    page = rows.rows(hub, f"sample-lab/{name}", config, split, limit=60)
    verdicts = judge_all(page)
    told = {method: verdicts[method].verdict for method in ("sft", "dpo", "kto", "grpo", "prm")}
    expected = {"sft": sft, "dpo": dpo, "kto": kto, "grpo": grpo, "prm": "no"}
    assert told == {method: WORDS[word] for method, word in expected.items()}
    assert verdicts["sft"].mapping is not None
    assert verdicts["sft"].mapping.columns == columns


def test_the_gated_sample() -> None:
    from workbench.local.samples.shapes import little_stories

    made = little_stories(Random(1))
    verdict = judge(next(iter(made.tables.values()))[:60], "sft")
    assert verdict.verdict == "ready"
    assert verdict.mapping is not None
    assert (verdict.mapping.shape, verdict.mapping.columns) == ("text", {"text": "text"})


# --- the 68 schemas


def verdicts_for(index: int) -> dict[Any, Verdict]:
    return judge_all(rows_for(index))


@pytest.mark.parametrize("index", range(len(SCHEMAS)), ids=[f"{n}-{s['id']}" for n, s in enumerate(SCHEMAS)])
def test_a_real_schema(index: int) -> None:
    schema = SCHEMAS[index]
    sample = rows_for(index)
    assert set(sample[0]) == set(schema["columns"])
    verdicts = judge_all(sample)
    assert verdicts["sft"].verdict == WORDS[schema["sft"]], verdicts["sft"]
    assert verdicts["dpo"].verdict == WORDS[schema["dpo"]], verdicts["dpo"]
    sft = verdicts["sft"].mapping
    if sft is not None:
        if schema["sft_prompt_col"] and "prompt" in sft.columns:
            assert schema["sft_prompt_col"] in sft.columns["prompt"]
        if schema["sft_response_col"]:
            sources = [sft.columns[role] for role in ("completion", "chosen", "rejected") if role in sft.columns]
            assert any(schema["sft_response_col"] in source for source in sources)
    for method in METHODS:
        mapping = verdicts[method].mapping
        if mapping is not None:
            assert not mapping.missing()
            assert _made(sample, mapping.as_dict(), method), f"no row trains {method}"


# Schemas whose rows would have to be put together before a mapping can speak of them.
REBUILT = {"sft": {22, 24, 61}, "dpo": {22, 24, 57, 61}}


def test_what_has_no_mapping_yet() -> None:
    for method, expected in REBUILT.items():
        verdicts = {index: verdicts_for(index)[method] for index in range(len(SCHEMAS))}
        found = {index for index, v in verdicts.items() if v.verdict == "needs_mapping" and v.mapping is None}
        assert found == expected


def _made(sample: list[dict[str, Any]], mapping: dict[str, Any], method: str) -> list[dict[str, Any]]:
    made = []
    for row in sample:
        try:
            made.append(to_training_row(row, mapping, method))
        except RowError:
            continue
    return made


def trained(index: int, method: str = "sft", count: int = 40) -> list[dict[str, Any] | None]:
    """The training rows of schema `index` under the proposed mapping, None for rows left out."""
    sample = rows_for(index, count)
    mapping = judge_all(sample)[method].mapping  # type: ignore[index]
    assert mapping is not None
    return [next(iter(_made([row], mapping.as_dict(), method)), None) for row in sample]


def last(turns: list[dict[str, Any]]) -> str:
    return str(turns[-1]["content"])


@pytest.mark.parametrize("index", [23, 25, 26, 27, 28, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 66])
def test_the_better_answer_is_the_chosen_one(index: int) -> None:
    world = items(40, seed=index)
    checked = 0
    for item, row in zip(world, trained(index, "dpo"), strict=True):
        if row is None:  # a tie
            continue
        answer, worse = last(row["chosen"]), last(row["rejected"])
        assert item.answer in answer
        assert item.answer not in worse
        assert item.question in last(row["prompt"])
        checked += 1
    assert checked >= 25


@pytest.mark.parametrize("index", [23, 27, 28, 30, 62, 63])
def test_sft_never_trains_on_answers_called_worse(index: int) -> None:
    for item, row in zip(items(40, seed=index), trained(index), strict=True):
        assert row is None or item.answer in last(row["completion"])


def test_traps() -> None:
    # A string prompt beside messages, pre-rendered copies, token ids: only the messages are kept.
    for index in (3, 5, 7, 11):
        row = trained(index)[0]
        assert row is not None
        assert set(row) == {"messages"}
        assert {turn["role"] for turn in row["messages"]} <= {"user", "assistant", "system"}
    # The system prompt outside the list comes along.
    row = trained(4)[0]
    assert row is not None and row["messages"][0]["role"] == "system"
    row = trained(31, "dpo")[0]
    assert row is not None and row["prompt"][0]["role"] == "system"
    # A third key in a turn is kept.
    row = trained(12)[1]
    assert row is not None and any("thinking" in turn for turn in row["messages"])
    # Reasoning goes before the answer, the final answer behind it, the decoy question nowhere.
    row = trained(42)[0]
    assert row is not None and last(row["completion"]).startswith("<think>")
    row = trained(51)[1]
    assert row is not None and last(row["completion"]).endswith("\n\n" + items(2, seed=51)[1].short)
    sample = rows_for(43)
    for given_row, row in zip(sample, trained(43), strict=True):
        assert row is not None
        assert last(row["prompt"]) == given_row["query"]
    # What is asked about comes with the question.
    for index, material in ((44, "CREATE TABLE"), (46, "CREATE TABLE")):
        row = trained(index)[0]
        assert row is not None and material in last(row["prompt"]) and "SELECT" in last(row["completion"])
    # An empty input leaves no gap.
    assert all(row is not None and "\n\n\n" not in last(row["prompt"]) for row in trained(54))
    # Tools and their calls, out of JSON in strings.
    row = trained(18)[0]
    assert row is not None and row["tools"] and row["completion"][0]["tool_calls"]
    row = trained(19)[0]
    assert row is not None and {"tool"} < {turn["role"] for turn in row["messages"]}
    row = trained(20)[0]
    assert row is not None and len(row["tools"]) == 2
    # The solution of a math problem is what stands behind the mark.
    row = trained(56, "grpo")[1]
    assert row is not None and row["solution"] == items(2, seed=56)[1].short


@pytest.mark.parametrize(
    ("index", "method", "verdict"),
    [
        (59, "grpo", "ready"),
        (60, "prm", "ready"),
        (62, "kto", "ready"),
        (63, "kto", "needs_mapping"),
        (58, "grpo", "needs_mapping"),
        (32, "reward", "ready"),
        (30, "kto", "incompatible"),
        (0, "prm", "incompatible"),
    ],
)
def test_other_methods(index: int, method: Any, verdict: str) -> None:
    assert verdicts_for(index)[method].verdict == verdict


# --- names are a weak hint


@pytest.mark.parametrize("index", [0, 4, 13, 14, 18, 19, 32, 33, 34, 37, 42, 49, 52, 54, 60, 65])
def test_names_that_say_nothing(index: int) -> None:
    """With every column renamed, the verdict still holds wherever values alone can tell."""
    names = {name: f"field_{n}" for n, name in enumerate(SCHEMAS[index]["columns"])}
    sample = [{names[name]: value for name, value in row.items()} for row in rows_for(index)]
    verdict = judge(sample, "sft")
    assert verdict.verdict == "needs_mapping"
    assert verdict.mapping is not None


@pytest.mark.parametrize(("prompt", "completion"), [("response", "question"), ("output", "input"), ("a", "b")])
def test_names_that_lie(prompt: str, completion: str) -> None:
    """Who asks and who answers shows in the values, even against the names."""
    sample = [{prompt: item.question, completion: item.answer} for item in items(40)]
    mapping = judge(sample, "sft").mapping
    if prompt == "a":
        assert mapping is not None
        assert mapping.columns == {"prompt": prompt, "completion": completion}
    else:
        assert mapping is None or mapping.columns == {"prompt": prompt, "completion": completion}


def test_a_handful_of_rows_is_enough() -> None:
    few = [{"question": item.question, "answer": item.answer} for item in items(3)]
    assert judge(few, "sft").mapping is not None
    one = [{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}]
    assert judge(one, "sft").verdict == "ready"


def test_no_rows() -> None:
    assert {verdict.verdict for verdict in judge_all([]).values()} == {"incompatible"}


# --- rows nobody planned for

CELLS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=True)
    | st.text(max_size=30)
    | st.sampled_from(["user", "assistant", "Human: a\n\nAssistant: b", "[{}]", '{"role": "user"}', "[1", "{a}"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["role", "from", "content", "value", "name", "arguments", "answer", "rank", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["messages", "prompt", "chosen", "rejected", "label", "text", "answers", "a{b}", "a.b", "labels", "", "tools"]
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(NAMES, CELLS, max_size=5), max_size=6))
def test_judging_never_raises(sample: list[dict[str, Any]]) -> None:
    for method, verdict in judge_all(sample).items():
        assert verdict.method == method
        assert 0.0 <= verdict.confidence <= 1.0
        assert verdict.reason.endswith(".")
        if verdict.verdict == "ready":
            assert verdict.mapping is not None
