"""The recipe in work: what was picked, what follows from it, and what the user set by hand.

Lives on the screen's thread only. Picking a model or dataset fills the recipe with sensible starts and a reason beside
each; what the user changed stays as they set it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from screens.fields import ALL

if TYPE_CHECKING:
    from workbench.data.lengths import LengthSample
    from workbench.data.propose import Verdict
    from workbench.hub.records import DatasetRecord, ModelRecord
    from workbench.plan.anatomy import Anatomy
    from workbench.plan.recipe import Method, Recipe

_UNDO_KEPT = 100


@dataclass
class Draft:
    """`recipe` is None until both a model and a dataset are picked."""

    model: ModelRecord | None = None
    dataset: DatasetRecord | None = None
    config: str = "default"
    split: str = "train"
    rows_total: int | None = None
    verdict: Verdict | None = None
    method: Method = "sft"
    anatomy: Anatomy | None = None
    lengths: LengthSample | None = None
    recipe: Recipe | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    picks: int = 0  # counts what was picked, so that facts are asked for once for each pick
    _undo: list[tuple[Recipe, frozenset[str]]] = field(default_factory=list)

    def use_model(self, record: ModelRecord) -> None:
        if self.model is None or self.model.id != record.id:
            self.anatomy = None
            self.lengths = None
            self.picks += 1
        self.model = record
        self.rebuild()

    def use_dataset(
        self, record: DatasetRecord, config: str, split: str, total: int | None, verdict: Verdict | None
    ) -> None:
        self.dataset, self.config, self.split = record, config, split
        self.rows_total, self.verdict = total, verdict
        self.lengths = None
        self.picks += 1
        self.rebuild()

    def learn(self, *, anatomy: Anatomy | None = None, lengths: LengthSample | None = None) -> None:
        """New facts: sensible starts are made again where the user set nothing."""
        if anatomy is not None:
            self.anatomy = anatomy
        if lengths is not None:
            self.lengths = lengths
        self.rebuild()

    def rebuild(self) -> None:
        if self.model is None or self.dataset is None:
            self.recipe = None
            return
        from workbench.plan.recipe import DatasetRef, Evaluation, Job, Lora, ModelRef, Output, Recipe, Training
        from workbench.plan.starts import apply, sensible_start

        old = self.recipe
        mapping = self.verdict.mapping if self.verdict is not None else None
        recipe = Recipe(
            method=self.method,
            model=ModelRef(id=self.model.id, revision=self.model.sha or "main"),
            dataset=DatasetRef(
                id=self.dataset.id, revision=self.dataset.sha or "main", config=self.config, split=self.split
            ),
            mapping=mapping,
            lora=Lora(),
            training=Training(),
            evaluation=Evaluation(),
            output=Output(),
            job=Job(),
        )
        suggestions = sensible_start(self.anatomy, self.lengths, self.rows_total, self.method)
        recipe = apply(recipe, suggestions)
        self.reasons = {suggestion.key: suggestion.reason for suggestion in suggestions}
        if old is not None:
            for key in self.touched:
                recipe = recipe.changed(key, value_of(old, key))
        self.recipe = recipe

    def change(self, key: str, value: Any) -> None:
        """Set one value by hand.

        Raises:
            RecipeError: the value does not do; the draft stays as it was.
        """
        if self.recipe is None:
            return
        changed = self.recipe.changed(key, value)
        self._undo.append((self.recipe, frozenset(self.touched)))
        del self._undo[:-_UNDO_KEPT]
        self.recipe = changed
        self.touched.add(key)

    def undo(self) -> bool:
        """Take the last change back; False if there is none."""
        if not self._undo:
            return False
        self.recipe, touched = self._undo.pop()
        self.touched = set(touched)
        return True

    def load(self, recipe: Recipe) -> None:
        """Take a whole recipe (a rerun, a file): all of it counts as set by hand."""
        self.anatomy, self.lengths = None, None
        self.picks += 1
        self.recipe = recipe
        self.touched = {*ALL, "job.flavor"}
        self.reasons = {}
        self._undo.clear()


def value_of(recipe: Recipe, key: str) -> Any:
    node: Any = recipe
    for part in key.split("."):
        node = getattr(node, part)
    return node
