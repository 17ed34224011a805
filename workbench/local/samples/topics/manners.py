"""Pairs of replies where one is plainly better: polite against rude, right against wrong, on topic against rambling."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from workbench.local.samples.topics.arithmetic import Sum, every_sum
from workbench.local.samples.topics.numbers import in_words


@dataclass(frozen=True)
class Choice:
    """A request with a better and a worse reply; scores 1 … 10, the better one's always higher."""

    request: str
    better: str
    worse: str
    score_better: float
    score_worse: float


_FAVOURS = (
    ("open the window", "The window is open now."),
    ("turn down the music", "The music is quieter now."),
    ("bring me a glass of water", "Here is your glass of water."),
    ("help me carry this box", "I am taking the other end."),
    ("pass me the salt", "Here is the salt."),
    ("wait a moment", "Take your time."),
    ("water the plants", "The plants are watered."),
    ("lend me a pencil", "Here is a sharp pencil."),
    ("hold the door", "The door is open for you."),
    ("feed the cat", "The cat has its dinner."),
    ("call me a taxi", "The taxi is on its way."),
    ("read me the menu", "The menu has soup, salad and cake."),
    ("close the gate", "The gate is closed."),
    ("find my glasses", "Your glasses are on the table."),
    ("switch on the light", "The light is on."),
    ("show me the way to the station", "Go straight on and turn left at the bridge."),
)
_ASKING = ("Could you {}?", "Please {}.", "Would you {}, please?", "Can you {} for me?")
_POLITE = ("Of course.", "Gladly.", "With pleasure.", "Certainly.", "Yes, right away.")
_RUDE = ("Do it yourself.", "No. Leave me alone.", "Why should I?", "I can't be bothered.", "That is your problem.")
_RAMBLE = (
    "That reminds me of something else entirely.",
    "Many people wonder about that, and there is much one could say.",
    "Let us talk about the weather instead.",
)


def favour(rng: Random) -> Choice:
    """A small favour: a polite reply with the deed, against a rude one."""
    what, done = rng.choice(_FAVOURS)
    better = f"{rng.choice(_POLITE)} {done}"
    high = round(rng.uniform(7.5, 9.5), 1)
    return Choice(rng.choice(_ASKING).format(what), better, rng.choice(_RUDE), high, round(rng.uniform(1, 3), 1))


def checked_sum(rng: Random, sums: list[Sum]) -> Choice:
    """A sum answered rightly, against the same sentence with a wrong result or a reply that wanders off."""
    one = rng.choice(sums)
    if rng.random() < 0.7:
        wrong = rng.choice([n for n in range(max(0, one.result - 5), one.result + 6) if n != one.result])
        worse = f"{one.words} is {in_words(wrong)}.".capitalize()
        low = round(rng.uniform(2, 4.5), 1)
    else:
        worse, low = rng.choice(_RAMBLE), round(rng.uniform(1, 2.5), 1)
    return Choice(f"What is {one.words}?", one.answer, worse, round(rng.uniform(8, 10), 1), low)


def choices(rng: Random, count: int) -> list[Choice]:
    """`count` choices, half favours and half sums."""
    sums = every_sum()
    return [favour(rng) if rng.random() < 0.5 else checked_sum(rng, sums) for _ in range(count)]
