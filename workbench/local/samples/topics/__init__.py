"""What the sample datasets talk about: one file a topic, each a seeded generator of true, checkable sentences.

A topic knows nothing of dataset shapes; it gives questions and answers. `workbench.local.samples.datasets` puts them
into the shapes people meet on the Hub.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """A question and its right answer; `key` names what is asked, so that a train/test split can keep them apart."""

    question: str
    answer: str
    key: str
