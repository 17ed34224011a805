"""The smallest change to a recipe that makes it fit a card."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from workbench.plan.anatomy import Anatomy
from workbench.plan.hardware import GpuFacts
from workbench.plan.memory import Engine, Load, parts, without_gpu
from workbench.plan.recipe import Recipe

# (recipe key, value) pairs, in the order they would be set
Mend = tuple[tuple[str, str | int | bool], ...]
# A single change: what to set in the recipe, and the fields of the load it changes.
_Step = tuple[Mend, dict[str, Any]]

_SHORTEST = 256
_LOWEST_RANK = 8


def smallest_mend(anatomy: Anatomy, recipe: Recipe, load: Load, card: GpuFacts, share: float) -> Mend:
    """The fewest and mildest changes after which the need is at most `share` of the card; () if none does.

    Mild first: batch 1 (the accumulation keeps the effective batch), checkpointing, 4-bit, then the ones that change
    what is learnt: a shorter `max_length`, a lower rank. On CPU cores nothing is quantised.
    """
    engine: Engine = "unsloth" if card.model else "trl"
    if not card.model:
        load = without_gpu(anatomy, load)
    room = share * card.usable_gib

    def fits(chosen: tuple[_Step, ...]) -> bool:
        tried = load
        for _, fields in chosen:
            tried = tried._replace(**fields)
        return parts(anatomy, tried, card, engine).total <= room

    steps = tuple(_steps(recipe, load, card))
    if not steps or not fits(steps):  # all together; of several lengths the last, the shortest, stays
        return ()
    for count in range(1, len(steps) + 1):
        for chosen in combinations(steps, count):
            keys = [key for changes, _ in chosen for key, _ in changes]
            if len(set(keys)) == len(keys) and fits(chosen):
                return tuple(pair for changes, _ in chosen for pair in changes)
    return ()


def _steps(recipe: Recipe, load: Load, card: GpuFacts) -> Iterator[_Step]:
    """Single changes, mildest first."""
    training = recipe.training
    if load.batch > 1:
        whole = min(4096, training.batch * training.accumulation)
        yield (("training.batch", 1), ("training.accumulation", whole)), {"batch": 1}
    if not load.checkpointing and card.model:
        yield (("training.gradient_checkpointing", True),), {"checkpointing": True}
    if load.quantization != "4bit" and card.model:
        yield (("training.quantization", "4bit"),), {"quantization": "4bit"}
    if load.optimizer == "adamw_torch" and card.model:
        yield (("training.optimizer", "adamw_8bit"),), {"optimizer": "adamw_8bit"}
    length = load.length // 2
    while length >= _SHORTEST:
        yield (("training.max_length", length),), {"length": length}
        length //= 2
    if recipe.lora.rank > _LOWEST_RANK:
        smaller = load.rank_parameters * _LOWEST_RANK // recipe.lora.rank
        yield (("lora.rank", _LOWEST_RANK),), {"rank_parameters": smaller}
