"""`ColumnMapping`: which column of a dataset plays which role in training. Stored in every recipe.

The meaning of each field is defined by `job_scripts.train.to_training_row`, which the job and the preview share.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

# What a mapped row looks like to a trainer (TRL's dataset types).
Shape = Literal[
    "messages",  # messages [+ tools]: conversational language modeling
    "prompt_completion",  # prompt → completion
    "text",  # plain or pre-rendered text
    "preference",  # [prompt +] chosen and rejected
    "unpaired",  # prompt + completion + label (KTO)
    "prompt_only",  # prompt [+ solution] (GRPO)
    "stepwise",  # prompt + completions + labels (PRM)
]

# The roles a column may play. Which of them a shape asks for is in ROLES_OF.
Role = Literal[
    "messages",
    "prompt",
    "completion",
    "text",
    "chosen",
    "rejected",
    "label",
    "completions",
    "labels",
    "solution",
    "system",
    "tools",
    "images",
]

# shape → (roles it cannot do without, roles it may have)
ROLES_OF: dict[Shape, tuple[tuple[Role, ...], tuple[Role, ...]]] = {
    "messages": (("messages",), ("system", "tools", "images")),
    "prompt_completion": (("prompt", "completion"), ("system", "tools", "images")),
    "text": (("text",), ()),
    "preference": (("chosen", "rejected"), ("prompt", "system", "images")),
    "unpaired": (("completion", "label"), ("prompt", "system")),
    "prompt_only": (("prompt",), ("solution", "system")),
    "stepwise": (("prompt", "completions", "labels"), ()),
}


class ColumnMapping(BaseModel):
    """Columns → roles.

    Attributes:
        shape: what the mapped row is.
        columns: role → source. A source is a column's name, or a template with `{column}` fields such as
            "{instruction}\\n\\n{input}"; an empty field takes its blank lines with it. A nested field is reached by
            a dot: "meta.answer".
        system: a fixed system prompt put before every conversation; "" = none. A `system` column wins over it.
        options: what a shape needs beyond columns (which label counts as chosen, how turns are parsed, …),
            read by `to_training_row`. Strings, numbers and booleans only, so that it survives TOML and JSON.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shape: Shape
    columns: dict[Role, str]
    system: str = ""
    options: dict[str, str | bool | float | int] = Field(default_factory=dict)

    def missing(self) -> tuple[Role, ...]:
        """Roles the shape needs and the mapping lacks."""
        return tuple(role for role in ROLES_OF[self.shape][0] if not self.columns.get(role))

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as `to_training_row` and a recipe file take it."""
        return self.model_dump(mode="json", exclude_defaults=False)
