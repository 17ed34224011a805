"""The frontier: for every flavor at once whether a recipe fits, how long it takes and what it costs.

Pure arithmetic on facts fetched before, so that a screen can redraw it at every key. What depends only on the card is
computed once a card, not once a flavor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workbench.hub.records import Flavor
from workbench.plan.anatomy import Anatomy, adapter_bytes
from workbench.plan.duration import Duration, Place, download_bytes, duration
from workbench.plan.guess import anatomy_of_size, size_in_name
from workbench.plan.hardware import GpuFacts, facts
from workbench.plan.memory import Load, MemoryParts, load_of, parts, without_gpu
from workbench.plan.mends import Mend, smallest_mend
from workbench.plan.money import billed_range, format_hours
from workbench.plan.recipe import Recipe
from workbench.plan.steps import Work, work

if TYPE_CHECKING:
    from workbench.data.lengths import LengthSample

Fits = Literal["yes", "tight", "no"]
Basis = Literal["measured", "fitted", "rule"]

# Above this share of the card, fragmentation decides whether a run lives.
TIGHT = 0.92
# A run on CPU cores that takes longer than this is no offer.
SANE_CPU_HOURS = 24.0
# GB on disk beside the model: the image, the job's packages, the dataset, checkpoints of an adapter.
_DISK_BESIDE_GB = 16.0

_NOTHING = MemoryParts(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class FlavorEstimate:
    """One flavor's answer.

    Attributes:
        fits: "yes", "tight" (above 92 % of the memory) or "no".
        memory: GiB of one card (a job uses one, see `why`), or of the machine without one.
        hours, usd: (low, high) for the whole run, start-up included; dollars by the started minute.
        why: one sentence: the part that breaks it, or what is special about it.
        mend: the smallest change that would make it fit, as a sentence; `changes` the same as (recipe key, value).
        timeout_ok: the recipe's timeout covers the upper end of `hours`.
        cap_ok: the upper end of `usd` stays within the cap (always true without one).
        tokens_per_s: training throughput, (low, high).
    """

    flavor: Flavor
    fits: Fits
    memory: MemoryParts
    hours: tuple[float, float]
    usd: tuple[float, float]
    why: str
    mend: str
    timeout_ok: bool
    cap_ok: bool
    changes: Mend = ()
    tokens_per_s: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Frontier:
    """Every flavor's answer, in the order the flavors were given.

    Attributes:
        cheapest: the flavor that costs least of those that fit (one that fits tightly only if no other does).
        fastest: the quickest of those that fit and stay within the cap.
        tokens_per_epoch: real tokens, None while no lengths are known.
        steps: optimiser steps, 0 while the number of rows is unknown.
        basis: "fitted" – sizes from the model, lengths from the data; "rule" – at least one of them is guessed.
        pareto: names of the flavors that no other one beats in both time and money.
    """

    rows: tuple[FlavorEstimate, ...]
    cheapest: str | None
    fastest: str | None
    tokens_per_epoch: float | None
    steps: int
    trainable_parameters: int
    adapter_bytes: int
    basis: Basis
    pareto: frozenset[str]

    def row(self, flavor: str) -> FlavorEstimate | None:
        """The estimate for one flavor by name."""
        return next((row for row in self.rows if row.flavor.name == flavor), None)


def frontier(
    recipe: Recipe,
    anatomy: Anatomy | None,
    lengths: LengthSample | None,
    flavors: Sequence[Flavor],
    *,
    cap_usd: float = 0.0,
    rows_total: int | None = None,
    place: Place = "hub",
) -> Frontier:
    """Estimate `recipe` on every flavor.

    Args:
        anatomy: the model's; None = taken from the size in its name, by rule of thumb.
        lengths: the dataset's length sample; None = rows are taken as half of `max_length`.
        cap_usd: the settings' cap for a run, 0 = none; the recipe's own cap wins.
        rows_total: rows of the split, where `lengths` does not say.
        place: where the job runs, which decides what start-up costs.
    """
    todo = work(recipe, lengths, rows_total)
    body = anatomy or _guessed(recipe.model.id)
    if body is None:
        rows = tuple(_unknown(flavor, recipe.model.id) for flavor in flavors)
        return Frontier(rows, None, None, todo.tokens_per_epoch, todo.steps, 0, 0, "rule", frozenset())
    cap = recipe.job.cap_usd or cap_usd
    estimator = _Estimator(recipe, body, todo, cap, place)
    rows = tuple(estimator.row(flavor) for flavor in flavors)
    certain = anatomy is not None and body.basis == "exact" and todo.measured
    return Frontier(
        rows=rows,
        cheapest=_cheapest(rows),
        fastest=_fastest(rows),
        tokens_per_epoch=todo.tokens_per_epoch,
        steps=todo.steps,
        trainable_parameters=estimator.load.rank_parameters,
        adapter_bytes=estimator.adapter,
        basis="fitted" if certain else "rule",
        pareto=_pareto(rows),
    )


def _guessed(model_id: str) -> Anatomy | None:
    size = size_in_name(model_id)
    return anatomy_of_size(model_id, size) if size else None


def _unknown(flavor: Flavor, model_id: str) -> FlavorEstimate:
    why = f"the size of {model_id} is not known yet"
    return FlavorEstimate(flavor, "no", _NOTHING, (0.0, 0.0), (0.0, 0.0), why, "Open the model first.", False, False)


class _Estimator:
    """One recipe's numbers; remembers what it computed for a card."""

    def __init__(self, recipe: Recipe, anatomy: Anatomy, todo: Work, cap: float, place: Place) -> None:
        self.recipe = recipe
        self.anatomy = anatomy
        self.todo = todo
        self.cap = cap
        self.place = place
        self.load: Load = load_of(anatomy, recipe)
        self.adapter = adapter_bytes(anatomy, recipe.lora)
        self.timeout_hours = recipe.job.timeout_minutes / 60.0
        self.disk_gb = download_bytes(anatomy) / 1e9 + _DISK_BESIDE_GB
        self._needs: dict[bool, MemoryParts] = {}
        self._against: dict[float, MemoryParts] = {}
        self._durations: dict[tuple[str, float], Duration] = {}
        self._mends: dict[tuple[str, float], Mend] = {}

    def row(self, flavor: Flavor) -> FlavorEstimate:
        card = facts(flavor)
        need = self._need(card)
        took = self._duration(card)
        hours = took.hours
        usd = billed_range(hours, flavor.usd_per_hour)
        fits, why, changes = self._verdict(flavor, card, need, hours)
        return FlavorEstimate(
            flavor=flavor,
            fits=fits,
            memory=need,
            hours=hours,
            usd=usd,
            why=why,
            mend=_as_sentence(changes, fits, flavor, card),
            timeout_ok=hours[1] <= self.timeout_hours,
            cap_ok=not self.cap or usd[1] <= self.cap,
            changes=changes,
            tokens_per_s=took.tokens_per_s,
        )

    def _need(self, card: GpuFacts) -> MemoryParts:
        """The same for every GPU; only what is there differs."""
        if card.usable_gib in self._against:
            return self._against[card.usable_gib]
        on_gpu = bool(card.model)
        if on_gpu not in self._needs:
            load = self.load if on_gpu else without_gpu(self.anatomy, self.load)
            self._needs[on_gpu] = parts(self.anatomy, load, card, "unsloth" if on_gpu else "trl")
        self._against[card.usable_gib] = need = self._needs[on_gpu].against(card.usable_gib)
        return need

    def _duration(self, card: GpuFacts) -> Duration:
        key = (card.model, card.peak_flops)
        if key not in self._durations:
            self._durations[key] = duration(
                self.anatomy,
                self.recipe,
                self.todo,
                card,
                quantization=self.load.quantization,
                place=self.place,
                adapter=self.adapter,
            )
        return self._durations[key]

    def _verdict(
        self, flavor: Flavor, card: GpuFacts, need: MemoryParts, hours: tuple[float, float]
    ) -> tuple[Fits, str, Mend]:
        if need.total > need.usable:
            return "no", _too_big(need), self._mend(card)
        if self.place != "demo" and flavor.disk_gb and self.disk_gb > flavor.disk_gb:
            return "no", f"disk: {self.disk_gb:.0f} GB needed, {flavor.disk_gb:.0f} GB there", ()
        if not card.model and hours[1] >= SANE_CPU_HOURS:
            return "no", f"{flavor.vcpu} CPU cores may take {format_hours(hours[1])}", ()
        remarks = self._remarks(flavor, card)
        if need.total > TIGHT * need.usable:
            share = round(100.0 * need.total / need.usable)
            return "tight", "; ".join((f"{share} % of the memory, {need.largest} first", *remarks)), self._mend(card)
        return "yes", "; ".join((f"needs {need.total:.1f} of {need.usable:.1f} GiB", *remarks)), ()

    def _remarks(self, flavor: Flavor, card: GpuFacts) -> tuple[str, ...]:
        """What is special about a flavor that fits."""
        said = []
        if not self.todo.steps:
            said.append("start-up only: the number of rows is not known yet")
        if flavor.gpus > 1:
            said.append(f"uses 1 of {flavor.gpus} GPUs, all are billed")
        if not card.model:
            plain = "plain TRL in float32"
            said.append(plain if self.load.quantization == "none" else f"{plain}, not {self.load.quantization}")
        elif not card.bf16:
            said.append("float16")
        if card.guessed:
            said.append("card not known: from its label")
        return tuple(said)

    def _mend(self, card: GpuFacts) -> Mend:
        key = (card.model, card.usable_gib)
        if key not in self._mends:
            self._mends[key] = smallest_mend(self.anatomy, self.recipe, self.load, card, TIGHT)
        return self._mends[key]


def _too_big(need: MemoryParts) -> str:
    if need.weights > need.usable:
        return f"the weights alone need {need.weights:.1f} of {need.usable:.1f} GiB"
    return f"needs {need.total:.1f} of {need.usable:.1f} GiB, {need.largest} {getattr(need, need.largest):.1f}"


_SENTENCES: dict[str, str] = {
    "training.quantization": "load in {}",
    "training.batch": "batch {}",
    "training.accumulation": "accumulation {}",
    "training.max_length": "max_length {}",
    "training.gradient_checkpointing": "gradient checkpointing on",
    "training.optimizer": "optimizer {}",
    "lora.rank": "rank {}",
}


def _as_sentence(changes: Mend, fits: Fits, flavor: Flavor, card: GpuFacts) -> str:
    if changes:
        text = ", ".join(_SENTENCES[key].format(value) for key, value in changes)
        return f"{text[0].upper()}{text[1:]}."
    if fits == "no":
        return "Take a flavor with a larger card." if card.model else "Take a flavor with a GPU."
    return ""


def _middle(span: tuple[float, float]) -> float:
    return (span[0] + span[1]) / 2.0


def _offered(rows: Sequence[FlavorEstimate]) -> list[FlavorEstimate]:
    """Those that fit well; those that fit tightly only when no other does."""
    return [row for row in rows if row.fits == "yes"] or [row for row in rows if row.fits == "tight"]


def _cheapest(rows: Sequence[FlavorEstimate]) -> str | None:
    best = min(_offered(rows), key=lambda row: (_middle(row.usd), _middle(row.hours)), default=None)
    return best.flavor.name if best else None


def _fastest(rows: Sequence[FlavorEstimate]) -> str | None:
    allowed = [row for row in _offered(rows) if row.cap_ok]
    best = min(allowed, key=lambda row: (_middle(row.hours), _middle(row.usd)), default=None)
    return best.flavor.name if best else None


def _pareto(rows: Sequence[FlavorEstimate]) -> frozenset[str]:
    """Walk from the quickest on; keep each that is cheaper than all before it."""
    offered: list[tuple[float, float, Any]] = sorted(
        (_middle(row.hours), _middle(row.usd), row.flavor.name) for row in rows if row.fits != "no"
    )
    best = float("inf")
    kept = []
    for _, usd, name in offered:
        if usd < best:
            best = usd
            kept.append(name)
    return frozenset(kept)
