"""The recipe's fields as the plan pane lists them: name, how a value is shown, and what the arrow keys step through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from screens import show

_POWERS = tuple(2**n for n in range(11))
_RATES = (1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2)
_STEPS = (0, 10, 20, 30, 40, 60, 80, 100, 120, 150, 200, 300, 500, 1000, 2000, 5000, 10000)


@dataclass(frozen=True)
class Field:
    """One line of the recipe. `steps` are the values left and right go through; any valid value can be typed."""

    key: str
    name: str
    steps: Sequence[Any] = ()
    shown: Callable[[Any], str] = str
    about: str = ""


def _yes(value: Any) -> str:
    return "yes" if value else "no"


def _targets(value: Any) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _or_auto(value: Any) -> str:
    return "auto" if not value else str(value)


def _minutes(value: Any) -> str:
    return show.duration(float(value) * 60)


def _cap(value: Any) -> str:
    return show.usd(value) if value else "the settings'"


_YES_NO = (False, True)

FIELDS: tuple[tuple[str, tuple[Field, ...]], ...] = (
    (
        "Adapter",
        (
            Field(
                "lora.rank", "rank", _POWERS[1:10], about="Size of the adapter: more can learn more, and costs memory."
            ),
            Field("lora.alpha", "alpha", _POWERS[1:11], about="Strength of the adapter; rank × 1–2 is usual."),
            Field("lora.dropout", "dropout", (0.0, 0.05, 0.1), show.number, "Dropout inside the adapter."),
            Field(
                "lora.targets",
                "targets",
                ("all-linear",),
                _targets,
                "Which matrices are adapted; names, or all-linear.",
            ),
            Field("lora.rslora", "rsLoRA", _YES_NO, _yes, "Scale by √rank: steadier at high ranks."),
            Field(
                "training.quantization",
                "base in",
                ("4bit", "8bit", "none"),
                about="Precision of the frozen base model.",
            ),
        ),
    ),
    (
        "Training",
        (
            Field("training.max_length", "max length", _POWERS[6:], about="Tokens a row; what is longer is cut."),
            Field("training.batch", "batch", _POWERS[:8], about="Rows at once on the card."),
            Field("training.accumulation", "accumulate", _POWERS[:8], about="Batches summed before each step."),
            Field("training.epochs", "epochs", (0.5, 1.0, 2.0, 3.0, 4.0, 5.0), show.number, "Passes over the data."),
            Field("training.max_steps", "max steps", _STEPS, _or_auto, "Stop after so many steps; auto = by epochs."),
            Field("training.learning_rate", "learn rate", _RATES, show.number, "Peak learning rate."),
            Field("training.scheduler", "schedule", ("cosine", "linear", "constant"), about="How the rate falls."),
            Field(
                "training.warmup", "warm-up", (0.0, 0.03, 0.05, 0.1), show.number, "Share of the steps the rate rises."
            ),
            Field("training.optimizer", "optimizer", ("adamw_8bit", "adamw_torch", "paged_adamw_8bit")),
            Field(
                "training.loss_on", "loss on", ("completion", "all"), about="Train the answers only, or every token."
            ),
            Field("training.packing", "packing", _YES_NO, _yes, "Several short rows in one sequence."),
            Field("training.gradient_checkpointing", "checkpoint", _YES_NO, _yes, "Less memory for a little time."),
            Field("training.seed", "seed", about="Same recipe, same seed: same run."),
        ),
    ),
    (
        "Checks",
        (
            Field(
                "evaluation.fraction", "held out", (0.0, 0.02, 0.05, 0.1, 0.2), show.number, "Share of rows for eval."
            ),
            Field("evaluation.every", "eval every", _STEPS, _or_auto, "Steps between evals; auto = five a run."),
            Field(
                "evaluation.patience", "patience", (0, 2, 3, 5), about="Evals without progress that stop it; 0 = never."
            ),
        ),
    ),
    (
        "Job",
        (
            Field(
                "job.timeout_minutes",
                "timeout",
                (10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440),
                _minutes,
                "The job is stopped after this; you never pay for more.",
            ),
            Field("job.cap_usd", "cap", (0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0), _cap, "The most this run may cost."),
            Field(
                "output.repo",
                "push to",
                (),
                _or_auto,
                "The repo the adapter goes to; auto = made from the names of model and data.",
            ),
            Field("output.private", "private", _YES_NO, _yes, "Whether that repo is private."),
        ),
    ),
)

ALL: dict[str, Field] = {field.key: field for _, fields in FIELDS for field in fields}


def stepped(field: Field, value: Any, by: int) -> Any:
    """The next value in the list (in order of size for numbers), or the same where there is none."""
    steps = list(field.steps)
    if not steps:
        return value
    if value in steps:
        return steps[max(0, min(len(steps) - 1, steps.index(value) + by))]
    if isinstance(value, int | float) and not isinstance(value, bool):
        bigger = [s for s in steps if s > value]
        smaller = [s for s in steps if s < value]
        if by > 0:
            return bigger[0] if bigger else value
        return smaller[-1] if smaller else value
    return steps[0]


def parsed(field: Field, text: str, old: Any) -> Any:
    """What was typed, as the type of the old value; text stays text for the recipe to judge."""
    text = text.strip()
    if field.key == "lora.targets":
        return text if text == "all-linear" else [part for part in text.replace(",", " ").split() if part]
    if isinstance(old, bool):
        return {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}.get(text.lower(), text)
    if isinstance(old, int):
        return int(text) if text.lstrip("-").isdigit() else text
    if isinstance(old, float):
        try:
            return float(text.lstrip("$"))
        except ValueError:
            return text
    return text
