"""Detectors: each looks for one way a dataset can be trained on and hands back candidates with their evidence.

A detector sees a `Table` (values) and `Hints` (names, weak) and knows nothing of the others. `ALL` lists them;
`workbench.data.propose` tries every candidate on the rows and picks. To teach the workbench a new shape, add one here.
"""

from __future__ import annotations

from collections.abc import Callable

from workbench.data.detect import dialogue, labelled, pairs, preference, rebuild
from workbench.data.detect.base import Candidate, Finding
from workbench.data.hints import Hints
from workbench.data.values import Table

Detector = Callable[[Table, Hints], list[Finding]]

ALL: tuple[Detector, ...] = (
    dialogue.detect,
    preference.detect,
    labelled.detect,
    pairs.detect,
    rebuild.detect,
)

__all__ = ["ALL", "Candidate", "Detector", "Finding"]
