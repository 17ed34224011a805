"""What the tests of this room build: recipes, length samples, identities."""

from __future__ import annotations

from typing import Any

from workbench.data.lengths import LengthSample
from workbench.data.mapping import ColumnMapping
from workbench.hub.records import Flavor, Identity
from workbench.plan.hardware import GpuFacts, bundled_flavors, facts, find
from workbench.plan.recipe import Recipe, parse


def recipe(model: str = "owner/model", dataset: str = "owner/data", **changes: Any) -> Recipe:
    """A recipe with dotted keys changed; write `training__batch=4` for `training.batch`."""
    made = parse({"model": {"id": model}, "dataset": {"id": dataset}}, where="test")
    for key, value in changes.items():
        made = made.changed(key.replace("__", "."), value)
    return made


def mapped(made: Recipe) -> Recipe:
    return made.changed("mapping", ColumnMapping(shape="messages", columns={"messages": "messages"}))


def flavor(name: str) -> Flavor:
    found = find(bundled_flavors(), name)
    assert found is not None, name
    return found


def card(name: str) -> GpuFacts:
    """The card of a flavor."""
    return facts(flavor(name))


def lengths(*sample: int, rows: int | None = 1000) -> LengthSample:
    return LengthSample(lengths=sample or (100, 200, 300, 400), trained=(), total_rows=rows)


def writer(name: str = "ada") -> Identity:
    return Identity(name=name, can_pay=True, role="write", orgs=("acme",))
