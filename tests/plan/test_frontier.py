"""Every flavor's answer: fit, time, money, and what to change where it does not fit."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plan.making import card, flavor, lengths, recipe
from tests.plan.models import CONFIGS, anatomy
from workbench.plan.anatomy import Anatomy
from workbench.plan.frontier import TIGHT, FlavorEstimate, Frontier, frontier
from workbench.plan.hardware import bundled_flavors, facts
from workbench.plan.memory import memory
from workbench.plan.money import billed_usd
from workbench.plan.recipe import Recipe

FLAVORS = bundled_flavors()
SAMPLE = lengths(*range(50, 900, 7), rows=5_000)


def of(name: str, made: Recipe | None = None, **more: float) -> Frontier:
    return frontier(made or recipe(), anatomy(name), SAMPLE, FLAVORS, **more)  # type: ignore[arg-type]


def row(found: Frontier, name: str) -> FlavorEstimate:
    estimate = found.row(name)
    assert estimate is not None
    return estimate


def test_every_flavor_in_its_order() -> None:
    found = of("Llama-3.1-8B")
    assert [estimate.flavor for estimate in found.rows] == list(FLAVORS)
    assert found.trainable_parameters == 41_943_040
    assert found.adapter_bytes == 4 * 41_943_040
    assert found.basis == "fitted"
    assert found.row("no-such-flavor") is None


@pytest.mark.parametrize("name", ["SmolLM2-135M", "Llama-3.1-8B", "Qwen3-32B", "Llama-3.3-70B"])
@pytest.mark.parametrize("bits", ["4bit", "none"])
def test_what_is_said_about_each_flavor_holds(name: str, bits: str) -> None:
    made = recipe(training__quantization=bits)
    found = of(name, made, cap_usd=10.0)
    for estimate in found.rows:
        place = facts(estimate.flavor)
        assert estimate.memory == memory(anatomy(name), made, place)
        if estimate.memory.total > place.usable_gib:
            assert estimate.fits == "no"
        elif estimate.fits == "tight":
            assert estimate.memory.total > TIGHT * place.usable_gib
        assert 0 < estimate.hours[0] <= estimate.hours[1]
        assert estimate.timeout_ok == (estimate.hours[1] * 60 <= made.job.timeout_minutes)
        assert estimate.cap_ok == (estimate.usd[1] <= 10.0)
        for hours, usd in zip(estimate.hours, estimate.usd, strict=True):
            minutes = math.ceil(hours * 60 - 1e-6)
            assert usd == pytest.approx(minutes * estimate.flavor.usd_per_hour / 60)
            assert usd == billed_usd(hours * 3600, estimate.flavor.usd_per_hour)
        assert estimate.why
        assert estimate.mend or estimate.fits != "no"
        assert not (estimate.mend and estimate.fits == "yes")


def test_cheapest_and_fastest_are_the_best_of_those_that_fit() -> None:
    found = of("Llama-3.1-8B", cap_usd=20.0)
    fitting = [estimate for estimate in found.rows if estimate.fits == "yes"]
    cheapest, fastest = row(found, found.cheapest or ""), row(found, found.fastest or "")
    assert sum(cheapest.usd) == min(sum(estimate.usd) for estimate in fitting)
    allowed = [estimate for estimate in fitting if estimate.cap_ok]
    assert sum(fastest.hours) == min(sum(estimate.hours) for estimate in allowed)
    assert {found.cheapest, found.fastest} <= found.pareto


def test_no_pareto_flavor_is_beaten() -> None:
    found = of("Qwen3-14B")
    for name in found.pareto:
        here = row(found, name)
        for other in found.rows:
            if other.fits == "no":
                continue
            assert not (sum(other.hours) < sum(here.hours) and sum(other.usd) < sum(here.usd))


def test_fastest_stays_within_the_cap() -> None:
    rich, poor = of("Llama-3.1-8B", cap_usd=1000.0), of("Llama-3.1-8B", cap_usd=0.001)
    assert rich.fastest is not None
    assert poor.fastest is None
    assert poor.cheapest == rich.cheapest
    assert not any(estimate.cap_ok for estimate in poor.rows)


def test_the_recipes_own_cap_wins() -> None:
    found = of("Llama-3.1-8B", recipe(job__cap_usd=500.0), cap_usd=0.001)
    assert row(found, "a10g-small").cap_ok


def test_several_gpus_cost_more_and_help_nothing() -> None:
    found = of("Llama-3.1-8B")
    one, four = row(found, "l4x1"), row(found, "l4x4")
    assert four.hours == one.hours
    assert four.memory == one.memory
    assert four.usd[0] > 4 * one.usd[0]
    assert "uses 1 of 4 GPUs" in four.why


def test_16_bit_does_not_fit_where_4_bit_does_and_says_so() -> None:
    no = row(of("Llama-3.1-8B", recipe(training__quantization="none")), "t4-small")
    assert no.fits == "no"
    assert "weights alone" in no.why
    assert no.changes == (("training.quantization", "4bit"),)
    assert row(of("Llama-3.1-8B"), "t4-small").fits == "yes"


@pytest.mark.parametrize("name", ["Llama-3.1-8B", "Qwen3-14B", "Qwen3-32B", "Llama-3.3-70B", "Gemma-2-9B"])
def test_every_mend_makes_it_fit(name: str) -> None:
    made = recipe(
        training__quantization="none", training__batch=8, training__max_length=16384, lora__rank=128,
        training__gradient_checkpointing=False, training__optimizer="adamw_torch",
    )  # fmt: skip
    mended = 0
    for estimate in of(name, made).rows:
        if estimate.fits == "no" and estimate.changes:
            better = made
            for key, value in estimate.changes:
                better = better.changed(key, value)
            assert memory(anatomy(name), better, facts(estimate.flavor)).total <= estimate.memory.usable
            mended += 1
    assert mended


def test_a_mend_keeps_the_effective_batch() -> None:
    made = recipe(training__batch=64, training__accumulation=2, training__max_length=4096)
    estimate = row(of("Llama-3.1-8B", made), "l4x1")
    assert dict(estimate.changes) == {"training.batch": 1, "training.accumulation": 128}
    assert estimate.mend == "Batch 1, accumulation 128."


def test_a_tiny_model_on_cpu_cores(tiny: Anatomy) -> None:
    found = frontier(recipe(training__max_steps=80), tiny, lengths(40, 80, rows=400), FLAVORS, place="demo")
    cpu = row(found, "cpu-basic")
    assert cpu.fits == "yes"
    assert "plain TRL in float32, not 4bit" in cpu.why
    assert found.cheapest == "cpu-basic"


def test_a_large_model_on_cpu_cores_is_refused_for_its_time() -> None:
    slow = row(of("Llama-3.2-3B"), "cpu-performance")
    assert slow.memory.total < slow.memory.usable
    assert slow.fits == "no"
    assert "32 CPU cores may take" in slow.why
    assert slow.mend == "Take a flavor with a GPU."


def test_the_disk_must_hold_the_model() -> None:
    small_disk = replace(flavor("h200"), disk_gb=100)
    made = recipe()
    (estimate,) = frontier(made, anatomy("Llama-3.3-70B"), SAMPLE, [small_disk]).rows
    assert estimate.fits == "no"
    assert estimate.why.startswith("disk: ")


def test_without_an_anatomy_the_name_decides_and_it_is_marked() -> None:
    found = frontier(recipe("owner/Some-8B"), None, SAMPLE, FLAVORS)
    assert found.basis == "rule"
    assert row(found, "a10g-small").fits == "yes"
    real = row(of("Llama-3.1-8B"), "a10g-small").memory.total
    assert row(found, "a10g-small").memory.total == pytest.approx(real, rel=0.15)


def test_a_model_of_unknown_size_is_said_to_be_unknown() -> None:
    found = frontier(recipe("owner/mystery"), None, SAMPLE, FLAVORS)
    assert (found.cheapest, found.fastest, found.pareto) == (None, None, frozenset())
    assert all("not known" in estimate.why for estimate in found.rows)


def test_without_rows_only_the_start_up_is_told() -> None:
    found = frontier(recipe(), anatomy("Llama-3.1-8B"), None, FLAVORS)
    assert (found.steps, found.tokens_per_epoch, found.basis) == (0, None, "rule")
    assert "number of rows is not known" in row(found, "a10g-small").why
    known = frontier(recipe(), anatomy("Llama-3.1-8B"), None, FLAVORS, rows_total=1000)
    assert known.steps > 0
    assert row(known, "a10g-small").hours[0] > row(found, "a10g-small").hours[0]


def test_a_repo_stored_in_4_bit_stays_in_4_bit() -> None:
    packed = replace(anatomy("Llama-3.1-8B"), prequantized="4bit", file_bytes=5_700_000_000)
    found = frontier(recipe(training__quantization="none"), packed, SAMPLE, FLAVORS)
    assert row(found, "t4-small").fits == "yes"


def test_an_unknown_card_is_taken_from_its_label_and_marked() -> None:
    new = replace(flavor("h200"), name="b999", gpu="B999", vram_gb=200.0)
    (estimate,) = frontier(recipe(), anatomy("Llama-3.1-8B"), SAMPLE, [new]).rows
    assert estimate.memory.usable == pytest.approx(200 * 0.885)
    assert "card not known" in estimate.why


@given(
    st.sampled_from(sorted(CONFIGS)),
    st.sampled_from(["4bit", "8bit", "none"]),
    st.integers(1, 32),
    st.integers(8, 16384),
    st.integers(1, 256),
    st.booleans(),
)
def test_any_recipe_gets_an_answer_for_every_flavor(
    name: str, bits: str, batch: int, length: int, rank: int, packing: bool
) -> None:
    made = recipe(
        training__quantization=bits, training__batch=batch, training__max_length=length, lora__rank=rank,
        training__packing=packing,
    )  # fmt: skip
    found = of(name, made)
    assert len(found.rows) == len(FLAVORS)
    assert found.steps >= 1
    for estimate in found.rows:
        assert math.isfinite(estimate.memory.total)
        assert math.isfinite(estimate.hours[1])
    fitting = {estimate.flavor.name for estimate in found.rows if estimate.fits != "no"}
    assert found.pareto <= fitting
    assert (found.cheapest is None) == (not fitting)


def test_its_time_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Not asserted: a test machine is busy. `make bench` measures it."""
    body = anatomy("Llama-3.1-8B")
    taken = []
    for length in range(256, 1256, 10):
        made = recipe(training__max_length=length)
        started = time.perf_counter()
        found = frontier(made, body, SAMPLE, FLAVORS, cap_usd=20.0)
        taken.append(time.perf_counter() - started)
        assert found.cheapest
    taken.sort()
    with capsys.disabled():
        print(f"\nfrontier of {len(FLAVORS)} flavors: median {taken[50] * 1e3:.2f} ms, p95 {taken[95] * 1e3:.2f} ms")


def test_a_card_offers_less_than_its_label() -> None:
    for each in FLAVORS:
        if each.gpus:
            assert 0.85 * each.vram_gb < facts(each).usable_gib < each.vram_gb
    assert card("a10g-small").usable_gib == pytest.approx(21.27, abs=0.01)
