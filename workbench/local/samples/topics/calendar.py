"""Days, months and the clock: questions whose answers can be counted on fingers."""

from __future__ import annotations

from random import Random

from workbench.local.samples.topics import Pair
from workbench.local.samples.topics.numbers import in_words

DAYS = (
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
# Days of each month in a year that is no leap year.
LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def clock(hour: int, minute: int) -> str:
    """24-hour time as people say it: "half past seven", "quarter to nine", "twenty past four"."""
    this, following = in_words((hour - 1) % 12 + 1), in_words(hour % 12 + 1)
    if minute == 0:
        return f"{this} o'clock"
    named = {15: "quarter", 30: "half"}
    if minute <= 30:
        return f"{named.get(minute, in_words(minute))} past {this}"
    return f"{named.get(60 - minute, in_words(60 - minute))} to {following}"


def every_question() -> list[Pair]:
    """Every calendar question there is in this collection, in a fixed order."""
    pairs: list[Pair] = []
    for names, what in ((DAYS, "day"), (MONTHS, "month")):
        for index, name in enumerate(names):
            for step in range(1, 7):
                for word, sign in (("after", 1), ("before", -1)):
                    there = names[(index + sign * step) % len(names)]
                    count = f"{in_words(step)} {what}{'s' if step > 1 else ''}"
                    question = f"Which {what} comes {count} {word} {name}?"
                    pairs.append(Pair(question, f"{there} comes {count} {word} {name}.", question))
    for index, name in enumerate(MONTHS):
        days = LENGTHS[index]
        note = " In a leap year it has 29." if name == "February" else ""
        pairs.append(Pair(f"How many days does {name} have?", f"{name} has {days} days.{note}", name))
        ordinal = _ORDINALS[index]
        pairs.append(Pair(f"What is the {ordinal} month of the year?", f"The {ordinal} month is {name}.", ordinal))
    for name in DAYS:
        kind = "the weekend" if name in ("Saturday", "Sunday") else "the working week"
        pairs.append(Pair(f"Is {name} part of the weekend?", f"{name} is part of {kind}.", f"weekend {name}"))
    for hour in range(24):
        for minute in range(0, 60, 5):
            time = f"{hour:02d}:{minute:02d}"
            pairs.append(Pair(f"How do you say {time}?", f"{time} is {clock(hour, minute)}.", time))
    return pairs


_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth",
)  # fmt: skip


def later(rng: Random) -> tuple[str, str, str]:
    """(question, right answer, wrong answer) about a time some minutes later; all in 24-hour notation."""
    start = rng.randrange(0, 24 * 60, 5)
    wait = rng.choice((5, 10, 15, 20, 25, 30, 40, 45, 50, 60, 75, 90, 120))
    right = (start + wait) % (24 * 60)
    wrong = (right + rng.choice((-60, -30, -10, 10, 30, 60))) % (24 * 60)
    question = f"It is {_time(start)}. What time is it {wait} minutes later?"
    return question, f"It is {_time(right)}.", f"It is {_time(wrong)}."


def _time(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
