"""READY: would TRL's trainer take these rows as they are, with no mapping at all?

The rules are TRL's (1.14 to 1.16): it goes by the columns' exact names, so here – and only here – names decide.
A string `prompt` beside `messages` sends SFT down the wrong branch, ShareGPT's role values are not renamed, and DPO
does not split a string prompt off chat lists.
"""

from __future__ import annotations

from workbench.data.mapping import ColumnMapping
from workbench.data.values import Column, Table

# Columns that change what TRL does when they are there.
_RESERVED = frozenset(
    {"messages", "prompt", "completion", "text", "chosen", "rejected", "label", "completions", "labels", "input_ids"}
)
_KNOWN_ROLES = frozenset({"user", "assistant", "system", "tool"})


def is_ready(method: str, table: Table, mapping: ColumnMapping) -> bool:
    """Whether `mapping` says nothing that TRL would not do by itself."""
    if mapping.options or mapping.system or any(role not in table.columns for role in mapping.columns):
        return False
    renamed = [role for role, source in mapping.columns.items() if role != source and role != "images"]
    if renamed or "system" in mapping.columns:
        return False
    reserved = (_RESERVED & set(table.columns)) - set(mapping.columns)
    columns: dict[str, Column] = {
        role: table.columns[source] for role, source in mapping.columns.items() if source in table.columns
    }
    if "images" in mapping.columns and mapping.columns["images"] not in ("images",):
        return False
    if method == "sft":
        return not reserved and _sft(mapping.shape, columns)
    if method in ("dpo", "reward"):
        return (
            mapping.shape == "preference" and not reserved - {"messages", "text", "label", "labels"} and _pair(columns)
        )
    if method == "kto":
        return mapping.shape == "unpaired" and "prompt" in columns and columns["label"].kind == "flag"
    if method == "grpo":
        return mapping.shape == "prompt_only" and "solution" not in columns
    return method == "prm" and mapping.shape == "stepwise" and columns["labels"].kind == "flags"


def _sft(shape: str, columns: dict[str, Column]) -> bool:
    if shape == "messages":
        return plain_turns(columns["messages"]) and ("tools" not in columns or not _strings(columns["tools"]))
    if shape == "text":
        return columns["text"].templated < 0.5
    if shape == "prompt_completion":
        prompt, completion = columns["prompt"], columns["completion"]
        both_text = prompt.kind in ("text", "transcript") and completion.kind in ("text", "id", "date")
        return both_text or (plain_turns(prompt) and plain_turns(completion))
    return False


def _pair(columns: dict[str, Column]) -> bool:
    chosen, rejected = columns["chosen"], columns["rejected"]
    if not (plain_turns(chosen) and plain_turns(rejected)):
        return chosen.kind == rejected.kind == "text" and "prompt" in columns and columns["prompt"].kind == "text"
    return "prompt" not in columns or plain_turns(columns["prompt"])


def plain_turns(column: Column) -> bool:
    """Lists of {"role", "content"} with the roles every template knows – not strings, not ShareGPT's keys."""
    if column.kind != "turns":
        return False
    turns = [turn for cell in column.filled if isinstance(cell, list | tuple) for turn in cell]
    return bool(turns) and all(
        isinstance(turn, dict) and "content" in turn and turn.get("role") in _KNOWN_ROLES for turn in turns
    )


def _strings(column: Column) -> bool:
    return any(isinstance(cell, str) for cell in column.filled)
