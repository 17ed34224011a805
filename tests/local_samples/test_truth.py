"""The rows mean what they say: answers are worked out again here from the text alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Load = Callable[..., Any]

UNITS = {
    name: number
    for number, name in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
}
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
UNITS |= {name: number for number, name in enumerate(TEENS, start=10)}
TENS = {
    name: 10 * n
    for n, name in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2)
}


def number(words: str) -> int:
    """ "one hundred twenty-three" → 123; written without a look at the code that spells numbers."""
    total = 0
    for word in words.lower().replace("-", " ").split():
        if word == "hundred":
            total *= 100
        else:
            total += UNITS[word] if word in UNITS else TENS[word]
    return total


def worked_out(words: str) -> int:
    left, sign, right = re.fullmatch(r"(.+) (plus|minus|times) (.+)", words.lower()).groups()  # type: ignore[union-attr]
    a, b = number(left), number(right)
    return {"plus": a + b, "minus": a - b, "times": a * b}[sign]


def said_sum(sentence: str) -> bool:
    """Whether "Seven plus five is twelve." is right."""
    task, result = re.fullmatch(r"(.+) is ([a-z -]+)\.", sentence).groups()  # type: ignore[union-attr]
    return worked_out(task) == number(result)


def test_sums_are_right_and_answer_what_was_asked(load: Load) -> None:
    for part in load("sums-in-words").values():
        for row in part:
            for asked, said in zip(row["messages"][::2], row["messages"][1::2], strict=True):
                assert said_sum(said["content"]), said
                task = said["content"].split(" is ")[0].lower()
                assert task in asked["content"]


# How many of the smallest unit of its kind a unit is.
SIZES = {
    "kilometre": ("mm", 1_000_000), "metre": ("mm", 1000), "centimetre": ("mm", 10), "millimetre": ("mm", 1),
    "tonne": ("g", 1_000_000), "kilogram": ("g", 1000), "gram": ("g", 1),
    "litre": ("ml", 1000), "millilitre": ("ml", 1),
    "week": ("s", 604_800), "day": ("s", 86_400), "hour": ("s", 3600), "minute": ("s", 60), "second": ("s", 1),
    "year": ("month", 12), "month": ("month", 1),
    "yard": ("inch", 36), "foot": ("inch", 12), "feet": ("inch", 12), "inch": ("inch", 1), "inche": ("inch", 1),
    "dozen": ("piece", 12), "piece": ("piece", 1),
}  # fmt: skip


def amount(text: str) -> tuple[str, int]:
    count, unit = text.split()
    kind, size = SIZES[unit if unit in SIZES else unit.removesuffix("s")]
    return kind, int(count) * size


def test_conversions_are_right(load: Load) -> None:
    for row in load("unit-conversion-alpaca")["train"]:
        given, result = re.fullmatch(r"(\d+ \w+) (?:is|are) (\d+ \w+)\.", row["output"]).groups()
        assert amount(given) == amount(result), row
        assert given in (row["input"] or row["instruction"])
        asked_for = re.search(r"to (\w+)\.|many (\w+) are|in (\w+)\.", row["instruction"])
        assert asked_for
        unit = next(group for group in asked_for.groups() if group)
        assert amount(f"1 {unit}") == amount(f"1 {result.split()[1]}"), row


DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def test_calendar_answers_are_right(load: Load) -> None:
    import calendar

    kinds = set()
    for part in load("calendar-and-clock").values():
        for row in part:
            asked, said = row["prompt"], row["completion"].strip()
            if match := re.fullmatch(r"Which (day|month) comes (\w+) \w+ (after|before) (\w+)\?", asked):
                what, count, way, start = match.groups()
                names = DAYS if what == "day" else MONTHS
                step = number(count) * (1 if way == "after" else -1)
                assert said.startswith(names[(names.index(start) + step) % len(names)])
            elif match := re.fullmatch(r"How many days does (\w+) have\?", asked):
                days = calendar.monthrange(2025, MONTHS.index(match[1]) + 1)[1]
                assert f"has {days} days." in said
            elif match := re.fullmatch(r"How do you say (\d\d):(\d\d)\?", asked):
                assert spoken(said.split(" is ")[1].rstrip(".")) == (int(match[1]) % 12, int(match[2]))
            elif match := re.fullmatch(r"Is (\w+) part of the weekend\?", asked):
                assert ("the weekend" in said) == (DAYS.index(match[1]) > 4)
            else:
                assert re.fullmatch(r"What is the \w+ month of the year\?", asked), asked
                ordinal, month = re.fullmatch(r"The (\w+) month is (\w+)\.", said).groups()
                assert ordinal in asked
                assert ORDINALS.index(ordinal) == MONTHS.index(month)
            kinds.add(asked.split()[1])
    assert kinds == {"day", "month", "many", "do", "is"} | set(DAYS)


ORDINALS = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
]


def spoken(text: str) -> tuple[int, int]:
    """ "quarter to nine" → (8, 45), hours from 0 to 11."""
    if text.endswith("o'clock"):
        return number(text.split()[0]) % 12, 0
    minutes, way, hour = text.rsplit(" ", 2)
    count = {"quarter": 15, "half": 30}.get(minutes) or number(minutes)
    return (number(hour) % 12, count) if way == "past" else ((number(hour) - 1) % 12, 60 - count)


def minutes_of(text: str) -> int:
    hours, minutes = re.search(r"(\d\d):(\d\d)", text).groups()  # type: ignore[union-attr]
    return int(hours) * 60 + int(minutes)


def test_thumbs_up_means_right(load: Load) -> None:
    for row in load("clock-thumbs-up-down")["train"]:
        wait = int(re.search(r"is it (\d+) minutes later", row["prompt"])[1])  # type: ignore[index]
        right = (minutes_of(row["prompt"]) + wait) % 1440 == minutes_of(row["completion"])
        assert right is row["label"], row


def test_word_problems_have_the_right_answer(load: Load) -> None:
    questions = set()
    for part in load("word-problems").values():
        for row in part:
            text, numbers = row["question"], [int(found) for found in re.findall(r"\d+", row["question"])]
            if "finds" in text:
                wanted = numbers[0] + numbers[1]
            elif "gives" in text:
                wanted = numbers[0] - numbers[1]
            elif "shares" in text:
                assert numbers[0] % numbers[1] == 0
                wanted = numbers[0] // numbers[1]
            elif "rows" in text:
                wanted = numbers[0] * numbers[1]
            else:
                wanted = numbers[0] * numbers[1] + numbers[2]
            assert row["answer"] == wanted, row
            questions.add(text)
    assert len(questions) == 1100


def test_preferred_sums_are_right_and_rejected_ones_are_not(load: Load) -> None:
    sums = 0
    for row in load("better-replies")["train"]:
        if row["prompt"].startswith("What is"):
            assert said_sum(row["chosen"])
            if " is " in row["rejected"] and re.search(r"plus|minus|times", row["rejected"]):
                assert not said_sum(row["rejected"])
                sums += 1
    assert sums > 200


def test_bills_add_up_and_trains_arrive(load: Load) -> None:
    for row in load("cafe-and-station-dialogues", "cafe")["train_sft"]:
        said = [turn["value"] for turn in row["conversations"] if turn["from"] == "gpt"]
        prices = [int(price) for text in said for price in re.findall(r" is (\d+) euros\.", text)]
        total = [int(found) for text in said for found in re.findall(r"makes (\d+) euros", text)]
        assert total == [sum(prices)]
    for row in load("cafe-and-station-dialogues", "station")["train_sft"]:
        said = [turn["value"] for turn in row["conversations"] if turn["from"] == "gpt"]
        takes = int(re.search(r"takes (\d+) minutes", said[1])[1])  # type: ignore[index]
        assert minutes_of(said[0]) + takes == minutes_of(said[1])


def test_tool_results_are_right(load: Load) -> None:
    added = converted = 0
    for row in load("small-tool-calls")["train"]:
        for turn, following in zip(row["messages"], row["messages"][1:], strict=False):
            for call in turn.get("tool_calls") or []:
                given, result = call["function"]["arguments"], json.loads(following["content"])
                if call["function"]["name"] == "add_numbers":
                    assert result == {"sum": given["first"] + given["second"]}
                    added += 1
                elif call["function"]["name"] == "convert_units":
                    assert result["unit"] == given["to_unit"]
                    before, after = f"{given['value']} {given['from_unit']}", f"{result['value']} {result['unit']}"
                    assert amount(before) == amount(after)
                    converted += 1
    assert added > 30
    assert converted > 100


def test_animal_facts_agree_with_themselves(load: Load) -> None:
    legs = {"mammal": {0, 4}, "bird": {2}, "fish": {0}, "insect": {6}, "arachnid": {8}, "amphibian": {4}}
    kinds: dict[str, str] = {}
    counts: dict[str, int] = {}
    for part in load("animals-and-colours").values():
        for row in part:
            if match := re.fullmatch(
                r"(.+) is an? (mammal|bird|fish|insect|arachnid|amphibian|reptile)\.", row["response"]
            ):
                kinds[match[1]] = match[2]
            elif match := re.fullmatch(r"(.+) has (\w+) legs\.", row["response"]):
                counts[match[1]] = 0 if match[2] == "no" else int(match[2])
    assert len(kinds) == len(counts) == 49
    for animal, kind in kinds.items():
        assert counts[animal] in legs.get(kind, {0, 4}), animal
