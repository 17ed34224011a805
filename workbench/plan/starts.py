"""Sensible starting values for a recipe, each with its reason, from what is known of model and data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.plan.anatomy import Anatomy, lora_parameters
from workbench.plan.hardware import bundled_flavors, facts, find
from workbench.plan.memory import Load, parts
from workbench.plan.recipe import Lora, Method, Quantization, Recipe

if TYPE_CHECKING:
    from workbench.data.lengths import LengthSample

# Below this many parameters a model trains in minutes on CPU cores.
TINY = 50_000_000
# Below this, 16-bit weights leave room enough on every card of the list, and training is quicker than with 4-bit.
_SMALL = 2_500_000_000
# Flavors by what they cost an hour, one card each, the first that the recipe fits is proposed.
_LADDER = ("a10g-small", "l40sx1", "a100-large", "rtx-pro-6000", "h200")
_RATES: dict[Method, tuple[float, str]] = {
    "dpo": (5e-6, "preference losses need small steps"),
    "kto": (5e-6, "preference losses need small steps"),
    "grpo": (5e-6, "rewards are noisy: small steps"),
    "reward": (1e-4, "a new head on a frozen model"),
    "prm": (1e-4, "a new head on a frozen model"),
}


@dataclass(frozen=True)
class Suggestion:
    """A value for one dotted recipe key, and why."""

    key: str
    value: Any
    reason: str


def sensible_start(
    anatomy: Anatomy | None,
    lengths: LengthSample | None,
    rows_total: int | None = None,
    method: Method = "sft",
) -> tuple[Suggestion, ...]:
    """Starting values; what is not known is left as it is. `rows_total` counts where the sample does not say."""
    rows = lengths.total_rows if lengths and lengths.total_rows is not None else rows_total
    tiny = anatomy is not None and anatomy.parameters < TINY
    made = [
        Suggestion("lora.rank", 16, "enough for a style or a task; try 32 or 64 for new knowledge"),
        Suggestion("lora.alpha", 32, "twice the rank"),
    ]
    length = _length(anatomy, lengths)
    if length:
        made.append(length)
    max_length = int(length.value) if length else 1024
    made += _weights(anatomy, tiny)
    made.append(_rate(anatomy, method, tiny))
    batch, accumulation = _batch(max_length, rows, tiny)
    made.append(Suggestion("training.batch", batch, f"rows of up to {max_length} tokens"))
    made.append(Suggestion("training.accumulation", accumulation, f"an effective batch of {batch * accumulation}"))
    made += _how_long(rows, batch * accumulation, tiny)
    made += _evaluation(rows)
    made.append(Suggestion("training.seed", 3407, "any fixed number: the run can be repeated"))
    if anatomy is not None:
        made.append(_flavor(anatomy, made))
    return tuple(made)


def apply(recipe: Recipe, suggestions: Sequence[Suggestion]) -> Recipe:
    """The recipe with every suggestion in it, validated as a whole.

    Raises:
        RecipeError: a suggestion does not do.
    """
    for suggestion in suggestions:
        recipe = recipe.changed(suggestion.key, suggestion.value)
    return recipe


def _length(anatomy: Anatomy | None, lengths: LengthSample | None) -> Suggestion | None:
    if not lengths or not lengths.lengths:
        return None
    wanted = lengths.percentile(99)
    rounded = max(64, -(-wanted // 64) * 64)
    reason = f"99 % of the rows have at most {wanted} tokens"
    if anatomy and anatomy.max_positions and rounded > anatomy.max_positions:
        return Suggestion("training.max_length", anatomy.max_positions, f"the model's context; {reason}")
    return Suggestion("training.max_length", rounded, reason)


def _weights(anatomy: Anatomy | None, tiny: bool) -> list[Suggestion]:
    if anatomy is None:
        return []
    bits: Quantization
    if anatomy.prequantized and anatomy.prequantized != "8bit":
        bits, reason = "4bit", "the repo is stored quantised"
    elif tiny:
        bits, reason = "none", "a tiny model trains in float32 on CPU cores"
    elif anatomy.parameters < _SMALL:
        bits, reason = "none", "small enough for 16 bit, which trains faster"
    else:
        bits, reason = "4bit", "a quarter of the memory, so a cheaper card does"
    made = [Suggestion("training.quantization", bits, reason)]
    if tiny:
        made.append(Suggestion("training.optimizer", "adamw_torch", "no GPU for an 8-bit optimiser"))
        made.append(Suggestion("training.gradient_checkpointing", False, "there is memory to spare, and it is faster"))
    else:
        made.append(Suggestion("training.optimizer", "adamw_8bit", "two bytes a trained weight instead of eight"))
        made.append(Suggestion("training.gradient_checkpointing", True, "the activations of one layer at a time"))
    return made


def _rate(anatomy: Anatomy | None, method: Method, tiny: bool) -> Suggestion:
    key = "training.learning_rate"
    if method in _RATES:
        value, reason = _RATES[method]
        return Suggestion(key, value, reason)
    if tiny:
        return Suggestion(key, 2e-3, "a tiny model needs, and stands, large steps")
    if anatomy is not None and anatomy.parameters > 25_000_000_000:
        return Suggestion(key, 1e-4, "the usual for LoRA, halved for a large model")
    return Suggestion(key, 2e-4, "the usual for LoRA")


def _batch(max_length: int, rows: int | None, tiny: bool) -> tuple[int, int]:
    """(batch, accumulation) for an effective 16, or 8 where there are few rows."""
    if tiny:
        return 8, 1
    effective = 8 if rows is not None and rows < 500 else 16
    batch = 4 if max_length <= 512 else 2 if max_length <= 2048 else 1
    return batch, effective // batch


def _how_long(rows: int | None, effective: int, tiny: bool) -> list[Suggestion]:
    if tiny:
        return [Suggestion("training.max_steps", 80, "enough to see it learn, in a minute or two on two cores")]
    made = [Suggestion("training.max_steps", 0, "counted in epochs")]
    if rows is not None:
        epochs = 3.0 if rows < 2_000 else 2.0 if rows < 10_000 else 1.0
        steps = -(-rows // effective) * int(epochs)
        made.append(Suggestion("training.epochs", epochs, f"{rows:,} rows: about {steps:,} steps"))
    return made


def _evaluation(rows: int | None) -> list[Suggestion]:
    if rows is None:
        return []
    fraction = 0.1 if rows < 500 else 0.05 if rows < 10_000 else 0.02
    held = max(1, round(rows * fraction))
    made = [Suggestion("evaluation.fraction", fraction, f"{held:,} rows held out to see overfitting")]
    if 500 <= rows < 10_000:
        made.append(Suggestion("evaluation.patience", 3, "several epochs on few rows overfit: stop when it turns"))
    else:
        made.append(Suggestion("evaluation.patience", 0, "runs to its end"))
    return made


def _flavor(anatomy: Anatomy, made: Sequence[Suggestion]) -> Suggestion:
    """The first step of the ladder that the suggested recipe fits with room to spare."""
    if anatomy.parameters < TINY:
        return Suggestion("job.flavor", "cpu-basic", "no GPU needed for a model of this size")
    chosen = {item.key: item.value for item in made}
    load = Load(
        quantization=chosen["training.quantization"],
        rank_parameters=lora_parameters(anatomy, Lora(rank=chosen["lora.rank"])),
        batch=chosen["training.batch"],
        length=chosen.get("training.max_length", 1024),
        checkpointing=True,
        optimizer=chosen["training.optimizer"],
    )
    last = _LADDER[-1]
    for name in _LADDER:
        flavor = find(bundled_flavors(), name)
        if flavor is None:
            continue
        card = facts(flavor)
        need = parts(anatomy, load, card, "unsloth").total
        if need <= 0.92 * card.usable_gib:
            return Suggestion("job.flavor", name, f"needs about {need:.0f} of {card.usable_gib:.0f} GiB")
    return Suggestion("job.flavor", last, "the largest card")
