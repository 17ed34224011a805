"""Reading a training log: lines → points, phases, samples, progress, failure. Pure, fast, and it never raises.

Understands our event lines, the dictionaries that `transformers` and TRL print (quoted or not, glued to progress bars),
tqdm bars, the trainer's banner and tracebacks (training-stack §3). Most lines of a log say nothing to it, so each
kind is looked for with a plain substring test before anything slower runs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from workbench.hub.records import LogLine
from workbench.runs.events import KINDS, MARK, PLACE
from workbench.runs.learned import Learned, Progress
from workbench.runs.text import bar_in, dict_in, phase_of_bar, phase_of_text

_decode = json.JSONDecoder().raw_decode
_NAN = math.nan

# The names trainers use → ours.
_NAMES = {"learning_rate": "lr", "num_tokens": "tokens"}
# Of an eval: how fast it was is no curve.
_SPEED = ("runtime", "samples_per_second", "steps_per_second", "model_preparation_time", "num_tokens", "epoch")
_FACT_OF = {"loss": "last_loss", "eval/loss": "eval_loss", "tokens_per_s": "tokens_per_s"}
_LONGEST_NAME = 100
_LARGEST = 1e15  # a step beyond this is nonsense, and exact in a double


class LogReader:
    """Reads a job's log from its first line on, or from where `state` was taken.

    `feed` takes one line, `feed_all` many; both return what they learned. `state()` is small JSON-able data from
    which a new reader goes on as if it had read everything before.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        state = state or {}
        self._step: int = int(state.get("step", 0))
        self._max_steps: int = int(state.get("max_steps", 0))
        self._epochs: float = float(state.get("epochs", 0.0))
        self._tokens: float = float(state.get("tokens") or _NAN)
        self._bar_step: int = int(state.get("bar_step", 0))
        self._best: float = float(state.get("best") or math.inf)
        self._phase: str = str(state.get("phase", ""))
        self._ours: bool = bool(state.get("ours", False))  # our own script: it names its phases itself
        self._trace: bool = bool(state.get("trace", False))  # inside a traceback
        self._failed: bool = bool(state.get("failed", False))  # a `failed` event has named the cause

    def state(self) -> dict[str, Any]:
        """What a later reader needs to go on; plain JSON (unknown numbers as 0)."""
        return {
            "step": self._step,
            "max_steps": self._max_steps,
            "epochs": self._epochs,
            "tokens": 0.0 if math.isnan(self._tokens) else self._tokens,
            "bar_step": self._bar_step,
            "best": 0.0 if math.isinf(self._best) else self._best,
            "phase": self._phase,
            "ours": self._ours,
            "trace": self._trace,
            "failed": self._failed,
        }

    def feed(self, line: LogLine) -> Learned:
        """What one line tells; empty (false) for most."""
        out = Learned()
        self._read(line.text, line.at, out)
        return out

    def feed_all(self, lines: Iterable[LogLine]) -> Learned:
        """What many lines tell together."""
        out = Learned()
        read = self._read
        for line in lines:
            read(line.text, line.at, out)
        return out

    def _read(self, text: str, at: float | None, out: Learned) -> None:
        mark = text.find(MARK)
        if mark >= 0:
            self._trace = False
            while mark >= 0:
                mark = self._event(text, mark + len(MARK), at, out)
            return
        if "{'" in text and (found := dict_in(text)):
            if "%|" in text:
                self._bar(text, out)
            self._dictionary(found, at, out)
            return
        if "%|" in text:
            self._bar(text, out)
            if not self._ours and out.progress and (phase := phase_of_bar(out.progress.name)):
                self._begin(phase, at, out)
            return
        if self._trace or "Traceback (most" in text:
            self._traceback(text, at, out)
            return
        if (" = " in text and "Total" in text) or "Num " in text:
            self._banner(text, out)
        if not self._ours and (phase := phase_of_text(text)):
            self._begin(phase, at, out)

    # --- our own event lines -------------------------------------------------------------------------------------

    def _event(self, text: str, start: int, at: float | None, out: Learned) -> int:
        """One event at `start`; returns where the next mark stands, or -1."""
        try:
            data, end = _decode(text, start)
        except (ValueError, RecursionError):
            return text.find(MARK, start)
        if isinstance(data, dict):
            kind = data.get("e")
            if kind == "step" or kind == "eval":
                self._numbers(data, kind == "eval", at, out)
            elif isinstance(kind, str) and kind in KINDS:
                self._told(kind, data, at, out)
        return text.find(MARK, end)

    def _numbers(self, data: dict[str, Any], is_eval: bool, at: float | None, out: Learned) -> None:
        """The hot path: a log may be nothing but steps."""
        self._ours = True
        get, facts = data.get, out.facts
        step = _whole(get("step"))
        if step is None:
            step = self._step
        elif not is_eval:
            self._step = facts["step"] = step
        most = _whole(get("max_steps"))
        if most:
            self._max_steps = facts["max_steps"] = most
        epoch = get("epoch", _NAN)
        if epoch.__class__ is not float:
            epoch = _NAN if (number := _float(epoch)) is None else number
        if epoch - epoch == 0.0:  # finite
            facts["epoch"] = epoch
        tokens = _float(get("tokens"))
        if tokens is not None:
            self._tokens = tokens
        place = (_NAN if at is None else at, epoch, self._tokens)
        points = out.points
        for key, value in data.items():
            if key in PLACE:
                continue
            if value.__class__ is not float:
                value = _spoken(value)
                if value is None:
                    continue
            metric = f"eval/{key}" if is_eval else key
            curve = points.get(metric)
            if curve is None:
                curve = self._curve(metric, out)
            curve += (step, value, *place)
            if metric in _FACT_OF:
                self._fact(metric, value, facts)

    def _told(self, kind: str, data: dict[str, Any], at: float | None, out: Learned) -> None:
        self._ours = True
        fields = {key: value for key, value in data.items() if key not in ("e", "t")}
        if kind == "phase":
            self._begin(_text(fields.get("name", ""))[:40], at, out)
            return
        if kind == "sample":
            out.samples.append(
                (
                    _whole(fields.get("step")) or 0,
                    _whole(fields.get("index")) or 0,
                    _text(fields.get("prompt", "")),
                    _text(fields.get("text", "")),
                )
            )
            return
        if kind == "environment":
            out.facts["environment"] = fields
        elif kind == "pushed":
            out.facts["pushed_repo"] = _text(fields.get("repo", ""))
        elif kind == "failed":
            self._failed = True
            cause, mend = _text(fields.get("cause", "")).strip(), _text(fields.get("mend", "")).strip()
            out.facts["failure"] = f"{cause.rstrip('.')}. {mend}" if mend else cause
        out.events.append((at, kind, fields))

    # --- what other trainers print -------------------------------------------------------------------------------

    def _dictionary(self, found: dict[str, float], at: float | None, out: Learned) -> None:
        is_eval = any(key.startswith("eval_") for key in found)
        if "train_runtime" in found:
            out.events.append((at, "summary", dict(found)))
            return
        if not is_eval and "loss" not in found and "reward" not in found and "learning_rate" not in found:
            return
        epoch = found.get("epoch", _NAN)
        epoch = epoch if math.isfinite(epoch) else _NAN
        step = self._dictionary_step(epoch, is_eval)
        tokens = found.get("num_tokens", found.get("eval_num_tokens"))
        if tokens is not None:
            self._tokens = tokens
        if math.isfinite(epoch):
            out.facts["epoch"] = epoch
        if not is_eval:
            self._step = step
            out.facts["step"] = step
            if not self._ours:
                self._begin("train", at, out)
        elif not self._ours:
            self._begin("eval", at, out)
        place = (float(step), _NAN if at is None else at, epoch, self._tokens)
        for key, value in found.items():
            if is_eval:
                name = key.removeprefix("eval_")
                if name not in _SPEED:
                    self._point(f"eval/{_NAMES.get(name, name)}", value, place, out)
            elif key not in ("epoch", "num_tokens"):
                self._point(_NAMES.get(key, key), value, place, out)

    def _dictionary_step(self, epoch: float, is_eval: bool) -> int:
        """These lines carry no step: from the epoch when the banner told both totals, else the bar, else counting."""
        if self._max_steps and self._epochs and not math.isnan(epoch) and abs(epoch) < _LARGEST:
            told = round(epoch * self._max_steps / self._epochs)
        else:
            told = self._bar_step
        if is_eval:
            return max(self._step, told)
        return max(self._step + 1, told)

    def _bar(self, text: str, out: Learned) -> None:
        bar = bar_in(text)
        if bar is None:
            return
        out.progress = bar
        # The training's own bar has no name; its total is the number of steps.
        if not bar.name and 0 < bar.total < _LARGEST and (not self._max_steps or bar.total == self._max_steps):
            self._bar_step = int(bar.done)
            if not self._max_steps and not self._ours and bar.rate.endswith(("it/s", "s/it")):
                self._max_steps = int(bar.total)
                out.facts["max_steps"] = self._max_steps

    def _banner(self, text: str, out: Learned) -> None:
        epochs = _after(text, "Num Epochs = ")
        if epochs:
            self._epochs = epochs
        steps = _after(text, "Total steps = ") or _after(text, "Total optimization steps = ")
        if steps and steps < _LARGEST:
            self._max_steps = int(steps)
            out.facts["max_steps"] = self._max_steps

    def _traceback(self, text: str, at: float | None, out: Learned) -> None:
        if "Traceback (most" in text:
            self._trace = True
        elif text[:1] in ("", " ", "\t", "\r") or text.startswith(("During handling", "The above")):
            return
        else:  # the first line that is not indented names the exception
            self._trace = False
            last = text.strip()[:500]
            out.events.append((at, "traceback", {"text": last}))
            if not self._failed:
                out.facts["failure"] = last

    # --- shared --------------------------------------------------------------------------------------------------

    def _begin(self, phase: str, at: float | None, out: Learned) -> None:
        if phase and phase != self._phase:
            self._phase = phase
            out.phases.append((phase, at))
            out.facts["phase"] = phase

    def _point(self, metric: str, value: float, place: tuple[float, float, float, float], out: Learned) -> None:
        curve = out.points.get(metric)
        if curve is None:
            curve = self._curve(metric, out)
        step, at, epoch, tokens = place
        curve += (step, value, at, epoch, tokens)
        if metric in _FACT_OF:
            self._fact(metric, value, out.facts)

    def _curve(self, metric: str, out: Learned) -> list[float]:
        return out.points.setdefault(_text(metric)[:_LONGEST_NAME], [])

    def _fact(self, metric: str, value: float, facts: dict[str, Any]) -> None:
        fact = _FACT_OF[metric]
        facts[fact] = value
        if fact == "eval_loss" and value < self._best:
            self._best = facts["best_eval_loss"] = value


def _text(value: Any) -> str:
    """As text that a file and a database can hold: JSON may speak of half a surrogate pair."""
    return str(value).encode("utf-8", "replace").decode()


def _float(value: Any) -> float | None:
    """A number as float; None for anything else (booleans are no numbers here)."""
    if value.__class__ is float:
        return float(value)
    if value.__class__ is int:
        try:
            return float(value)
        except OverflowError:
            return None
    return None


def _spoken(value: Any) -> float | None:
    """A number of a step: JSON has no word for those that are not finite, so our script says them as text."""
    return float(value) if value.__class__ is str and value in ("nan", "inf", "-inf") else _float(value)


def _whole(value: Any) -> int | None:
    if value.__class__ is int and -_LARGEST < value < _LARGEST:
        return int(value)
    number = _float(value)
    return int(number) if number is not None and abs(number) < _LARGEST else None


def _after(text: str, label: str) -> float:
    """The number after `label` ("1,000" included), 0 if there is none."""
    at = text.find(label)
    if at < 0:
        return 0.0
    digits = ""
    for char in text[at + len(label) : at + len(label) + 24]:
        if char in "0123456789.":
            digits += char
        elif char != ",":
            break
    try:
        return float(digits)
    except ValueError:
        return 0.0


__all__ = ["LogReader", "Progress"]
