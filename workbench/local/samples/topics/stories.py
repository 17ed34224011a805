"""Little stories for plain language modelling: a handful of sentences with a beginning, a middle and an end."""

from __future__ import annotations

from random import Random

_NAMES = (
    "Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana", "Ivo", "Jun", "Kai", "Lena", "Mia", "Noor",
    "Otto", "Pia",
)  # fmt: skip
_PLACES = ("the garden", "the beach", "the old mill", "the market", "the forest", "the library", "the harbour")
_WEATHER = ("sunny", "rainy", "windy", "foggy", "cold", "warm")
_FINDS = {
    "a small key": "It opened the blue box in the kitchen.",
    "a lost kitten": "They brought it some milk and it fell asleep.",
    "an old map": "It showed the way to a quiet lake.",
    "a red balloon": "They tied it to the garden gate.",
    "a silver coin": "They gave it to the baker for two warm rolls.",
    "a broken kite": "They mended it with paper and string.",
    "a message in a bottle": "It was a greeting from a sailor far away.",
    "a nest with three eggs": "They stepped back so that the bird could return.",
}
_FEELINGS = ("happy", "proud", "tired but happy", "curious", "very pleased")
_OPENINGS = (
    "It was a {weather} {part}, and {name} walked to {place} with {friend}.",
    "On a {weather} {part}, {name} and {friend} went to {place}.",
    "One {weather} {part} {name} met {friend} at {place}.",
)


def story(rng: Random) -> str:
    """One story of five sentences."""
    name, friend = rng.sample(_NAMES, 2)
    find = rng.choice(sorted(_FINDS))
    opening = rng.choice(_OPENINGS).format(
        weather=rng.choice(_WEATHER),
        part=rng.choice(("morning", "afternoon", "evening")),
        name=name,
        friend=friend,
        place=rng.choice(_PLACES),
    )
    middle = rng.choice(
        (
            f"Near the path {name} found {find}.",
            f"Suddenly {friend} called out: there was {find}!",
            f"Under a bench they saw {find}.",
        )
    )
    asking = rng.choice((f'"What shall we do with it?" asked {friend}.', f'"Look at this!" said {friend}.'))
    ending = f"In the evening {name} went home and was {rng.choice(_FEELINGS)}."
    return " ".join((opening, middle, asking, _FINDS[find], ending))
