"""Every dataset loads as people load datasets, with the columns of its shape; the dirty one is dirty as it says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.local.samples.topics import support

Load = Callable[..., Any]

# name: (columns, rows by split)
SHAPES = {
    "sums-in-words": ({"messages"}, {"train": 2000, "test": 200}),
    "unit-conversion-alpaca": ({"instruction", "input", "output"}, {"train": 996}),
    "animals-and-colours": ({"question", "response"}, {"train": 494, "test": 60}),
    "calendar-and-clock": ({"prompt", "completion"}, {"train": 497, "test": 50}),
    "little-stories": ({"text"}, {"train": 1400, "test": 100}),
    "better-replies": ({"prompt", "chosen", "rejected"}, {"train": 1000, "test": 100}),
    "better-replies-scored": (
        {"chosen", "rejected", "score_chosen", "score_rejected"},
        {"train": 800, "test": 80},
    ),
    "clock-thumbs-up-down": ({"prompt", "completion", "label"}, {"train": 900, "test": 100}),
    "word-problems": ({"question", "answer"}, {"train": 1000, "test": 100}),
    "small-tool-calls": ({"messages", "tools"}, {"train": 640, "test": 60}),
}


@pytest.mark.parametrize("name", SHAPES)
def test_it_loads_with_the_columns_of_its_shape(load: Load, name: str) -> None:
    columns, rows = SHAPES[name]
    loaded = load(name)
    assert {split: len(part) for split, part in loaded.items()} == rows
    for part in loaded.values():
        assert set(part.column_names) == columns


@pytest.mark.parametrize("config", ["cafe", "station"])
def test_the_dialogues_have_two_configs_and_named_splits(load: Load, config: str) -> None:
    loaded = load("cafe-and-station-dialogues", config)
    assert {split: len(part) for split, part in loaded.items()} == {"train_sft": 600, "test_sft": 60}
    for row in loaded["train_sft"]:
        roles = [turn["from"] for turn in row["conversations"]]
        assert roles[0] in ("system", "human")
        talk = [role for role in roles if role != "system"]
        assert talk == ["human", "gpt"] * (len(talk) // 2)
    systems = sum(row["conversations"][0]["from"] == "system" for row in loaded["train_sft"])
    assert 200 < systems < 400


def test_the_dialogues_ask_for_a_config(load: Load) -> None:
    with pytest.raises(ValueError, match="Config name is missing"):
        load("cafe-and-station-dialogues")


def test_chats_alternate_and_end_with_the_assistant(load: Load) -> None:
    for row in load("sums-in-words")["train"]:
        roles = [turn["role"] for turn in row["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)


def test_most_alpaca_inputs_are_empty(load: Load) -> None:
    inputs = load("unit-conversion-alpaca")["train"]["input"]
    assert 0.15 < sum(bool(text) for text in inputs) / len(inputs) < 0.35


def test_implicit_preferences_share_the_user_turn(load: Load) -> None:
    for row in load("better-replies-scored")["train"]:
        assert row["chosen"][:-1] == row["rejected"][:-1]
        assert row["chosen"][-1] != row["rejected"][-1]
        assert row["chosen"][-1]["role"] == row["rejected"][-1]["role"] == "assistant"
        assert row["score_chosen"] > row["score_rejected"]


def test_labels_and_answers_have_their_types(load: Load) -> None:
    labels = load("clock-thumbs-up-down")["train"]["label"]
    assert {type(label) for label in labels} == {bool}
    assert 0.5 < sum(labels) / len(labels) < 0.7
    assert {type(answer) for answer in load("word-problems")["train"]["answer"]} == {int}


def test_tool_calls_come_with_results_and_descriptions(load: Load) -> None:
    rows = load("small-tool-calls")["train"]
    with_call = 0
    for row in rows:
        on_offer = {tool["function"]["name"]: tool["function"]["parameters"] for tool in row["tools"]}
        for turn, following in zip(row["messages"], row["messages"][1:], strict=False):
            for call in turn.get("tool_calls") or []:
                parameters = on_offer[call["function"]["name"]]
                assert set(call["function"]["arguments"]) == set(parameters["required"])
                assert following["role"] == "tool"
                json.loads(following["content"])
                with_call += 1
    assert len(rows) * 0.7 < with_call < len(rows)


def test_no_held_out_calendar_question_is_trained_on(load: Load) -> None:
    loaded = load("calendar-and-clock")
    assert not set(loaded["train"]["prompt"]) & set(loaded["test"]["prompt"])


def test_the_dirty_file_does_not_load(load: Load) -> None:
    from datasets.exceptions import DatasetGenerationError

    with pytest.raises(DatasetGenerationError):
        load("support-dump-dirty")


def test_the_dirty_file_is_dirty_as_its_card_says(built: Path) -> None:
    folder = built / "datasets" / "sample-lab" / "support-dump-dirty"
    lines = (folder / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
    broken, rows = [], []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            broken.append(number)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert broken == [support.BROKEN_LINE]
    assert f"line {support.BROKEN_LINE} of" in card

    found: Counter[str] = Counter()
    seen: set[str] = set()
    for row in rows:
        turns = row["messages"]
        roles = [turn["role"] for turn in turns]
        text = json.dumps(turns)
        found["duplicate"] += text in seen
        seen.add(text)
        if roles == ["assistant", "user"]:
            found["wrong role order"] += 1
            continue
        if roles == ["user"]:
            found["no assistant"] += 1
            continue
        asked, said = (turn["content"] for turn in turns)
        found["null target"] += said is None
        found["empty target"] += said == ""
        said = said or "-"
        found["blank target"] += not said.strip()
        found["target equals prompt"] += said == asked
        found["mojibake"] += "Ã" in said
        found["secret"] += support.FAKE_SECRET in said
        found["boilerplate"] += said.startswith("As an AI")
        found["very long"] += len(said) > 2000
    assert found == Counter(support.FLAWS)
    for flaw, count in found.items():
        assert f"| {flaw} | {count} |" in card
