"""Converting units by whole factors, so that every answer is exact."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Conversion:
    """`amount` of `big` is `amount · factor` of `small`; `back` asks the other way round."""

    amount: int
    big: str
    small: str
    factor: int
    back: bool

    @property
    def given(self) -> str:
        return quantity(self.amount * self.factor, self.small) if self.back else quantity(self.amount, self.big)

    @property
    def result(self) -> str:
        return quantity(self.amount, self.big) if self.back else quantity(self.amount * self.factor, self.small)

    @property
    def target(self) -> str:
        return plural(self.big if self.back else self.small)

    @property
    def sentence(self) -> str:
        total = self.amount * self.factor if self.back else self.amount
        return f"{self.given} {'is' if total == 1 else 'are'} {self.result}."


# big unit, small unit, small units in a big one, largest amount of the big one that is asked for
UNITS = (
    ("kilometre", "metre", 1000, 40),
    ("metre", "centimetre", 100, 60),
    ("centimetre", "millimetre", 10, 90),
    ("kilogram", "gram", 1000, 40),
    ("tonne", "kilogram", 1000, 30),
    ("litre", "millilitre", 1000, 30),
    ("hour", "minute", 60, 24),
    ("minute", "second", 60, 30),
    ("day", "hour", 24, 14),
    ("week", "day", 7, 30),
    ("year", "month", 12, 20),
    ("foot", "inch", 12, 30),
    ("yard", "foot", 3, 40),
    ("dozen", "piece", 12, 20),
)
_PLURALS = {"foot": "feet", "inch": "inches", "dozen": "dozen"}


def plural(unit: str) -> str:
    return _PLURALS.get(unit, unit + "s")


def quantity(amount: int, unit: str) -> str:
    """ "1 metre", "3 metres"."""
    return f"{amount} {unit if amount == 1 else plural(unit)}"


def every_conversion() -> list[Conversion]:
    return [
        Conversion(amount, big, small, factor, back)
        for big, small, factor, most in UNITS
        for amount in range(1, most + 1)
        for back in (False, True)
    ]


def instruct(one: Conversion, rng: Random) -> tuple[str, str]:
    """(instruction, input): the quantity stands in the instruction, or – in one of four – in the input."""
    if rng.random() < 0.25:
        return f"Convert the given quantity to {one.target}.", one.given
    phrasing = rng.choice(
        ("Convert {given} to {target}.", "How many {target} are {given}?", "Express {given} in {target}.")
    )
    return phrasing.format(given=one.given, target=one.target), ""
