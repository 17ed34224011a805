"""Small sums said in words, and little word problems whose answer is a number."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from workbench.local.samples.topics import Pair
from workbench.local.samples.topics.numbers import in_words

# sign → how it is said between two numbers
OPERATIONS = {"+": "plus", "-": "minus", "*": "times"}


@dataclass(frozen=True)
class Sum:
    """`left sign right`; the result is never negative."""

    left: int
    sign: str
    right: int

    @property
    def result(self) -> int:
        if self.sign == "+":
            return self.left + self.right
        return self.left - self.right if self.sign == "-" else self.left * self.right

    @property
    def words(self) -> str:
        return f"{in_words(self.left)} {OPERATIONS[self.sign]} {in_words(self.right)}"

    @property
    def answer(self) -> str:
        return f"{self.words} is {in_words(self.result)}.".capitalize()


def every_sum() -> list[Sum]:
    """All sums of the collection: addition and subtraction within 20, the times tables up to ten."""
    sums = [Sum(a, "+", b) for a in range(21) for b in range(21 - a)]
    sums += [Sum(a, "-", b) for a in range(21) for b in range(a + 1)]
    return sums + [Sum(a, "*", b) for a in range(1, 11) for b in range(1, 11)]


def ask(one: Sum, rng: Random) -> Pair:
    """A question for a sum, in one of a few phrasings."""
    phrasing = rng.choice(("What is {}?", "What is {}?", "How much is {}?", "Please work out {}."))
    return Pair(phrasing.format(one.words), one.answer, one.words)


@dataclass(frozen=True)
class Problem:
    """A word problem with whole-number steps; `answer` is what a program can check."""

    question: str
    answer: int
    steps: str


_NAMES = (
    "Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jun", "Kai", "Lena", "Mia", "Noor",
    "Otto", "Pia",
)  # fmt: skip
_THINGS = (
    "apples", "pencils", "stamps", "marbles", "buttons", "shells", "stickers", "walnuts", "cards", "plums",
)  # fmt: skip


def word_problem(rng: Random) -> Problem:
    """One problem: gaining, giving away, sharing out, rows of things, or two steps in a row."""
    name, other = rng.sample(_NAMES, 2)
    thing = rng.choice(_THINGS)
    kind = rng.randrange(5)
    a, b, c = rng.randint(2, 30), rng.randint(2, 20), rng.randint(2, 9)
    if kind == 0:
        text = f"{name} has {a} {thing} and finds {b} more. How many {thing} does {name} have now?"
        return Problem(text, a + b, f"{a} + {b} = {a + b}")
    if kind == 1:
        text = f"{name} has {a + b} {thing} and gives {b} of them to {other}. How many {thing} are left?"
        return Problem(text, a, f"{a + b} - {b} = {a}")
    if kind == 2:
        text = f"{name} shares {b * c} {thing} equally among {c} friends. How many {thing} does each friend get?"
        return Problem(text, b, f"{b * c} / {c} = {b}")
    if kind == 3:
        text = f"{name} lays out {c} rows with {b} {thing} in each row. How many {thing} are there in all?"
        return Problem(text, b * c, f"{c} * {b} = {b * c}")
    text = f"{name} buys {c} bags of {b} {thing} and already had {a}. How many {thing} does {name} have now?"
    return Problem(text, a + b * c, f"{c} * {b} = {b * c}; {b * c} + {a} = {a + b * c}")
