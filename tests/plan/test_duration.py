"""Time ranges against published runs (training-stack §6), and the counting of steps."""

from __future__ import annotations

import pytest

from tests.plan.making import card, lengths, recipe
from tests.plan.models import anatomy
from tests.plan.test_memory import qwen
from workbench.hub.records import Flavor
from workbench.plan.anatomy import Anatomy
from workbench.plan.duration import Range, duration, pass_seconds
from workbench.plan.hardware import GpuFacts, facts
from workbench.plan.memory import Engine
from workbench.plan.recipe import Quantization
from workbench.plan.steps import work

A100 = card("a100-large")
H100 = facts(Flavor("h100", "H100", "H100", 1, 80, 24, 250, 1000, 4.0))

# Seconds an iteration of 8 passes, one A100, batch 1, at 512, 2048 and 8192 tokens (Qwen README, plain training code).
SECONDS: list[tuple[str, Quantization, tuple[float, float, float]]] = [
    ("7B", "none", (1.5, 5.2, 21.3)),
    ("7B", "4bit", (3.0, 7.0, 22.3)),
    ("14B", "none", (2.4, 8.4, 36.0)),
    ("14B", "4bit", (6.3, 11.8, 38.3)),
    ("72B", "4bit", (31.5, 59.5, 179.8)),
]
# Tokens a second: (model, quantisation, card, engine, batch, length, reported)
TOKENS: list[tuple[str, Quantization, GpuFacts, Engine, int, int, float]] = [
    ("Llama-2-7B", "none", A100, "trl", 4, 1024, 2392),
    ("Llama-2-7B", "none", A100, "trl", 4, 1024, 2954),
    ("Llama-2-7B", "none", A100, "unsloth", 4, 1024, 4007),
    ("Llama-2-7B", "4bit", A100, "trl", 4, 1024, 2415),
    ("Llama-2-7B", "4bit", A100, "unsloth", 4, 1024, 3726),
    ("Llama-3.1-8B", "none", H100, "unsloth", 1, 4096, 12473),
    ("Qwen2.5-7B", "none", H100, "unsloth", 1, 4096, 14110),
]


def _reported() -> list[tuple[str, float, Range]]:
    """(what, the reported seconds of one pass, the range shown)."""
    rows = []
    for size, bits, seconds in SECONDS:
        for length, reported in zip((512, 2048, 8192), seconds, strict=True):
            shown = pass_seconds(qwen(size), bits, A100, length, length, "trl")
            rows.append((f"{size} {bits} {length}", reported / 8, shown))
    for name, bits, place, engine, batch, length, reported in TOKENS:
        tokens = batch * length
        shown = pass_seconds(anatomy(name), bits, place, tokens, length, engine)
        rows.append((f"{name} {bits} {engine}", tokens / reported, shown))
    return rows


def test_published_runs_lie_inside_the_range() -> None:
    rows = _reported()
    outside = [what for what, reported, (low, high) in rows if not low <= reported <= high]
    assert len(outside) <= 0.05 * len(rows), outside


def test_the_range_is_narrow_enough_to_be_of_use() -> None:
    assert all(high <= 2.6 * low for _, _, (low, high) in _reported())


def test_lfm_on_an_a10g() -> None:
    """LFM2.5-1.2B, 30,000 rows × 3 epochs on an a10g-large took 2 to 3 hours.

    How long its rows were was not said; about 300 tokens are taken here.
    """
    made = recipe(
        training__epochs=3, training__batch=4, training__accumulation=4, training__quantization="none",
        training__max_length=2048, evaluation__fraction=0, evaluation__samples=0,
    )  # fmt: skip
    todo = work(made, lengths(*range(100, 500, 10), rows=30_000))
    low, high = duration(anatomy("Llama-3.2-1B"), made, todo, card("a10g-large")).hours
    assert low <= 2.0 < 3.0 <= high


def test_steps_by_epochs() -> None:
    made = recipe(training__batch=4, training__accumulation=2, training__epochs=2, evaluation__fraction=0)
    todo = work(made, lengths(rows=1000))
    assert (todo.rows, todo.steps, todo.micro_steps, todo.evals) == (1000, 250, 500, 0)
    assert todo.tokens_per_epoch == pytest.approx(250_000)


def test_held_out_rows_are_counted_as_the_job_script_does() -> None:
    made = recipe(evaluation__fraction=0.1, evaluation__max_rows=30)
    todo = work(made, lengths(rows=1000))
    assert (todo.rows, todo.eval_rows) == (970, 30)
    few = work(recipe(evaluation__fraction=0.8), lengths(rows=10))
    assert (few.rows, few.eval_rows) == (5, 5)


def test_an_eval_split_takes_nothing_from_training() -> None:
    todo = work(recipe(evaluation__split="test", evaluation__fraction=0.5), lengths(rows=1000))
    assert (todo.rows, todo.eval_rows) == (1000, 200)


def test_max_steps_win_over_epochs_and_need_no_rows() -> None:
    todo = work(recipe(training__max_steps=60), None)
    assert (todo.steps, todo.rows, todo.tokens_per_epoch) == (60, None, None)
    assert not todo.measured


def test_packing_fills_every_row() -> None:
    made = recipe(training__packing=True, training__max_length=1000, training__batch=2, training__accumulation=1,
                  evaluation__fraction=0)  # fmt: skip
    todo = work(made, lengths(250, rows=4000))
    assert todo.steps == 500
    assert todo.micro_tokens == 2000


def test_padding_is_counted() -> None:
    mixed = work(recipe(training__batch=8), lengths(10, 1000))
    assert 8 * 505 < mixed.micro_tokens <= 8 * 1000
    even = work(recipe(training__batch=8), lengths(300, 300))
    assert even.micro_tokens == pytest.approx(8 * 300)


def test_a_row_is_cut_at_max_length() -> None:
    todo = work(recipe(training__max_length=64, training__batch=1, evaluation__fraction=0), lengths(1000, rows=10))
    assert todo.micro_tokens == 64
    assert todo.tokens_per_epoch == 640


def test_rows_that_cannot_be_trained_are_left_out() -> None:
    sample = lengths(100, 100, 100, rows=1000)
    broken = type(sample)(sample.lengths, (), total_rows=1000, skipped=1)
    assert work(recipe(evaluation__fraction=0), broken).rows == 750


def test_the_row_cap_counts() -> None:
    assert work(recipe(dataset__rows=100, evaluation__fraction=0), lengths(rows=1000)).rows == 100


def test_more_work_takes_longer() -> None:
    body, place = anatomy("Llama-3.2-3B"), card("l4x1")

    def total(rows: int, **changes: object) -> Range:
        made = recipe(**changes)
        return duration(body, made, work(made, lengths(rows=rows)), place).total

    short, long = total(1000), total(10_000)
    assert short[0] < long[0]
    assert short[1] < long[1]
    assert total(1000, training__epochs=3)[1] > short[1]


def test_the_parts_of_a_duration_add_up_and_are_ordered() -> None:
    made = recipe()
    took = duration(anatomy("Qwen3-8B"), made, work(made, lengths()), A100)
    for end in (0, 1):
        parts = (took.startup[end], took.training[end], took.evals[end], took.push[end])
        assert sum(parts) == pytest.approx(took.total[end])
    for low, high in (took.startup, took.training, took.evals, took.push, took.total, took.tokens_per_s):
        assert 0 < low < high


def test_a_demo_starts_sooner_than_the_hub() -> None:
    made = recipe()
    body, todo = anatomy("SmolLM2-135M"), work(made, lengths())
    cpu = card("cpu-basic")
    demo, here, hub = (duration(body, made, todo, cpu, place=place).startup for place in ("demo", "here", "hub"))
    assert demo[0] < here[0] < hub[0]
    assert demo[1] < here[1] < hub[1]


def test_a_tiny_model_trains_on_two_cores_in_about_a_minute(tiny: Anatomy) -> None:
    made = recipe(training__batch=8, training__accumulation=1, training__max_steps=80, training__max_length=128)
    low, high = duration(tiny, made, work(made, lengths(40, 60, 80, rows=400)), card("cpu-basic"), place="demo").total
    assert low < 60 < high < 300
