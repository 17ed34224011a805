"""`Recipe`: everything that defines a run, in one file. One recipe, one run – from a screen, a shell or an agent.

On disk it is TOML, one table a section; in a job it travels as JSON of the same shape. Unknown keys and wrong values
are refused with the key's name, because a misspelt `learnig_rate` that is silently ignored costs money.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from workbench.data.mapping import ColumnMapping
from workbench.errors import RecipeError

Method = Literal["sft", "dpo", "kto", "reward", "grpo", "prm"]
Quantization = Literal["4bit", "8bit", "none"]

_REPO_ID = re.compile(r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")
_FLAVOR = re.compile(r"^[a-z0-9][a-z0-9-]*$")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class ModelRef(_Section):
    """The base model. `revision` is a branch while planning and a commit sha once sealed."""

    id: str
    revision: str = "main"

    @field_validator("id")
    @classmethod
    def _looks_like_an_id(cls, value: str) -> str:
        if not _REPO_ID.match(value):
            raise ValueError(f"{value!r} is no repo id (owner/name)")
        return value


class DatasetRef(_Section):
    """The data. `rows` caps how many rows of the split are used; 0 = all."""

    id: str
    revision: str = "main"
    config: str = "default"
    split: str = "train"
    rows: int = Field(default=0, ge=0)


class Lora(_Section):
    """The adapter. `targets` is "all-linear" (the projections found in the model) or module names."""

    rank: int = Field(default=16, ge=1, le=1024)
    alpha: int = Field(default=32, ge=1, le=4096)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    targets: list[str] | Literal["all-linear"] = "all-linear"
    rslora: bool = False


class Training(_Section):
    """How it is trained. Lengths in tokens, `warmup` as a fraction of all steps, `max_steps` 0 = by epochs.

    `loss_on`: "completion" trains the answers only, "all" every token.
    """

    quantization: Quantization = "4bit"
    max_length: int = Field(default=1024, ge=8, le=1_048_576)
    packing: bool = False
    loss_on: Literal["completion", "all"] = "completion"
    batch: int = Field(default=2, ge=1, le=1024)
    accumulation: int = Field(default=8, ge=1, le=4096)
    epochs: float = Field(default=1.0, gt=0, le=1000)
    max_steps: int = Field(default=0, ge=0)
    learning_rate: float = Field(default=2e-4, gt=0, le=1)
    scheduler: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "cosine"
    warmup: float = Field(default=0.03, ge=0, lt=1)
    weight_decay: float = Field(default=0.01, ge=0, le=1)
    optimizer: Literal["adamw_8bit", "adamw_torch", "paged_adamw_8bit"] = "adamw_8bit"
    max_grad_norm: float = Field(default=1.0, gt=0)
    gradient_checkpointing: bool = True
    seed: int = Field(default=3407, ge=0, lt=2**32)


class Evaluation(_Section):
    """Held-out rows. `split` names an eval split; "" = `fraction` of the training split is held out (0 = none).

    `every` is steps between evals, 0 = five times a run. `patience` evals without progress stop the run, 0 = never.
    """

    split: str = ""
    fraction: float = Field(default=0.05, ge=0, lt=0.9)
    max_rows: int = Field(default=200, ge=0)
    every: int = Field(default=0, ge=0)
    patience: int = Field(default=0, ge=0)
    samples: int = Field(default=3, ge=0, le=20)


class Output(_Section):
    """Where the adapter is pushed; "" = the name is made from model and dataset under the account."""

    repo: str = ""
    private: bool = True


class Job(_Section):
    """The machine and the limits. `cap_usd` 0 = the settings' cap; `namespace` "" = the signed-in account."""

    flavor: str = "a10g-small"
    timeout_minutes: int = Field(default=120, ge=1, le=60 * 24 * 7)
    cap_usd: float = Field(default=0.0, ge=0)
    namespace: str = ""

    @field_validator("flavor")
    @classmethod
    def _looks_like_a_flavor(cls, value: str) -> str:
        if not _FLAVOR.match(value):
            raise ValueError(f"{value!r} is no flavor name (like a10g-small)")
        return value


class Recipe(_Section):
    """Everything that defines a run. Frozen: change it with `changed("lora.rank", 32)`."""

    version: Literal[1] = 1
    name: str = ""
    method: Method = "sft"
    model: ModelRef
    dataset: DatasetRef
    mapping: ColumnMapping | None = None
    lora: Lora = Lora()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    output: Output = Output()
    job: Job = Job()

    @model_validator(mode="after")
    def _early_stop_needs_an_eval(self) -> Recipe:
        if self.evaluation.patience and not (self.evaluation.split or self.evaluation.fraction):
            raise ValueError("evaluation.patience needs an eval split or a fraction above 0")
        return self

    def changed(self, key: str, value: Any) -> Recipe:
        """A copy with one dotted key changed, validated.

        Raises:
            RecipeError: no such key, or the value does not do.
        """
        data = self.model_dump(mode="json")
        node: Any = data
        *path, last = key.split(".")
        for part in path:
            if not isinstance(node, dict) or part not in node:
                raise RecipeError(f"there is no {key!r} in a recipe", where="recipe")
            if node[part] is None:
                node[part] = {}
            node = node[part]
        if not isinstance(node, dict) or (last not in node and not (path and path[-1] in ("columns", "options"))):
            raise RecipeError(f"there is no {key!r} in a recipe", where="recipe")
        node[last] = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        return parse(data, where="recipe")

    def as_dict(self) -> dict[str, Any]:
        """Plain data in the shape of the file; None is left out (TOML has no null)."""
        return self.model_dump(mode="json", exclude_none=True)


def parse(data: dict[str, Any], *, where: str) -> Recipe:
    """Plain data → Recipe; every complaint names its key."""
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError("; ".join(_complaint(item) for item in error.errors()), where=where) from error


def _complaint(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"] if part not in ("literal['all-linear']", "list[str]"))
    said = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return f"{key}: there is no such key"
    if item["type"] == "missing":
        return f"{key}: is missing"
    given = item.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) and repr(given) not in said else ""
    return f"{key}: {said}{shown}" if key else said


def load(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        RecipeError: no file, no TOML, an unknown key or a wrong value – with the line where TOML knows it.
    """
    import tomllib

    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecipeError("no such recipe file", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise RecipeError("is not UTF-8 text", where=str(path)) from error
    except OSError as error:
        raise RecipeError(f"cannot be read ({error.strerror})", where=str(path)) from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"is not valid TOML ({error})", where=str(path)) from error
    return parse(data, where=str(path))


def dumps(recipe: Recipe) -> str:
    """The recipe as TOML text, sections in the model's order."""
    import tomlkit

    return tomlkit.dumps(recipe.as_dict())


def save(recipe: Recipe, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dumps(recipe), encoding="utf-8")
