"""The log reader on lines as trainers really print them (training-stack §3), and on any text at all."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.hub.records import LogLine
from workbench.runs.learned import POINT, Learned
from workbench.runs.logparse import LogReader
from workbench.runs.text import bar_in, is_bar, plain


def read(*texts: str, at: float | None = 100.0, reader: LogReader | None = None) -> Learned:
    lines = [LogLine(index, at, text) for index, text in enumerate(texts)]
    return (reader or LogReader()).feed_all(lines)


def values(learned: Learned, metric: str) -> list[tuple[float, float]]:
    """(step, value) of each point."""
    flat = learned.points[metric]
    return list(zip(flat[0::POINT], flat[1::POINT], strict=True))


def event(kind: str, /, **fields: object) -> str:
    return "::wb:: " + json.dumps({"t": 1.5, "e": kind, **fields})


def test_our_steps_become_points() -> None:
    learned = read(
        event(
            "step", step=1, max_steps=60, epoch=0.1, loss=2.5, lr=2e-4, grad_norm=1.5, tokens=1000, tokens_per_s=99.5
        ),
        event(
            "step", step=2, max_steps=60, epoch=0.2, loss=2.25, lr=1e-4, grad_norm=1.25, tokens=2000, tokens_per_s=98
        ),
        event("eval", step=2, loss=2.125, accuracy=0.5),
    )
    assert values(learned, "loss") == [(1.0, 2.5), (2.0, 2.25)]
    assert list(learned.points) == ["loss", "lr", "grad_norm", "tokens_per_s", "eval/loss", "eval/accuracy"]
    assert list(learned.points["loss"][:POINT]) == [1.0, 2.5, 100.0, 0.1, 1000.0]
    assert values(learned, "eval/loss") == [(2.0, 2.125)]
    assert learned.facts == {
        "step": 2,
        "max_steps": 60,
        "epoch": 0.2,
        "last_loss": 2.25,
        "tokens_per_s": 98.0,
        "eval_loss": 2.125,
        "best_eval_loss": 2.125,
    }


def test_the_best_eval_is_kept() -> None:
    learned = read(*(event("eval", step=n, loss=loss) for n, loss in enumerate((3.0, 2.0, 2.5))))
    assert learned.facts["best_eval_loss"] == 2.0
    assert learned.facts["eval_loss"] == 2.5


def test_phases_samples_and_the_rest_of_our_events() -> None:
    learned = read(
        event("environment", engine="trl", packages={"trl": "1.16.0"}),
        event("phase", name="load"),
        event("phase", name="load"),
        event("phase", name="train"),
        event("sample", step=0, index=2, prompt="2+2?", text="4"),
        event("saved", step=10, path="out"),
        event("pushed", repo="alice/x-lora", commit="c", url="u"),
        event("done", step=10, seconds=3.0),
    )
    assert [name for name, _ in learned.phases] == ["load", "train"]
    assert learned.samples == [(0, 2, "2+2?", "4")]
    assert [kind for _, kind, _ in learned.events] == ["environment", "saved", "pushed", "done"]
    assert learned.facts["pushed_repo"] == "alice/x-lora"
    assert learned.facts["environment"]["engine"] == "trl"


def test_a_failed_event_names_cause_and_mend() -> None:
    learned = read(
        event("failed", cause="Out of GPU memory.", mend="Halve training.batch.", kind="oom"),
        "Traceback (most recent call last):",
        '  File "train.py", line 1, in <module>',
        "torch.OutOfMemoryError: CUDA out of memory.",
    )
    assert learned.facts["failure"] == "Out of GPU memory. Halve training.batch."
    assert learned.events[-1][1] == "traceback"


def test_an_event_is_found_behind_a_bar_and_before_one() -> None:
    learned = read("\r 50%|#####     | 3/6 [00:00<00:00]" + event("step", step=3, loss=1.0) + "\r 60%|######", "x")
    assert values(learned, "loss") == [(3.0, 1.0)]


def test_two_events_in_one_line_are_both_read() -> None:
    assert values(read(event("step", step=1, loss=2.0) + event("step", step=2, loss=1.0)), "loss") == [(1, 2), (2, 1)]


@pytest.mark.parametrize(
    "line",
    [
        "{'loss': '5.603', 'grad_norm': '1.288', 'learning_rate': '0.004', 'num_tokens': '462', 'epoch': '0.05'}",
        "{'loss': 5.603, 'grad_norm': 1.288, 'learning_rate': 0.004, 'num_tokens': 462, 'epoch': 0.05}",
        "\r   \r{'loss': '5.603', 'grad_norm': '1.288', 'learning_rate': '4e-3', 'num_tokens': '462', 'epoch': '0.05'}",
        "\x1b[A{'loss': 5.603, 'grad_norm': 1.288, 'learning_rate': 4e-03, 'num_tokens': 462.0, 'epoch': 0.05}\r",
    ],
)
def test_a_trainer_s_dictionary_old_and_new(line: str) -> None:
    learned = read(line)
    assert list(learned.points["loss"]) == [1.0, 5.603, 100.0, 0.05, 462.0]
    assert values(learned, "lr") == [(1.0, 0.004)]
    assert values(learned, "grad_norm") == [(1.0, 1.288)]
    assert set(learned.points) == {"loss", "lr", "grad_norm"}


def test_steps_come_from_the_banner_and_the_epoch() -> None:
    learned = read(
        "   \\\\   /|    Num examples = 1,000 | Num Epochs = 3 | Total steps = 1,200",
        "{'loss': '2.0', 'epoch': '0.025'}",
        "{'loss': '1.9', 'epoch': '0.05'}",
        "{'eval_loss': '1.8', 'eval_runtime': '0.1', 'epoch': '0.05'}",
    )
    assert values(learned, "loss") == [(10, 2.0), (20, 1.9)]
    assert values(learned, "eval/loss") == [(20, 1.8)]
    assert learned.facts["max_steps"] == 1200
    assert "eval/runtime" not in learned.points


def test_steps_come_from_the_bar_else_from_counting() -> None:
    learned = read(
        "\r  0%|          | 0/60 [00:00<?, ?it/s]",
        "{'loss': '2.0', 'epoch': '0.1'}",
        "\r 33%|###       | 20/60 [00:10<00:20,  2.00it/s]",
        "{'loss': '1.5', 'epoch': '0.3'}",
        "{'loss': '1.4', 'epoch': '0.3'}",
    )
    assert values(learned, "loss") == [(1, 2.0), (20, 1.5), (21, 1.4)]


def test_rewards_keep_their_names() -> None:
    learned = read("{'loss': '0.69', 'rewards/chosen': '0.1', 'rewards/margins': '-0.2', 'epoch': '0.1'}")
    assert values(learned, "rewards/margins") == [(1, -0.2)]


def test_nan_and_infinity_are_numbers() -> None:
    learned = read("{'loss': nan, 'grad_norm': 'inf', 'epoch': 0.1}", event("step", step=2, loss=math.nan))
    assert math.isnan(learned.points["loss"][1])
    assert learned.points["grad_norm"][1] == math.inf
    assert math.isnan(learned.facts["last_loss"])


def test_our_script_says_unfinite_numbers_as_text() -> None:
    learned = read(event("step", step=1, loss="nan", grad_norm="-inf", lr="fast"))
    assert math.isnan(learned.points["loss"][1])
    assert learned.points["grad_norm"][1] == -math.inf
    assert "lr" not in learned.points


def test_the_summary_is_no_curve() -> None:
    learned = read(
        "{'train_runtime': '5.063', 'train_steps_per_second': '11.85', 'train_loss': '4.199', 'epoch': '0.6'}"
    )
    assert not learned.points
    assert learned.events[0][1] == "summary"
    assert learned.events[0][2]["train_loss"] == 4.199


def test_a_bar_is_progress() -> None:
    learned = read("\rTokenizing train dataset:  55%|#####    | 220/400 [00:00<00:00, 2126.73 examples/s]")
    assert learned.progress is not None
    assert (learned.progress.name, learned.progress.done, learned.progress.total) == (
        "Tokenizing train dataset",
        220,
        400,
    )
    assert learned.progress.rate == "2126.73 examples/s"
    assert [name for name, _ in learned.phases] == ["tokenize"]


def test_a_bar_with_units_and_a_cut_bar() -> None:
    bar = bar_in("model.safetensors:  50%|█████     | 1.5G/3.0G [00:10<00:10, 150MB/s]\rmodel: 60%|██")
    assert bar is not None
    assert (bar.name, bar.done, bar.total) == ("model.safetensors", 1.5e9, 3.0e9)


def test_what_shows_only_a_bar() -> None:
    assert is_bar("\r 33%|###+      | 2/6 [00:00<00:03,  1.33it/s]\r 50%|#####     | 3/6 [00:00<00:00,  3.85it/s]")
    assert not is_bar("we are 50%|full")
    assert not is_bar("\r 33%|###+  | 2/6 [00:00<00:03,  1.33it/s] and then a word")


def test_plain_shows_what_a_terminal_would() -> None:
    assert plain("\r  0%|     | 0/6\r      \r\x1b[31mred\x1b[0m\x1b]0;title\x07") == "red"
    assert plain("a\u2028b\x00c\td") == "a b c\td"


def test_the_last_line_of_a_traceback_is_the_failure() -> None:
    reader = LogReader()
    learned = read(
        "Traceback (most recent call last):",
        '  File "a.py", line 1, in <module>',
        "    boom()",
        "KeyError: 'a'",
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        "Traceback (most recent call last):",
        '  File "a.py", line 3, in <module>',
        "ValueError: no eval set",
        "an ordinary line",
        reader=reader,
    )
    assert learned.facts["failure"] == "ValueError: no eval set"


def test_state_carries_over_every_cut() -> None:
    texts = [
        "Num examples = 100 | Num Epochs = 1 | Total steps = 40",
        "{'loss': '2.0', 'num_tokens': '10', 'epoch': '0.25'}",
        "\r 33%|###       | 12/40 [00:10<00:20,  2.00it/s]",
        "{'eval_loss': '1.8', 'epoch': '0.25'}",
        "Traceback (most recent call last):",
        "  File x",
        "ValueError: a",
        "{'loss': '1.0', 'epoch': '0.5'}",
        "{'eval_loss': '1.9', 'epoch': '0.5'}",
    ]
    whole = read(*texts)
    for cut in range(len(texts)):
        first = LogReader()
        head = read(*texts[:cut], reader=first)
        second = LogReader(json.loads(json.dumps(first.state())))
        tail = read(*texts[cut:], reader=second)
        joined = {
            metric: [*head.points.get(metric, []), *tail.points.get(metric, [])]
            for metric in {**head.points, **tail.points}
        }
        assert json.dumps(joined) == json.dumps({metric: list(points) for metric, points in whole.points.items()})
        assert {**head.facts, **tail.facts} == whole.facts
        assert head.phases + tail.phases == whole.phases
        assert head.events + tail.events == whole.events


FRAGMENTS = st.sampled_from(
    [
        "::wb:: ",
        '{"e":"step","t":1,"step":',
        '{"e":"eval","t":1,"loss":NaN,"step":-1e400}',
        '{"e":"phase","t":0,"name":["x"]}',
        '{"e":"sample","t":0,"step":"x","index":null,"text":7}',
        '{"e":"step","t":0,"step":1,"\\ud800":1.0,"tokens":' + "9" * 400 + "}",
        "{'loss': '",
        "{'eval_loss': 1e999, 'epoch': nan}",
        "{'loss': 1, 'epoch': 1e308, 'num_tokens': inf}",
        "Num Epochs = 9999999999999999 | Total steps = .",
        "Total optimization steps = 1.2.3",
        " 33%|###| 9.9.9k/2T [",
        "100%|",
        "Traceback (most recent call last):",
        "\r",
        "\x1b[",
        "\u2028",
        "}",
        "'",
    ]
)


@given(st.lists(st.one_of(FRAGMENTS, st.text(max_size=30)), max_size=8).map("".join), st.lists(FRAGMENTS).map("".join))
def test_no_text_makes_it_raise(one: str, two: str) -> None:
    reader = LogReader()
    for text in (one, two, one + two):
        learned = reader.feed(LogLine(0, None, text))
        assert all(len(points) % POINT == 0 for points in learned.points.values())
        # What it keeps and hands on can be stored.
        json.dumps(reader.state()).encode()
        "".join(learned.points).encode()
        str(learned.facts).encode()
    LogReader(json.loads(json.dumps(reader.state())))
    plain(one)
    is_bar(two)
