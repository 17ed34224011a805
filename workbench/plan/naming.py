"""Names made from a recipe: of the run, and of the repo its adapter is pushed to."""

from __future__ import annotations

import re

from workbench.plan.recipe import Recipe

# Characters of the model's and of the dataset's name: the Hub takes names of at most 96.
_EACH = 44
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def run_name(recipe: Recipe) -> str:
    """The recipe's own name, else "MODEL-DATASET-METHOD-rRANK"."""
    if recipe.name:
        return recipe.name
    model, dataset = (_last(part) for part in (recipe.model.id, recipe.dataset.id))
    return f"{model}-{dataset}-{recipe.method}-r{recipe.lora.rank}"


def output_repo(recipe: Recipe, namespace: str) -> str:
    """The repo the adapter goes to: the recipe's, under `namespace` if it names none, else "MODEL-DATASET-lora"."""
    wanted = recipe.output.repo
    if not wanted:
        model, dataset = (_fit(_last(part))[:_EACH] for part in (recipe.model.id, recipe.dataset.id))
        wanted = _fit(f"{model}-{dataset}-lora")
    return wanted if "/" in wanted else f"{namespace}/{wanted}"


def _last(repo: str) -> str:
    """The part of an id or path that names it."""
    name = repo.rstrip("/").rsplit("/", 1)[-1]
    return re.sub(r"\.(jsonl|ndjson|json|csv|tsv|parquet)$", "", name)


def _fit(text: str) -> str:
    """Only what a repo name may hold: no runs of dots or dashes, none at the ends."""
    text = re.sub(r"([.-])[.-]+", r"\1", _UNFIT.sub("-", text))
    return text.strip("-._") or "run"
