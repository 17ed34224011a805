"""The event lines our job scripts print: `::wb:: {json}`, one flushed line an event.

Written by `job_scripts/train.py`, read here. Every event has `t` (seconds since the script began) and `e` (its kind).

| e | fields |
|---|---|
| environment | engine ("unsloth" / "trl"), device, gpu, packages {name: version}, python, model, dataset (id@commit) |
| phase | name: install, download, load, tokenize, train, eval, save, push |
| step | step, max_steps, epoch, loss, lr, grad_norm, tokens (trained so far), tokens_per_s, … any other number |
| eval | step, loss, … any other number |
| sample | step, index, prompt, text |
| saved | step, path |
| pushed | repo, commit, url |
| notice | text, level ("info" / "warning") |
| done | step, seconds, train_loss, eval_loss, repo |
| failed | cause, mend, kind |

A number that is not finite comes as the string "nan", "inf" or "-inf", because JSON has no word for it; a number
that is not known is null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MARK = "::wb:: "

KINDS = frozenset({"environment", "phase", "step", "eval", "sample", "saved", "pushed", "notice", "done", "failed"})

# Fields of a step or eval event that place a point rather than being a curve of their own.
PLACE = frozenset({"t", "e", "step", "max_steps", "epoch", "tokens"})


@dataclass(frozen=True)
class Event:
    kind: str
    t: float
    fields: Mapping[str, Any]


def parse_event(line: str) -> Event | None:
    """The event in a line, wherever the mark stands (a progress bar may be glued before it), else None.

    Never raises: a damaged event line is an ordinary line of text.
    """
    at = line.find(MARK)
    if at < 0:
        return None
    try:
        data = json.loads(line[at + len(MARK) :])
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    kind, t = data.get("e"), data.get("t")
    if kind not in KINDS or isinstance(t, bool) or not isinstance(t, int | float):
        return None
    fields = {key: value for key, value in data.items() if key not in ("e", "t")}
    return Event(str(kind), float(t), fields)
