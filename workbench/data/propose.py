"""The verdict: what a dataset can train, method by method, with the mapping for it.

The detectors (`workbench.data.detect`) read values and bring findings with evidence. Each finding that can be written
as a `ColumnMapping` is then tried: the sampled rows go through `to_training_row`, the job's own function, and a
mapping that gives no training rows is out, whatever spoke for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from job_scripts.train import RowError, to_training_row
from workbench.data.detect import ALL, Finding
from workbench.data.hints import read
from workbench.data.mapping import ColumnMapping, Shape
from workbench.data.ready import is_ready
from workbench.data.values import Table, table
from workbench.hub.records import RowsPage

Method = Literal["sft", "dpo", "kto", "reward", "grpo", "prm"]
METHODS: tuple[Method, ...] = get_args(Method)

# Which shapes can train a method, and how much a detour costs: a dataset made for a method comes first.
SHAPES: Mapping[Method, Mapping[Shape, float]] = {
    "sft": {
        "messages": 1.0,
        "prompt_completion": 1.0,
        "text": 1.0,
        "unpaired": 1.0,
        "preference": 0.95,
        "stepwise": 0.95,
    },
    "dpo": {"preference": 1.0},
    "reward": {"preference": 1.0},
    "kto": {"unpaired": 1.0},
    "grpo": {"prompt_only": 1.0, "messages": 0.7, "prompt_completion": 0.7},
    "prm": {"stepwise": 1.0},
}
_LACKS: Mapping[Method, str] = {
    "sft": "no column holds an answer or a text to train on",
    "dpo": "there are not two rival answers to one prompt",
    "reward": "there are not two rival answers to one prompt",
    "kto": "no column says whether an answer is good",
    "grpo": "no column holds a prompt",
    "prm": "there are no steps with a label each",
}
# Shapes that take an answer as it comes.
_BLIND = frozenset({"messages", "prompt_completion", "text"})
_TRIED_ROWS = 24
_BELIEVED = 0.3


@dataclass(frozen=True)
class Verdict:
    """What a method can do with a dataset.

    Attributes:
        verdict: "ready" = the trainer takes it as it is; "needs_mapping" = with `mapping` it trains (without one: the
            rows would have to be rebuilt first, as `reason` says); "incompatible" = not with this method.
        mapping: the proposed mapping; for "ready" one that changes nothing.
        confidence: 0 to 1. `reason`: one sentence. `rivals`: other readings that were considered.
    """

    method: Method
    verdict: Literal["ready", "needs_mapping", "incompatible"]
    mapping: ColumnMapping | None
    confidence: float
    reason: str
    rivals: tuple[str, ...] = ()


def judge(page: RowsPage | Iterable[Mapping[str, Any]], method: Method) -> Verdict:
    """The verdict for one method. Looks at the first rows only; never raises, whatever is in them."""
    return judge_all(page)[method]


def judge_all(page: RowsPage | Iterable[Mapping[str, Any]]) -> dict[Method, Verdict]:
    """The verdicts for all methods; the rows are looked at once."""
    sample = table(page.rows if isinstance(page, RowsPage) else page)
    if not sample.rows:
        return {
            method: Verdict(method, "incompatible", None, 0.0, "There are no rows to look at.") for method in METHODS
        }
    hints = read(sample.columns)
    findings = [finding for detect in ALL for finding in detect(sample, hints)]
    return {method: _verdict(method, sample, findings) for method in METHODS}


def _verdict(method: Method, sample: Table, findings: list[Finding]) -> Verdict:
    ranked = _ranked(method, sample, findings)
    if not ranked:
        lack = _LACKS[method]
        return Verdict(method, "incompatible", None, 0.9, f"{lack[:1].upper()}{lack[1:]}.")
    score, best, mapping = ranked[0]
    others = tuple(f"{finding.reason} ({value:.2f})" for value, finding, _ in ranked[1:4] if finding is not best)
    rivals = tuple(dict.fromkeys((*best.rivals, *others)))
    reason = f"{best.reason[:1].upper()}{best.reason[1:]}."
    if mapping is None:
        return Verdict(method, "needs_mapping", None, round(score, 2), reason, rivals)
    ready = is_ready(method, sample, mapping)
    return Verdict(method, "ready" if ready else "needs_mapping", mapping, round(score, 2), reason, rivals)


def _ranked(
    method: Method, sample: Table, findings: list[Finding]
) -> list[tuple[float, Finding, ColumnMapping | None]]:
    """Findings that train the method, tried on the rows, best first."""
    ranked: list[tuple[float, Finding, ColumnMapping | None]] = []
    judged = _judged_answers(findings)
    deciders = {finding.options.get("winner") for finding in findings} - {None}
    for finding in findings:
        weight = SHAPES[method].get(finding.shape)
        if weight is None or (finding.methods and method not in finding.methods):
            continue
        mapping = finding.mapping()
        works = 1.0 if mapping is None else _works(sample, mapping, method)
        score = finding.score * weight * (0.5 + 0.5 * works)
        if finding.shape in _BLIND and judged & finding.used():
            score *= 0.4  # it would train on answers that another column calls the worse ones
        if finding.shape == "unpaired" and (finding.columns or {}).get("label") in deciders:
            continue  # that column says which of two answers wins, not whether one is good
        if works > 0 and score >= _BELIEVED:
            ranked.append((score, finding, mapping))
    return sorted(ranked, key=lambda item: -item[0])


def _judged_answers(findings: list[Finding]) -> frozenset[str]:
    """Columns whose answers are good in some rows only, as other columns say."""
    judged: set[str] = set()
    for finding in findings:
        if finding.shape == "preference" and finding.score >= 0.4:
            judged |= {str(name) for role, name in (finding.columns or {}).items() if role in ("chosen", "rejected")}
            judged |= set(finding.judged)
        if finding.shape == "unpaired" and finding.score >= 0.75 and finding.columns:
            judged.add(finding.columns["completion"])
    return frozenset(judged)


def _works(sample: Table, mapping: ColumnMapping, method: Method) -> float:
    """The share of sampled rows that become training rows. Rows left out by design (ties, bad labels) count half."""
    tried, good = 0, 0.0
    plain = mapping.as_dict()
    for row in sample.rows[:_TRIED_ROWS]:
        tried += 1
        try:
            to_training_row(row, plain, method)
            good += 1
        except RowError as error:
            by_design = any(word in str(error) for word in ("tie", "label is false", "a step is wrong"))
            good += 0.5 if by_design else 0.0
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
            continue
    return good / tried if tried else 0.0
