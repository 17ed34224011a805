# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#     "unsloth==2026.10.7",
#     "unsloth_zoo==2026.10.7",
#     "torch==2.10.0",
#     "torchvision==0.25.0",
#     "xformers==0.0.35",
#     "transformers==5.17.0",
#     "trl==1.14.2",
#     "peft==0.21.2",
#     "accelerate==1.15.0",
#     "datasets==4.8.5",
#     "bitsandbytes==0.50.2",
#     "huggingface_hub==1.33.0",
#     "trackio==0.43.0",
# ]
#
# [tool.hf-jobs]
# image = "ghcr.io/astral-sh/uv:python3.12-bookworm"
# flavor = "a10g-small"
# python = "3.12"
# timeout = "2h"
# name = "lora-train"
# secrets = ["HF_TOKEN"]
# ///
"""Train a LoRA adapter on one dataset and push it: one file, from arguments to adapter.

Runs as `hf jobs uv run train.py …`, as `uv run train.py …`, or as `python train.py …` where the packages are. With
CUDA it trains through Unsloth, without it through plain TRL + PEFT; which one is said in the log. Every third-party
package is imported inside a function, so this file imports with the standard library alone: the workbench imports it
to show, before a GPU is paid for, exactly the rows and tokens a job would train on.

What it does is printed as event lines, `::wb:: {json}`, one flushed line an event. `t` is seconds since the start,
`e` the kind: environment, phase, step, eval, sample, saved, pushed, notice, done, failed. A number that is not finite
is the string "nan", "inf" or "-inf", because JSON has no word for it.

Exit codes: 0 done, 1 failed at work, 2 bad arguments or recipe.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import json
import math
import os
import platform
import random
import re
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

# ---------------------------------------------------------------------------------------------------------------------
# Rows: a dataset's row and a column mapping → a training row. Pure functions, shared with the workbench's preview.
# ---------------------------------------------------------------------------------------------------------------------

Row = Mapping[str, Any]
Message = dict[str, Any]

ROLES = {
    **dict.fromkeys(("user", "human", "prompter", "instruction", "question"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "model", "chatgpt", "ai", "response", "answer"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "observation", "function_response", "function", "ipython"), "tool"),
    "function_call": "function_call",
    "tool_call": "function_call",
}
_ROLE_KEYS = ("role", "from", "speaker", "author")
_CONTENT_KEYS = ("content", "value", "text", "message")
_TURN_PAIRS = (("input", "output"), ("user", "assistant"), ("human", "assistant"), ("question", "answer"))

# "\n\nHuman: …", "### Assistant: …", "USER: …": a dialogue held in one string, a speaker at the start of a line.
_SPEAKER = re.compile(
    r"(?:^|\n)[ \t]*(?:#{2,3} ?)?(human|user|assistant|system|function response)[ \t]*:[ \t]*", re.IGNORECASE
)
_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")
_TRUE_WORDS = frozenset({"true", "yes", "y", "1", "good", "positive", "desirable", "chosen", "up", "+"})
_JSON_LIMIT = 4_000_000  # characters; a longer string is not tried as JSON or as a Python literal


class RowError(ValueError):
    """Why a row can't be trained on, in one sentence that holds for many rows (no row number, no content)."""


def to_training_row(row: Row, mapping: Mapping[str, Any], method: str = "sft") -> dict[str, Any]:
    """One row of a dataset as the trainer of `method` gets it.

    Args:
        row: column → value, as the dataset gives it.
        mapping: `{"shape", "columns": {role: source}, "system"?, "options"?}`. A source is a column's name, a dotted
            path into it ("meta.answer"), or a template ("{instruction}\\n\\n{input}"; an empty field takes the blank
            lines beside it along; "{{" and "}}" are braces). Options:
            `winner` + `first_wins`: the column that says which of two answers is better, and the value ("1") or
            sign ("<0") that means the one mapped as chosen; `true_label` or `min_label`: which label counts as good;
            `solution_after`: the mark ("####") behind which the solution stands.
        method: "sft", "dpo", "kto", "reward", "grpo" or "prm".

    Returns:
        sft: `{"messages", "tools"?}`, `{"prompt", "completion", "tools"?}` or `{"text"}`; dpo and reward: `{"prompt",
        "chosen", "rejected"}`; kto: `{"prompt", "completion", "label"}`; grpo: `{"prompt", "solution"?}`; all of them
        lists of `{"role", "content", …}`. prm: `{"prompt", "completions", "labels"}` as texts, which is what its
        trainer takes. `images` is added where the mapping has them.

    Raises:
        RowError: the row, or the mapping for it, gives no training row.
    """
    shape = str(mapping.get("shape"))
    if shape not in _READERS:
        raise RowError(f"unknown shape {shape!r}")
    if method not in _METHOD_FORMS:
        raise RowError(f"unknown method {method!r}")
    form = _METHOD_FORMS[method].get(shape)
    if form is None:
        raise RowError(f"a {shape} row cannot train {method}")
    try:
        source = _Source(row, mapping)
        made = form(_READERS[shape](source))
        if source.has("images"):
            images = source.value("images")
            made["images"] = list(images) if isinstance(images, list | tuple) else [images]
    except RecursionError as error:
        raise RowError("nested too deeply") from error
    return made


class _Source:
    """A row seen through a mapping: `value("prompt")` is what the mapping says the prompt is."""

    def __init__(self, row: Row, mapping: Mapping[str, Any]) -> None:
        self.row = row
        self.columns: Mapping[str, str] = mapping.get("columns") or {}
        self.fixed_system = str(mapping.get("system") or "").strip()
        self.options: Mapping[str, Any] = mapping.get("options") or {}

    def has(self, role: str) -> bool:
        return bool(self.columns.get(role))

    def value(self, role: str) -> Any:
        source = self.columns.get(role)
        if not source:
            raise RowError(f"the mapping names no {role}")
        if source in self.row:
            return self.row[source]
        if "{" in source:
            return _fill(source, self.row)
        return _lookup(self.row, source)

    def system(self) -> str:
        """The system column's text where it has one, else the fixed prompt, else ""."""
        written = _text(self.value("system")).strip() if self.has("system") else ""
        return written or self.fixed_system

    def tools(self) -> list[dict[str, Any]]:
        return _tools(self.value("tools")) if self.has("tools") else []


def _lookup(row: Row, path: str) -> Any:
    """A column, or a dotted path into one; a JSON string on the way is opened."""
    if path in row:
        return row[path]
    head, *rest = path.split(".")
    if head not in row:
        raise RowError(f"there is no column {head!r}")
    node: Any = row[head]
    for part in rest:
        node = parsed(node)
        if isinstance(node, Mapping) and part in node:
            node = node[part]
        elif isinstance(node, list | tuple) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            raise RowError(f"there is no {path!r}")
    return node


def _fill(template: str, row: Row) -> str:
    """Fill `{column}` fields. An empty field swallows the blank lines beside it, so that none are doubled."""
    out, gap = "", -1  # gap: line breaks held back since an empty field, -1 = none is pending
    for piece, is_field in _pieces(template, row):
        if is_field and not piece:
            stripped = out.rstrip("\n")
            out, gap = stripped, max(gap, len(out) - len(stripped))
        elif gap >= 0:
            body = piece if is_field else piece.lstrip("\n")
            gap = max(gap, len(piece) - len(body))
            if body:
                out, gap = out + ("\n" * gap if out else "") + body, -1
        else:
            out += piece
    return out


def _pieces(template: str, row: Row) -> Iterator[tuple[str, bool]]:
    """(text, is it a field's value) in order; literal text between two fields comes as one piece."""
    literal, at = "", 0
    for found in _FIELD.finditer(template):
        literal += template[at : found.start()]
        at = found.end()
        if found.group(1) is None:
            literal += found.group(0)[0]  # "{{" → "{"
            continue
        if literal:
            yield literal, False
        literal = ""
        yield _text(_lookup(row, found.group(1).strip())), True
    literal += template[at:]
    if literal:
        yield literal, False


def _text(value: Any) -> str:
    """Any value as text: null is "", a list of plain values one a line, anything nested as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple) and all(isinstance(item, str | int | float) for item in value):
        return "\n".join(_text(item) for item in value)
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _answer(value: Any) -> str:
    """An answer as text. Of a list of accepted answers the first that is not empty, of a struct its text."""
    if isinstance(value, list | tuple):
        return next((text for item in value if (text := _answer(item)).strip()), "")
    if isinstance(value, Mapping):
        for key in ("content", "value", "text", "answer"):
            if value.get(key):
                return _answer(value[key])
    return _text(value)


def parsed(value: Any) -> Any:
    """A string that holds a JSON or Python-literal list or dict, opened; anything else as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if len(text) > _JSON_LIMIT or (text[:1], text[-1:]) not in (("[", "]"), ("{", "}")):
        return value
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    # numpy prints a list of dicts without commas; that form has been seen in published datasets.
    for attempt in (text, re.sub(r"\}\s+\{", "}, {", text)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a "\d" inside the text is no business of the user's
                opened = ast.literal_eval(attempt)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        if isinstance(opened, list | dict):
            return opened
    return value


def _pruned(value: Any) -> Any:
    """Without keys that are null: `datasets` gives every struct the union of all rows' keys, filled with nulls."""
    if isinstance(value, Mapping):
        return {str(key): _pruned(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_pruned(item) for item in value]
    return value


# --- messages


def messages_of(value: Any) -> list[Message]:
    """A list of turns in any of the forms datasets hold them, as `{"role", "content", …}`.

    Raises:
        RowError: it is no list of turns, or a turn is empty or of an unknown role.
    """
    value = parsed(value)
    if isinstance(value, str):
        turns = transcript(value)
        if turns is None:
            raise RowError("the messages are plain text, not a list of turns")
        return turns
    if isinstance(value, Mapping):
        value = _columnar(value) or [value]
    if not isinstance(value, list | tuple):
        raise RowError("the messages are missing" if value is None else "the messages are not a list of turns")
    made: list[Message] = []
    for index, turn in enumerate(value):
        made.extend(_turn(parsed(turn), index))
    return made


def _columnar(value: Mapping[str, Any]) -> list[Message]:
    """{"role": [...], "content": [...]} → one dict a turn; how older `datasets` return a sequence of structs."""
    lists = {key: item for key, item in value.items() if isinstance(item, list | tuple)}
    role = next((key for key in _ROLE_KEYS if key in lists), "")
    content = next((key for key in _CONTENT_KEYS if key in lists), "")
    if not role or not content or len(lists[role]) != len(lists[content]):
        return []
    return [{role: who, content: what} for who, what in zip(lists[role], lists[content], strict=True)]


def _turn(turn: Any, index: int) -> list[Message]:
    """One turn (or one {input, output} pair) as messages; a system turn without text is dropped."""
    if isinstance(turn, str):  # a bare list of texts: speakers alternate
        turn = {"role": ("user", "assistant")[index % 2], "content": turn}
    if not isinstance(turn, Mapping):
        raise RowError("a turn is not a role with its content")
    role_key = next((key for key in _ROLE_KEYS if isinstance(turn.get(key), str)), "")
    if not role_key:
        return _turn_pair(turn)
    role = ROLES.get(turn[role_key].strip().lower())
    if role is None:
        raise RowError(f"unknown role {turn[role_key][:40]!r}")
    content_key = next((key for key in _CONTENT_KEYS if key in turn), "")
    message: Message = {"role": role, "content": _content(turn.get(content_key))}
    if role == "function_call":
        message = _called(message["content"])
    for key, extra in turn.items():
        if key not in (role_key, content_key) and extra is not None:
            message[str(key)] = _calls(extra) if key == "tool_calls" else _pruned(extra)
    if not message.get("tool_calls"):
        message.pop("tool_calls", None)
    if not _is_empty(message):
        return [message]
    if role == "system":
        return []
    raise RowError(f"an empty {role} turn")


def _turn_pair(turn: Mapping[str, Any]) -> list[Message]:
    for asked, answered in _TURN_PAIRS:
        if asked in turn and answered in turn:
            pair = [
                {"role": "user", "content": _text(turn[asked])},
                {"role": "assistant", "content": _text(turn[answered])},
            ]
            for message in pair:
                if _is_empty(message):
                    raise RowError(f"an empty {message['role']} turn")
            return pair
    raise RowError("a turn has no role")


def _content(value: Any) -> Any:
    """Text, or a list of typed parts (kept as parts, because templates render images from them)."""
    if isinstance(value, list | tuple) and value and all(isinstance(p, Mapping) and "type" in p for p in value):
        parts = _pruned(value)
        if all(part["type"] == "text" for part in parts):
            return "\n".join(_text(part.get("text")) for part in parts)
        return parts
    return _text(value)


def _is_empty(message: Message) -> bool:
    content = message["content"]
    return not (content.strip() if isinstance(content, str) else content) and not message.get("tool_calls")


def _called(content: str) -> Message:
    """A ShareGPT function_call turn: an assistant that calls tools."""
    calls = _calls(content)
    return {"role": "assistant", "content": "", "tool_calls": calls} if calls else _assistant(content)


def _calls(value: Any) -> list[dict[str, Any]]:
    """Tool calls in the form chat templates read: [{"type": "function", "function": {"name", "arguments"}}]."""
    value = _pruned(parsed(value))
    calls = []
    for call in value if isinstance(value, list) else [value]:
        inner = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            return []
        arguments = parsed(inner.get("arguments", inner.get("parameters", {})))
        made = {"type": "function", "function": {"name": inner["name"], "arguments": arguments}}
        calls.append({"id": call["id"], **made} if isinstance(call.get("id"), str) else made)
    return calls


def _tools(value: Any) -> list[dict[str, Any]]:
    """Tool schemas as a list; a bare {"name", "parameters"} is wrapped as a function."""
    value = _pruned(parsed(value))
    if isinstance(value, str):  # several JSON objects, a blank line between them
        value = [parsed(part) for part in re.split(r"\n\s*\n", value) if part.strip()]
    if value is None or value == {}:
        return []
    made = []
    for tool in value if isinstance(value, list) else [value]:
        tool = _pruned(parsed(tool))
        if not isinstance(tool, dict):
            raise RowError("a tool is not a JSON object")
        made.append(tool if "function" in tool or "type" in tool else {"type": "function", "function": tool})
    return made


def transcript(text: str) -> list[Message] | None:
    """A dialogue in one string ("\\n\\nHuman: …\\n\\nAssistant: …") as messages; None where it is no dialogue."""
    marks = list(_SPEAKER.finditer(text))
    if len({mark.group(1).lower() for mark in marks}) < 2 or text[: marks[0].start()].strip():
        return None
    made = []
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        word = mark.group(1).lower().replace(" ", "_")
        content = text[mark.end() : following.start() if following else len(text)].strip()
        if content:
            made.append({"role": ROLES[word], "content": content.removesuffix("<|endoftext|>").rstrip()})
    return made or None


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _with_system(messages: list[Message], system: str) -> list[Message]:
    if not system or (messages and messages[0]["role"] == "system"):
        return messages
    return [{"role": "system", "content": system}, *messages]


def _is_turns(value: Any) -> bool:
    """Is this value turns rather than a text?"""
    if isinstance(value, Mapping):
        return any(isinstance(value.get(key), str) for key in ("role", "from")) or bool(_columnar(value))
    return bool(value) and isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value)


def _prompt(source: _Source) -> list[Message]:
    """The prompt as messages, the system prompt in front."""
    value = source.value("prompt")
    opened = parsed(value)
    if _is_turns(opened) and (not isinstance(value, str) or _has_roles(opened)):
        messages = messages_of(opened)
    else:
        text = _text(value)
        if not text.strip():
            raise RowError("the prompt is empty")
        messages = transcript(text) or [_user(text)]
    if not messages:
        raise RowError("the prompt is empty")
    return _with_system(messages, source.system())


def _has_roles(turns: Any) -> bool:
    if isinstance(turns, Mapping) and _columnar(turns):
        return True
    items = turns if isinstance(turns, list | tuple) else [turns]
    return all(any(isinstance(item.get(key), str) for key in _ROLE_KEYS) for item in items)


def _reply(source: _Source, role: str) -> list[Message]:
    """A completion as messages that begin with an assistant turn."""
    value = source.value(role)
    opened = parsed(value)
    if source.has("tools") and (calls := _calls(opened)):
        return [{"role": "assistant", "content": "", "tool_calls": calls}]
    if _is_turns(opened) and _has_roles(opened):
        messages = messages_of(opened)
        if not messages or messages[0]["role"] != "assistant":
            raise RowError(f"the {role} does not begin with an assistant turn")
        return _ending_with_assistant(messages)
    text = _answer(value)
    if not text.strip():
        raise RowError(f"the {role} is empty")
    return [_assistant(text)]


def _ending_with_assistant(messages: list[Message]) -> list[Message]:
    """Without trailing turns that nobody answers: there is nothing in them to train."""
    end = max((index for index, message in enumerate(messages) if message["role"] == "assistant"), default=-1)
    if end < 0:
        raise RowError("no assistant turn")
    return messages[: end + 1]


# --- one reader a shape


def _read_messages(source: _Source) -> dict[str, Any]:
    messages = _ending_with_assistant(messages_of(source.value("messages")))
    return _with_tools({"messages": _with_system(messages, source.system())}, source)


def _read_prompt_completion(source: _Source) -> dict[str, Any]:
    return _with_tools({"prompt": _prompt(source), "completion": _reply(source, "completion")}, source)


def _with_tools(made: dict[str, Any], source: _Source) -> dict[str, Any]:
    tools = source.tools()
    return {**made, "tools": tools} if tools else made


def _read_text(source: _Source) -> dict[str, Any]:
    text = _text(source.value("text"))
    if not text.strip():
        raise RowError("the text is empty")
    return {"text": text}


def _read_preference(source: _Source) -> dict[str, Any]:
    better, worse = _dialogue(source, "chosen"), _dialogue(source, "rejected")
    prefix = _shared_prefix(better, worse)
    better, worse = better[len(prefix) :], worse[len(prefix) :]
    if any(
        message["role"] == "user" for message in prefix
    ):  # the dialogues hold the prompt; a prompt column repeats it
        prompt = _with_system(prefix, source.system())
    elif source.has("prompt"):
        prompt = _with_system(_prompt(source), prefix[0]["content"] if prefix else "")
        better, worse = _without_repeat(prompt, better), _without_repeat(prompt, worse)
    else:
        raise RowError("there is no prompt: chosen and rejected share no first turn")
    for name, reply in (("chosen", better), ("rejected", worse)):
        if not reply or reply[0]["role"] != "assistant":
            raise RowError(f"the {name} answer is missing")
    if better == worse:
        raise RowError("chosen and rejected are the same")
    if _first_wins(source) is False:
        better, worse = worse, better
    return {"prompt": prompt, "chosen": better, "rejected": worse}


def _dialogue(source: _Source, role: str) -> list[Message]:
    """A chosen or rejected side: a whole dialogue, or an answer alone."""
    value = source.value(role)
    opened = parsed(value)
    if _is_turns(opened) and _has_roles(opened):
        return _ending_with_assistant(messages_of(opened))
    text = _answer(value)
    if not text.strip():
        raise RowError(f"the {role} answer is empty")
    return _ending_with_assistant(transcript(text) or [_assistant(text)])


def _shared_prefix(first: list[Message], second: list[Message]) -> list[Message]:
    """The turns both dialogues begin with, so that what remains of each begins with an assistant turn."""
    length = 0
    for one, other in zip(first[:-1], second[:-1], strict=False):
        if one != other:
            break
        length += 1
    while length and not (first[length]["role"] == second[length]["role"] == "assistant"):
        length -= 1
    return first[:length]


def _without_repeat(prompt: list[Message], reply: list[Message]) -> list[Message]:
    """An answer that repeats the prompt's text at its start, without it."""
    asked, text = prompt[-1]["content"], reply[0]["content"] if reply else ""
    if not isinstance(asked, str) or not isinstance(text, str) or len(asked) < 8 or not text.startswith(asked):
        return reply
    rest = text[len(asked) :].strip()
    return [{**reply[0], "content": rest}, *reply[1:]] if rest else []


def _first_wins(source: _Source) -> bool | None:
    """Does the answer mapped as chosen win? None where the mapping leaves nothing to decide.

    Raises:
        RowError: a tie.
    """
    column = source.options.get("winner")
    if not column:
        return None
    value, rule = _lookup(source.row, str(column)), str(source.options.get("first_wins", "1")).strip()
    if value is None:
        raise RowError("nobody said which answer is better")
    if rule[:1] not in ("<", ">"):
        return _text(value).strip() == rule
    number, bound = _number(value), _number(rule[1:])
    if number is None or bound is None:
        raise RowError(f"{column} is not a number")
    if number == bound:
        raise RowError("a tie between the two answers")
    return (number < bound) == (rule[0] == "<")


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _read_unpaired(source: _Source) -> dict[str, Any]:
    label = _label(source.value("label"), source.options)
    if source.has("prompt"):
        return {"prompt": _prompt(source), "completion": _reply(source, "completion"), "label": label}
    dialogue = _with_system(_dialogue(source, "completion"), source.system())
    if not any(message["role"] == "user" for message in dialogue):
        raise RowError("there is no prompt: the completion holds the answer alone")
    return {"prompt": dialogue[:-1], "completion": dialogue[-1:], "label": label}


def _label(value: Any, options: Mapping[str, Any]) -> bool:
    if value is None:
        raise RowError("the label is empty")
    if "true_label" in options:
        return _text(value).strip().lower() == _text(options["true_label"]).strip().lower()
    number = _number(value)
    if "min_label" in options:
        bound = _number(options["min_label"])
        if number is None or bound is None:
            raise RowError("the label is not a number")
        return number >= bound
    return number > 0 if number is not None else _text(value).strip().lower() in _TRUE_WORDS


def _read_prompt_only(source: _Source) -> dict[str, Any]:
    made: dict[str, Any] = {"prompt": _prompt(source)}
    if source.has("solution"):
        solution = _answer(source.value("solution"))
        mark = str(source.options.get("solution_after") or "")
        solution = solution.rpartition(mark)[2].strip() if mark else solution
        if not solution.strip():
            raise RowError("the solution is empty")
        made["solution"] = solution
    return made


def _read_stepwise(source: _Source) -> dict[str, Any]:
    prompt = _text(source.value("prompt"))
    completions, labels = parsed(source.value("completions")), parsed(source.value("labels"))
    if not prompt.strip():
        raise RowError("the prompt is empty")
    if not isinstance(completions, list | tuple) or not isinstance(labels, list | tuple) or not completions:
        raise RowError("the steps or their labels are not a list")
    if len(completions) != len(labels):
        raise RowError("there are not as many labels as steps")
    steps = [_text(step) for step in completions]
    return {"prompt": prompt, "completions": steps, "labels": [_label(label, source.options) for label in labels]}


_READERS: dict[str, Callable[[_Source], dict[str, Any]]] = {
    "messages": _read_messages,
    "prompt_completion": _read_prompt_completion,
    "text": _read_text,
    "preference": _read_preference,
    "unpaired": _read_unpaired,
    "prompt_only": _read_prompt_only,
    "stepwise": _read_stepwise,
}

# --- one form a method: what a read row becomes for a trainer


def _same(made: dict[str, Any]) -> dict[str, Any]:
    return made


def _sft_of_preference(made: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": made["prompt"], "completion": made["chosen"]}


def _sft_of_unpaired(made: dict[str, Any]) -> dict[str, Any]:
    if not made["label"]:
        raise RowError("label is false")
    return {"prompt": made["prompt"], "completion": made["completion"]}


def _sft_of_prompt_only(made: dict[str, Any]) -> dict[str, Any]:
    if "solution" not in made:
        raise RowError("there is a prompt but no answer to train on")
    return {"prompt": made["prompt"], "completion": [_assistant(made["solution"])]}


def _sft_of_stepwise(made: dict[str, Any]) -> dict[str, Any]:
    if not all(made["labels"]):
        raise RowError("a step is wrong")
    return {"prompt": [_user(made["prompt"])], "completion": [_assistant("\n".join(made["completions"]))]}


def _grpo_of_messages(made: dict[str, Any]) -> dict[str, Any]:
    prompt, last = made["messages"][:-1], made["messages"][-1]
    if not any(message["role"] == "user" for message in prompt):
        raise RowError("there is no prompt before the answer")
    return {"prompt": prompt, "solution": _answer(last["content"])}


def _grpo_of_prompt_completion(made: dict[str, Any]) -> dict[str, Any]:
    return {"prompt": made["prompt"], "solution": _answer(made["completion"][-1]["content"])}


_METHOD_FORMS: dict[str, dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "sft": {
        "messages": _same,
        "prompt_completion": _same,
        "text": _same,
        "preference": _sft_of_preference,
        "unpaired": _sft_of_unpaired,
        "prompt_only": _sft_of_prompt_only,
        "stepwise": _sft_of_stepwise,
    },
    "dpo": {"preference": _same},
    "reward": {"preference": _same},
    "kto": {"unpaired": _same},
    "grpo": {
        "prompt_only": _same,
        "messages": _grpo_of_messages,
        "prompt_completion": _grpo_of_prompt_completion,
    },
    "prm": {"stepwise": _same},
}


# ---------------------------------------------------------------------------------------------------------------------
# Tokens: a training row → token ids and which of them are trained. Needs a tokenizer, not torch.
# ---------------------------------------------------------------------------------------------------------------------


class NoTemplateError(RowError):
    """A dialogue, and a model that has no chat template to write it with."""


@dataclass(frozen=True)
class Encoded:
    """A training row as tokens.

    Attributes:
        input_ids: the whole row, longer than `max_length` where the row is.
        trained: for each token, is it a target of the loss.
        kept: how many tokens, from the start, survive `max_length`.
    """

    input_ids: list[int]
    trained: list[bool]
    kept: int


Spans = list[tuple[int, int]]  # character ranges of a rendered text


def encode(training_row: Row, tokenizer: Any, *, max_length: int, loss_on: str = "completion") -> Encoded:
    """Tokens and loss mask of what `to_training_row` made for SFT (or of the chosen side of a preference).

    Args:
        tokenizer: a fast tokenizer of transformers, with or without a chat template.
        loss_on: "completion" trains the assistant turns (those of the completion, where there is one) with the token
            that ends a turn; "all" trains every token.

    Raises:
        NoTemplateError: a dialogue of several turns, and no chat template.
        RowError: the template refuses the row, or no trained token is left within `max_length`.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise RowError("the model has no fast tokenizer, so answers can't be told from prompts")
    if "text" in training_row:
        ids, trained = _encode_text(training_row["text"], [], tokenizer, loss_on="all")
    elif not getattr(tokenizer, "chat_template", None):
        text, spans = _plain(*_conversation(training_row))
        ids, trained = _encode_text(text, spans, tokenizer, loss_on)
    else:
        ids, trained = _encode_chat(training_row, tokenizer, loss_on)
    kept = min(len(ids), max_length)
    if not any(trained[1:kept]):  # the first token has nothing before it to be predicted from
        where = f"within max_length {max_length}" if any(trained[1:]) else "in the row"
        raise RowError(f"nothing is left to train on {where}")
    return Encoded(ids, trained, kept)


def _conversation(row: Row) -> tuple[list[Message], int]:
    """All turns of a training row, and how many turns from the end may be trained."""
    if "messages" in row:
        return list(row["messages"]), len(row["messages"])
    completion = row["completion"] if "completion" in row else row["chosen"]
    return [*row["prompt"], *completion], len(completion)


def _encode_text(text: str, spans: Spans, tokenizer: Any, loss_on: str) -> tuple[list[int], list[bool]]:
    """Plain text with the tokenizer's own BOS, and EOS at the end so that the model learns to stop."""
    ids, trained = _tokens(tokenizer, text, [(0, len(text))] if loss_on == "all" else spans, special=True)
    eos = tokenizer.eos_token_id
    if eos is not None and (not ids or ids[-1] != eos):
        return [*ids, eos], [*trained, True]
    return ids, [*trained[:-1], True]


def _plain(messages: list[Message], answers: int) -> tuple[str, Spans]:
    """One exchange without a template: the prompt's text, a line break where neither side has one, the answer."""
    asked, replied = messages[:-1], messages[-1]
    if any(message["role"] == "assistant" for message in asked) or not isinstance(replied["content"], str):
        raise NoTemplateError("the model has no chat template, and the row is a dialogue")
    prompt = "\n\n".join(_text(message["content"]) for message in asked)
    joint = "" if not prompt or prompt[-1].isspace() or replied["content"][:1].isspace() else "\n"
    text = prompt + joint + replied["content"]
    return text, [(len(prompt) + len(joint), len(text))]


def _encode_chat(row: Row, tokenizer: Any, loss_on: str) -> tuple[list[int], list[bool]]:
    messages, answers = _conversation(row)
    template = _Template(tokenizer, row.get("tools") or None)
    messages, text = template.written(messages)
    for call in (call for message in messages for call in message.get("tool_calls") or []):
        if call["function"]["name"] not in text:
            raise RowError("the chat template does not write tool calls")
    if loss_on == "all":
        spans = [(0, len(text))]
    else:
        text, spans = _trained_spans(template, messages, text, max(0, len(messages) - answers))
    return _tokens(tokenizer, text, spans, special=False)


class _Template:
    """A tokenizer's chat template, with the tools of one row."""

    def __init__(self, tokenizer: Any, tools: list[dict[str, Any]] | None) -> None:
        self.tokenizer = tokenizer
        self.tools = tools

    def render(self, messages: list[Message], **options: Any) -> str:
        """The dialogue as text.

        Raises:
            RowError: the template raises; templates do so for roles or an order they do not know.
        """
        try:
            made = self.tokenizer.apply_chat_template(messages, tools=self.tools, tokenize=False, **options)
        except ImportError:
            raise
        except Exception as error:
            said = " ".join(str(error).split())[:160] or type(error).__name__
            raise RowError(f"the chat template refuses the row: {said}") from error
        return str(made)

    def written(self, messages: list[Message]) -> tuple[list[Message], str]:
        """The messages as this template takes them, and their text.

        Templates without a system role either raise or leave the system text out; it is then put before the first
        user turn's text, which is how those models' authors do it.
        """
        system = messages[0]["content"] if messages and messages[0]["role"] == "system" else ""
        if not isinstance(system, str) or not system:
            return messages, self.render(messages)
        try:
            text = self.render(messages)
            if system.strip() in text:
                return messages, text
        except RowError:
            pass
        folded = _system_folded(messages, system)
        return folded, self.render(folded)

    def answer_header(self) -> str:
        """What the template writes before an answer ("<|im_start|>assistant\\n"); "" where it has no such option."""
        asked = [_user("?")]
        try:
            without, with_header = self.render(asked), self.render(asked, add_generation_prompt=True)
        except RowError:
            return ""
        return with_header[len(without) :] if with_header.startswith(without) else ""

    def marks_answers(self) -> bool:
        """Does the template itself say which text the assistant generates?"""
        source = self.tokenizer.get_chat_template(None, self.tools)
        return re.search(r"\{%-?\s*generation\s*-?%\}", source) is not None

    def answer_marks(self, messages: list[Message]) -> Spans:
        """Where the template itself says that the assistant generates; empty where it does not say."""
        source = self.tokenizer.get_chat_template(None, self.tools)
        if not re.search(r"\{%-?\s*generation\s*-?%\}", source):
            return []
        made = self.tokenizer.apply_chat_template(
            messages,
            tools=self.tools,
            return_dict=True,
            return_assistant_tokens_mask=True,
            tokenizer_kwargs={"return_offsets_mapping": True},
        )
        spans: Spans = []
        was_generated = 0
        for (start, end), generated in zip(made["offset_mapping"], made["assistant_masks"], strict=True):
            if generated and was_generated:
                spans[-1] = (spans[-1][0], end)
            elif generated:
                spans.append((start, end))
            was_generated = generated
        return spans

    def turn_ends(self, header: str) -> _TurnEnds:
        """What stands behind an answer, seen on a small one. A token that opens turns is no end."""
        added = getattr(self.tokenizer, "added_tokens_decoder", {}).values()
        names = {str(token) for token in added if getattr(token, "special", False)} | {
            *self.tokenizer.all_special_tokens
        }
        special = tuple(sorted((name for name in names if name), key=len, reverse=True))
        mark = chr(0xE000)
        try:
            behind = self.render([_user("?"), _assistant(mark)]).partition(mark)[2].lstrip()
        except RowError:
            behind = ""
        usual = next((token for token in special if behind.startswith(token)), "")
        opener = next((token for token in special if header.startswith(token)), "")
        edges = tuple(token for token in (usual, opener) if token)
        return _TurnEnds(usual, tuple(token for token in special if token != opener), edges)


def _system_folded(messages: list[Message], system: str) -> list[Message]:
    """The system text at the head of the first user turn."""
    rest = [dict(message) for message in messages[1:]]
    first = next((message for message in rest if message["role"] == "user"), None)
    if first is None:
        return [_user(system), *rest]
    if isinstance(first["content"], str):
        first["content"] = f"{system.strip()}\n\n{first['content']}"
    else:
        first["content"] = [{"type": "text", "text": system.strip()}, *first["content"]]
    return rest


def _trained_spans(template: _Template, messages: list[Message], text: str, first: int) -> tuple[str, Spans]:
    """The text of the answers from turn `first` on, each with the token that ends its turn.

    Returns the text too: where the template ends the last answer with no special token, EOS is put there, because a
    model that is never shown an end never learns to stop.
    """
    header = template.answer_header()
    ends = template.turn_ends(header)
    if marks := template.answer_marks(messages):
        begin = _answers_begin(template, messages, text, first)
        contents = [span for span in marks if span[1] > begin]
    else:
        contents = _found_spans(template, messages, text, first, header, ends)
    spans = [(start, ends.after(text, start, end)) for start, end in contents]
    if not spans or messages[-1]["role"] != "assistant":
        return text, spans
    start, end = spans[-1]
    eos = template.tokenizer.eos_token
    if eos and not text[end:].strip() and end == contents[-1][1] and not ends.closed(text[start:end]):
        text = text[:end] + eos
        spans[-1] = (start, len(text))
    return text, spans


def _answers_begin(template: _Template, messages: list[Message], text: str, first: int) -> int:
    """Where in the text turn `first` begins."""
    if not any(message["role"] == "assistant" for message in messages[:first]):
        return 0
    return _common_prefix(template.render(messages[:first]), text)


def _found_spans(
    template: _Template, messages: list[Message], text: str, first: int, header: str, ends: _TurnEnds
) -> Spans:
    """The answers' places, for a template that does not tell them."""
    spans: Spans = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant" or index < first:
            continue
        start, end = _content_span(template, messages, text, index)
        if header:  # what a template writes between header and content (an empty "<think>" block) is generated as well
            begin = text.rfind(header, 0, start) + len(header)
            if begin >= len(header) and not any(edge in text[begin:start] for edge in ends.edges):
                start = begin
        if end > start:
            spans.append((start, end))
    return spans


@dataclass(frozen=True)
class _TurnEnds:
    """What ends an assistant's turn under a template.

    Attributes:
        usual: the special token that stands behind an answer ("<|im_end|>"); "" where none does.
        others: every special token that does not open an answer, the longest first.
        edges: the tokens that stand between two turns and never inside one.
    """

    usual: str
    others: tuple[str, ...]
    edges: tuple[str, ...]

    def closed(self, answer: str) -> bool:
        return bool(self.usual) and answer.rstrip().endswith(self.usual)

    def after(self, text: str, start: int, end: int) -> int:
        """Where an answer ends with the special token behind it: the usual one, or another (a call's "<|eom_id|>")."""
        if self.closed(text[start:end]):
            return end
        at = end + len(text[end:]) - len(text[end:].lstrip())
        token = next((token for token in (self.usual, *self.others) if token and text.startswith(token, at)), "")
        return at + len(token) if token else end


def _content_span(template: _Template, messages: list[Message], text: str, index: int) -> tuple[int, int]:
    """Where the content of turn `index` stands in the text.

    The dialogue is written once more with a mark in place of that turn: what differs is the turn. This holds where
    comparing the dialogue with its beginning does not, as templates change earlier turns when later ones follow
    (Qwen3 drops their reasoning).
    """
    mark = next(chr(code) for code in range(0xE000, 0xF900) if chr(code) not in text)
    try:
        other = template.render([*messages[:index], _assistant(mark), *messages[index + 1 :]])
    except RowError:  # a template may insist that a tool's answer follows a call
        return _appended_span(template, messages, text, index)
    at = other.find(mark)
    if at < 0:
        return 0, 0  # the template leaves this turn out
    start = at if text.startswith(other[:at]) else _common_prefix(text, other)
    room = len(text) - start
    tail = other[at + 1 :]
    shared = len(tail) if text.endswith(tail) else _common_prefix(text[::-1], other[::-1])
    return start, len(text) - min(shared, room)


def _appended_span(template: _Template, messages: list[Message], text: str, index: int) -> tuple[int, int]:
    """The same from the dialogue's beginning, with and without the turn."""
    start = _common_prefix(template.render(messages[:index], add_generation_prompt=True), text)
    end = _common_prefix(template.render(messages[: index + 1]), text)
    return start, max(start, end)


def _common_prefix(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # comparing slices by halves runs in C; a loop over characters does not
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _tokens(tokenizer: Any, text: str, spans: Spans, *, special: bool) -> tuple[list[int], list[bool]]:
    """Tokens of a text; one is trained when it holds a character of a span."""
    made = tokenizer(text, add_special_tokens=special, return_offsets_mapping=True, verbose=False)
    ids = list(made["input_ids"])
    trained = [False] * len(ids)
    place = 0
    for index, (start, end) in enumerate(made["offset_mapping"]):
        while place < len(spans) and spans[place][1] <= start:
            place += 1
        if place < len(spans) and start < spans[place][1] and end > spans[place][0] and end > start:
            trained[index] = True
    return ids, trained


# ---------------------------------------------------------------------------------------------------------------------
# Arguments and recipe: one table says what can be set, by which key of a recipe and by which flag.
# ---------------------------------------------------------------------------------------------------------------------

Recipe = dict[str, Any]  # nested like the recipe's file: recipe["lora"]["rank"]


class Failure(Exception):
    """Something that ends the run, with its cause, its mend, and a kind a program can tell apart."""

    def __init__(self, cause: str, mend: str = "", kind: str = "error", code: int = 1) -> None:
        super().__init__(cause)
        self.cause, self.mend, self.kind, self.code = cause, mend, kind, code


def wrong(cause: str, mend: str = "Run with --help to see what can be set.") -> Failure:
    return Failure(cause, mend, kind="arguments", code=2)


@dataclass(frozen=True)
class Kind:
    """What a value may be. `read` takes a flag's text or a recipe's value and raises ValueError with a sentence."""

    read: Callable[[Any], Any]
    metavar: str = ""


def _number_kind(low: float, high: float, *, whole: bool, open_low: bool = False, open_high: bool = False) -> Kind:
    span = f"{'above ' if open_low else ''}{low:g} {'to below' if open_high else 'to'} {high:g}"

    def read(value: Any) -> int | float:
        try:
            number = float(value)
            if isinstance(value, bool) or not math.isfinite(number) or (whole and number != int(number)):
                raise ValueError
        except (TypeError, ValueError):
            raise ValueError(f"must be a {'whole number' if whole else 'number'}, not {value!r}") from None
        if number < low or number > high or (open_low and number == low) or (open_high and number == high):
            raise ValueError(f"must be from {span}, not {value!r}")
        return int(number) if whole else number

    return Kind(read, "N" if whole else "X")


def _choice(*names: str) -> Kind:
    def read(value: Any) -> str:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(names)}, not {value!r}")
        return str(value)

    return Kind(read, "{" + ",".join(names) + "}")


def _read_str(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {value!r}")
    return value


def _read_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {value!r}")
    return value


_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def _read_source(value: Any) -> str:
    """A repo id, or the path of something on this machine."""
    if isinstance(value, str) and (_REPO_ID.fullmatch(value) or is_local(value)):
        return value
    raise ValueError(f"must be a repo id (owner/name) or a path that exists, not {value!r}")


def _read_target(value: Any) -> str:
    if isinstance(value, str) and (value == "" or _REPO_ID.fullmatch(value)):
        return value
    raise ValueError(f"must be a repo id (owner/name), not {value!r}")


def _read_targets(value: Any) -> str | list[str]:
    names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f'must be "all-linear" or module names, not {value!r}')
    return "all-linear" if names == ["all-linear"] else names


def _read_mapping(value: Any) -> dict[str, Any]:
    """A column mapping: JSON text, `@file` with JSON in it, or a recipe's table."""
    if isinstance(value, str):
        try:
            value = json.loads(Path(value[1:]).read_text(encoding="utf-8") if value.startswith("@") else value)
        except (OSError, ValueError) as error:
            raise ValueError(f"is not JSON ({error})") from None
    if not isinstance(value, dict) or not isinstance(value.get("columns"), dict):
        raise ValueError('must be like {"shape": "messages", "columns": {"messages": "conversations"}}')
    if unknown := set(value) - {"shape", "columns", "system", "options"}:
        raise ValueError(f"has no key {sorted(unknown)[0]!r}")
    if value.get("shape") not in _READERS:
        raise ValueError(f"shape must be one of {', '.join(_READERS)}, not {value.get('shape')!r}")
    if unknown := set(value["columns"]) - _MAPPING_ROLES:
        raise ValueError(f"columns has no role {sorted(unknown)[0]!r}; roles are {', '.join(sorted(_MAPPING_ROLES))}")
    if not all(isinstance(source, str) for source in value["columns"].values()):
        raise ValueError("columns must name a column or a template for each role")
    return {"system": "", "options": {}, **value}


_MAPPING_ROLES = {"messages", "prompt", "completion", "text", "chosen", "rejected", "label", "completions", "labels"}
_MAPPING_ROLES |= {"solution", "system", "tools", "images"}
BOOL = Kind(_read_bool)
SOURCE = Kind(_read_source, "ID")
REVISION = Kind(_read_str, "REVISION")
NAME = Kind(_read_str, "NAME")
METHODS = ("sft", "dpo", "kto", "reward", "grpo", "prm")
REQUIRED = object()


@dataclass(frozen=True)
class Setting:
    """One thing that can be set: its dotted key in a recipe, its flag ("" = recipe only), default and meaning."""

    key: str
    flag: str
    default: Any
    kind: Kind
    help: str


def _whole(low: int, high: int) -> Kind:
    return _number_kind(low, high, whole=True)


def _real(low: float, high: float, *, open_low: bool = False, open_high: bool = False) -> Kind:
    return _number_kind(low, high, whole=False, open_low=open_low, open_high=open_high)


SETTINGS: dict[str, tuple[Setting, ...]] = {
    "what": (
        Setting("version", "", 1, _whole(1, 1), "version of the recipe format"),
        Setting("name", "--name", "", NAME, "a name for the run, used in the model card"),
        Setting("method", "--method", "sft", _choice(*METHODS), "training method"),
    ),
    "model": (
        Setting("model.id", "--model", REQUIRED, SOURCE, "base model: repo id, or a local folder"),
        Setting("model.revision", "--model-revision", "main", REVISION, "branch, tag or commit of the model"),
    ),
    "data": (
        Setting("dataset.id", "--dataset", REQUIRED, SOURCE, "dataset: repo id, or a local file or folder"),
        Setting("dataset.revision", "--dataset-revision", "main", REVISION, "branch, tag or commit of the dataset"),
        Setting("dataset.config", "--config", "default", NAME, "config (subset) of the dataset"),
        Setting("dataset.split", "--split", "train", NAME, "split to train on"),
        Setting("dataset.rows", "--rows", 0, _whole(0, 2**40), "use the first N rows of the split; 0 = all"),
    ),
    "adapter": (
        Setting("lora.rank", "--rank", 16, _whole(1, 1024), "LoRA rank"),
        Setting("lora.alpha", "--alpha", 32, _whole(1, 4096), "LoRA alpha; the update is scaled by alpha / rank"),
        Setting("lora.dropout", "--dropout", 0.0, _real(0, 1, open_high=True), "dropout on the adapter's input"),
        Setting(
            "lora.targets", "--targets", "all-linear", Kind(_read_targets, "NAMES"),
            "modules to adapt, comma separated; all-linear = the projections found in the model",
        ),
        Setting("lora.rslora", "--rslora", False, BOOL, "rank-stabilised scaling, alpha / sqrt(rank)"),
    ),
    "training": (
        Setting(
            "training.quantization", "--quantization", "4bit", _choice("4bit", "8bit", "none"),
            "how the frozen weights are held (with CUDA; elsewhere they are not quantised)",
        ),
        Setting("training.max_length", "--max-length", 1024, _whole(8, 1_048_576), "tokens a row; longer rows are cut"),
        Setting("training.packing", "--packing", False, BOOL, "several rows in one sequence of max-length"),
        Setting(
            "training.loss_on", "--loss-on", "completion", _choice("completion", "all"),
            "train the answers only, or every token",
        ),
        Setting("training.batch", "--batch", 2, _whole(1, 1024), "rows a forward pass"),
        Setting("training.accumulation", "--accumulation", 8, _whole(1, 4096), "passes a step"),
        Setting("training.epochs", "--epochs", 1.0, _real(0, 1000, open_low=True), "times through the data"),
        Setting("training.max_steps", "--max-steps", 0, _whole(0, 2**40), "stop after N steps; 0 = by epochs"),
        Setting("training.learning_rate", "--learning-rate", 2e-4, _real(0, 1, open_low=True), "peak learning rate"),
        Setting(
            "training.scheduler", "--scheduler", "cosine",
            _choice("linear", "cosine", "constant", "constant_with_warmup"), "how the rate falls",
        ),
        Setting("training.warmup", "--warmup", 0.03, _real(0, 1, open_high=True), "fraction of all steps to warm up"),
        Setting("training.weight_decay", "--weight-decay", 0.01, _real(0, 1), "AdamW's weight decay"),
        Setting(
            "training.optimizer", "--optimizer", "adamw_8bit", _choice("adamw_8bit", "adamw_torch", "paged_adamw_8bit"),
            "optimiser (without CUDA always adamw_torch)",
        ),
        Setting("training.max_grad_norm", "--max-grad-norm", 1.0, _real(0, 1e9, open_low=True), "clip gradients here"),
        Setting(
            "training.gradient_checkpointing", "--gradient-checkpointing", True, BOOL,
            "recompute activations to save memory (left out where the model is tiny and there is no CUDA)",
        ),
        Setting("training.seed", "--seed", 3407, _whole(0, 2**32 - 1), "seed of weights, order and held-out rows"),
    ),
    "evaluation": (
        Setting("evaluation.split", "--eval-split", "", NAME, "split to evaluate on; empty = hold rows out"),
        Setting(
            "evaluation.fraction", "--eval-fraction", 0.05, _real(0, 0.9, open_high=True),
            "fraction of the training rows held out; 0 = none",
        ),
        Setting("evaluation.max_rows", "--eval-rows", 200, _whole(0, 2**40), "evaluate on at most N rows; 0 = all"),
        Setting("evaluation.every", "--eval-every", 0, _whole(0, 2**40), "steps between evals; 0 = five times a run"),
        Setting(
            "evaluation.patience", "--patience", 0, _whole(0, 2**40), "stop after N evals without progress; 0 = never"
        ),
        Setting("evaluation.samples", "--samples", 3, _whole(0, 20), "held prompts to answer at each eval"),
    ),
    "output": (
        Setting(
            "output.repo", "--output-repo", "", Kind(_read_target, "ID"),
            "repo the adapter is pushed to; empty = named after model and dataset, under your account",
        ),
        Setting("output.private", "--private", True, BOOL, "a new repo is private (--public: it is not)"),
    ),
    "job": (  # the workbench's own; a job does not read them
        Setting("job.flavor", "", "a10g-small", NAME, "hardware"),
        Setting("job.timeout_minutes", "", 120, _whole(1, 10080), "limit of the job"),
        Setting("job.cap_usd", "", 0.0, _real(0, 1e9), "spend cap"),
        Setting("job.namespace", "", "", NAME, "account that pays"),
    ),
}  # fmt: skip
EVERY_SETTING = {setting.key: setting for group in SETTINGS.values() for setting in group}


@dataclass(frozen=True)
class Options:
    """What is said to this script and is no part of a recipe."""

    push: bool = True
    folder: Path = Path("output")


def read_arguments(argv: Sequence[str]) -> tuple[Recipe, Options]:
    """Command line → a complete, checked recipe. Flags win over the recipe file, the file over the defaults.

    Raises:
        Failure: with exit code 2 and a sentence that names the key or flag.
    """
    given = vars(_parser().parse_args(argv))
    recipe = read_recipe(_recipe_file(given["recipe"]) if given["recipe"] else {}, given)
    return recipe, Options(push=not given["no_push"], folder=Path(given["output_dir"]))


def read_recipe(data: Any, flags: Mapping[str, Any]) -> Recipe:
    """A recipe's plain data and flags (dotted key → value) → a complete recipe.

    Raises:
        Failure: an unknown key, a wrong value, or no model or dataset.
    """
    values = _flattened(data)
    values.update({key: value for key, value in flags.items() if value is not None and key in EVERY_SETTING})
    recipe: Recipe = {}
    for key, setting in EVERY_SETTING.items():
        value = values.get(key, setting.default)
        if value is REQUIRED:
            raise wrong(f"{key} is missing: give {setting.flag} or a recipe that has it")
        section, _, name = key.rpartition(".")
        (recipe.setdefault(section, {}) if section else recipe)[name] = _checked(key, setting.kind, value)
    if mapping := flags.get("mapping") or (data.get("mapping") if isinstance(data, dict) else None):
        recipe["mapping"] = _checked("mapping", Kind(_read_mapping), mapping)
    if flags.get("system") is not None:
        recipe.setdefault("mapping", {})["system"] = flags["system"]
    _check_together(recipe)
    return recipe


def _checked(key: str, kind: Kind, value: Any) -> Any:
    try:
        return kind.read(value)
    except ValueError as error:
        flag = EVERY_SETTING[key].flag if key in EVERY_SETTING else f"--{key}"
        raise wrong(f"{key}{f' ({flag})' if flag else ''} {error}") from None


def _flattened(data: Any) -> dict[str, Any]:
    """A recipe's tables as dotted keys; the mapping is checked apart."""
    if not isinstance(data, dict):
        raise wrong("the recipe is not a table of keys")
    flat: dict[str, Any] = {}
    sections = {key.partition(".")[0] for key in EVERY_SETTING if "." in key}
    for key, value in data.items():
        if key == "mapping":
            continue
        if key in sections and isinstance(value, dict):
            flat.update({f"{key}.{name}": item for name, item in value.items()})
        else:
            flat[key] = value
    for key in flat:
        if key not in EVERY_SETTING:
            raise wrong(f"{key}: there is no such key in a recipe", f"Keys are {', '.join(EVERY_SETTING)}.")
    return flat


def _check_together(recipe: Recipe) -> None:
    """What can be wrong only between two values."""
    held_out = recipe["evaluation"]["split"] or recipe["evaluation"]["fraction"]
    if recipe["evaluation"]["patience"] and not held_out:
        raise wrong("evaluation.patience needs an eval split or a fraction above 0")
    if recipe["evaluation"]["split"] and recipe["evaluation"]["split"] == recipe["dataset"]["split"]:
        raise wrong("evaluation.split is the training split", "Name another split, or leave it empty to hold rows out.")
    if recipe["method"] != "sft":
        raise wrong(f"method {recipe['method']} is not available in this version", "Use --method sft.")
    if recipe.get("mapping", {}).get("columns", {}).get("images"):
        raise wrong("training on images is not available in this version", "Take images out of the mapping.")


def _recipe_file(name: str) -> Any:
    """The recipe as plain data, from a JSON file or (“-”) standard input."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise wrong(f"the recipe {name} cannot be read ({error.strerror})", "Give the path of a JSON file.") from error
    except ValueError as error:
        raise wrong(f"the recipe {name} is not JSON ({error})", "A TOML recipe is turned into JSON first.") from error


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise wrong(message[:1].lower() + message[1:])


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="train.py",
        usage="train.py --model ID --dataset ID [options]\n       train.py --recipe FILE [options]",
        description="Train a LoRA adapter on one dataset and push it to the Hub.",
        epilog=_EPILOG,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=34, width=110),
        allow_abbrev=False,
    )
    first = parser.add_argument_group("recipe")
    first.add_argument("--recipe", metavar="FILE", help="JSON recipe, - = standard input; flags beside it win over it")
    for title, settings in SETTINGS.items():
        group = parser.add_argument_group(title)
        for setting in settings:
            _add_flag(group, setting)
        if title == "data":
            group.add_argument("--mapping", metavar="JSON", help="columns → roles, or @file (default: by column names)")
            group.add_argument("--system", metavar="TEXT", help="a system prompt put before every conversation")
        if title == "output":
            group.add_argument("--no-push", action="store_true", help="leave the adapter in the output folder")
            group.add_argument("--output-dir", metavar="DIR", default="output", help="default: ./output")
    return parser


def _add_flag(group: Any, setting: Setting) -> None:
    if not setting.flag:
        return
    default = "required" if setting.default is REQUIRED else f"default: {_shown(setting.default)}"
    text = f"{setting.help} ({default})".replace("%", "%%")
    if setting.flag == "--private":
        either = group.add_mutually_exclusive_group()
        either.add_argument("--private", dest=setting.key, action="store_true", default=None, help=text)
        either.add_argument("--public", dest=setting.key, action="store_false", default=None, help="… or public")
    elif setting.kind is BOOL:
        group.add_argument(
            setting.flag, dest=setting.key, action=argparse.BooleanOptionalAction, default=None, help=text
        )
    else:
        group.add_argument(setting.flag, dest=setting.key, metavar=setting.kind.metavar, help=text)


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return '""' if default == "" else str(default)


_EPILOG = """\
examples
  train.py --model Qwen/Qwen3-0.6B --dataset trl-lib/Capybara --output-repo me/qwen3-capybara
  train.py --recipe recipe.json --max-steps 20 --no-push
  train.py --model ./model --dataset rows.jsonl --rank 8 --no-push --mapping '{"shape": "prompt_completion",
           "columns": {"prompt": "{instruction}\\n\\n{input}", "completion": "output"}}'

A mapping has a shape (messages, prompt_completion, text, preference, unpaired, prompt_only, stepwise), columns
(role → column name, dotted path, or template with {column} fields), and may have a system prompt and options.

environment
  HF_TOKEN     the token for gated repos and for the push; it is read from nowhere else
  HF_ENDPOINT  another Hub than the public one

exit codes: 0 done, 1 failed at work, 2 bad arguments or recipe. The last event line says what failed and the mend.
"""


def is_local(source: str) -> bool:
    """Is this a path on this machine rather than a repo id?"""
    return (source.startswith((".", "/", "~")) and Path(source).expanduser().exists()) or Path(source).exists()


# ---------------------------------------------------------------------------------------------------------------------
# Events: what a reader of the log learns.
# ---------------------------------------------------------------------------------------------------------------------

MARK = "::wb:: "
_BEGAN = time.monotonic()


def emit(event_kind: str, /, **fields: Any) -> None:
    """Print one event line and flush it."""
    event = {"t": round(time.monotonic() - _BEGAN, 3), "e": event_kind, **_plain_numbers(fields)}
    line = MARK + json.dumps(event, ensure_ascii=False, allow_nan=False, default=str)
    # U+2028 and the like end a line for some readers, though JSON allows them inside a string.
    line = re.sub("[\x85\u2028\u2029]", lambda found: f"\\u{ord(found.group()):04x}", line)
    print(_redacted(line), flush=True)


def _plain_numbers(value: Any) -> Any:
    """JSON has no nan and no infinity: they become the strings "nan", "inf" and "-inf"."""
    if isinstance(value, Mapping):
        return {str(key): _plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_numbers(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def _redacted(text: str) -> str:
    """Without the token, wherever a library may have put it."""
    token = os.environ.get("HF_TOKEN", "").strip()
    return text.replace(token, "hf_***") if len(token) > 7 else text


def notice(text: str, level: str = "info") -> None:
    emit("notice", text=text, level=level)


def phase(name: str) -> None:
    emit("phase", name=name)


# --- what an exception means


@contextlib.contextmanager
def about(what: str) -> Iterator[None]:
    """Whatever goes wrong inside is told as being about `what`."""
    try:
        yield
    except (Failure, RowError):
        raise
    except Exception as error:
        raise explained(error, what) from error


def explained(error: BaseException, what: str = "") -> Failure:
    """An exception as cause, mend and kind. Known by the class names of its chain, so nothing has to be imported."""
    names, said = _chain(error)
    of = f" {what}" if what else ""
    status = _status(error)
    if "GatedRepoError" in names:
        return Failure(
            f"no access to{of}: it is gated", "Ask for access on its page, with the account of HF_TOKEN.", "gated"
        )
    if "RevisionNotFoundError" in names:
        return Failure(f"there is no such revision of{of}", "Check the branch, tag or commit.", "not_found")
    if names & {"RepositoryNotFoundError", "DatasetNotFoundError"}:
        return Failure(f"cannot find{of}", "Check the id, and that HF_TOKEN may read it if it is private.", "not_found")
    if names & {"OutOfMemoryError", "MemoryError"} or "out of memory" in said.lower():
        return Failure("out of memory", _MORE_MEMORY, "memory")
    if "No space left" in said or getattr(error, "errno", None) == 28:
        return Failure("the disk is full", "Choose a flavor with more disk, or a smaller model.", "disk")
    if status in (401, 403):
        return Failure(f"the token may not do this{of and f' ({what})'}", "Give HF_TOKEN a token that may.", "access")
    if names & _NETWORK or status >= 500:
        answer = f"answered {status}" if status else "cannot be reached"
        return Failure(f"the Hub {answer}{of and f' for {what}'}", "Try again in a while.", "network")
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "") or "no message"
    return Failure(
        f"{what + ': ' if what else ''}{type(error).__name__}: {first[:400]}", "The traceback follows.", "error"
    )


_MORE_MEMORY = (
    "Lower the batch (and raise the accumulation), the max length or the rank, quantise to 4bit, "
    "or choose a flavor with more memory."
)
_NETWORK = {"ConnectionError", "ConnectError", "ConnectTimeout", "ReadTimeout", "ReadError", "RemoteProtocolError"}
_NETWORK |= {"NetworkError", "TimeoutException", "LocalEntryNotFoundError", "OfflineModeIsEnabled", "ProxyError"}


def _chain(error: BaseException | None) -> tuple[set[str], str]:
    """Class names (with their bases') and messages of an exception and of what it came from."""
    names: set[str] = set()
    said: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        names.update(base.__name__ for base in type(error).__mro__)
        said.append(str(error))
        error = error.__cause__ or error.__context__
    return names, "\n".join(said)


def _status(error: BaseException | None) -> int:
    """The HTTP status an exception (or what it came from) carries, else 0."""
    for _ in range(10):
        if error is None:
            return 0
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
        error = error.__cause__ or error.__context__
    return 0


# ---------------------------------------------------------------------------------------------------------------------
# Hub: what is trained on what (sealed to commits), and may the result be pushed.
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sealed:
    """The commits a run stands on, and where it goes. "local" is the revision of what lies on this machine."""

    model_revision: str
    dataset_revision: str
    repo: str  # "" = nothing is pushed


def hub() -> Any:
    """The Hub's API with the token of HF_TOKEN, or with none at all (never one stored on this machine)."""
    from huggingface_hub import HfApi

    return HfApi(token=token())


def token() -> str | bool:
    return os.environ.get("HF_TOKEN", "").strip() or False


def seal(recipe: Recipe, options: Options) -> Sealed:
    """Resolve both revisions to commits and prove that the push will work, before anything heavy is loaded."""
    if options.push and not token():
        raise Failure("HF_TOKEN is not set", "Hand a token with write access to the job, or use --no-push.", "access")
    model, dataset = recipe["model"], recipe["dataset"]
    model_revision = dataset_revision = "local"
    if not is_local(model["id"]):
        with about(f"the model {model['id']}"):
            model_revision = hub().model_info(model["id"], revision=model["revision"]).sha
            hub().hf_hub_download(model["id"], "config.json", revision=model_revision)  # gated repos refuse here
    if not is_local(dataset["id"]):
        with about(f"the dataset {dataset['id']}"):
            dataset_revision = hub().dataset_info(dataset["id"], revision=dataset["revision"]).sha
    model["revision"], dataset["revision"] = model_revision, dataset_revision
    repo = prove_push(recipe) if options.push else ""
    return Sealed(model_revision, dataset_revision, repo)


def prove_push(recipe: Recipe) -> str:
    """Create the target and write the recipe into it: a token that can't push is found out in seconds, for free."""
    repo = recipe["output"]["repo"] or _default_repo(recipe)
    with about(f"writing to {repo}"):
        repo = hub().create_repo(repo, private=recipe["output"]["private"], exist_ok=True).repo_id
        recipe["output"]["repo"] = repo
        hub().upload_file(
            path_or_fileobj=_recipe_text(recipe).encode(),
            path_in_repo="recipe.json",
            repo_id=repo,
            commit_message="Begin a training run",
        )
    return str(repo)


def _default_repo(recipe: Recipe) -> str:
    with about("the account of HF_TOKEN"):
        account = hub().whoami()["name"]
    model, dataset = (_short_name(recipe[what]["id"]) for what in ("model", "dataset"))
    return f"{account}/{model}-{dataset}-lora"[:96]


def _short_name(source: str) -> str:
    """The last part of a repo id or path, in the letters a repo's name may have."""
    name = Path(source).stem if is_local(source) else source.rpartition("/")[2]
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "local"


def _recipe_text(recipe: Recipe) -> str:
    return json.dumps(recipe, indent=2, ensure_ascii=False) + "\n"


# ---------------------------------------------------------------------------------------------------------------------
# Engine: Unsloth with CUDA, plain TRL + PEFT without.
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Engine:
    name: str  # "unsloth" or "trl"
    device: str  # "cuda" or "cpu"
    bf16: bool  # can the device compute in bfloat16


def choose_engine() -> Engine:
    """Look for CUDA and say what will train. Unsloth patches the other libraries, so it is imported before them."""
    import torch

    if not torch.cuda.is_available():
        notice("no CUDA device: training with plain TRL + PEFT on the CPU")
        return Engine("trl", "cpu", bf16=False)
    bf16 = torch.cuda.is_bf16_supported()
    try:
        import unsloth  # noqa: F401
    except ImportError as error:
        notice(f"Unsloth cannot be imported ({error}): training with plain TRL + PEFT", "warning")
        return Engine("trl", "cuda", bf16)
    return Engine("unsloth", "cuda", bf16)


_PACKAGES = (
    *("torch", "transformers", "trl", "peft", "accelerate", "datasets", "bitsandbytes", "huggingface_hub"),
    *("unsloth", "unsloth_zoo"),
)


def report_environment(engine: Engine, recipe: Recipe) -> None:
    from importlib.metadata import PackageNotFoundError, version

    packages: dict[str, str] = {}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            packages[name] = version(name)
    emit(
        "environment",
        engine=engine.name,
        device=engine.device,
        gpu=_gpu(engine),
        python=platform.python_version(),
        packages=packages,
        model=f"{recipe['model']['id']}@{recipe['model']['revision']}",
        dataset=f"{recipe['dataset']['id']}@{recipe['dataset']['revision']}",
    )


def _gpu(engine: Engine) -> str:
    if engine.device != "cuda":
        return ""
    import torch

    device = torch.cuda.get_device_properties(0)
    return f"{device.name}, {device.total_memory / 2**30:.1f} GiB"


# ---------------------------------------------------------------------------------------------------------------------
# Data: rows → tokens and labels, some of them held out.
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Example:
    """One encoded row, with its last question and answer for the samples."""

    encoded: Encoded
    asked: str


@dataclass
class Data:
    train: list[Example]
    held: list[Example]  # evaluated, never trained
    prompts: list[Example] = field(default_factory=list)  # answered at each eval


def load_tokenizer(recipe: Recipe) -> Any:
    """The model's own tokenizer – the same object the preview has, whatever engine trains."""
    from transformers import AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    with about(f"the tokenizer of {recipe['model']['id']}"):
        tokenizer = AutoTokenizer.from_pretrained(
            _path(recipe["model"]["id"]), token=token(), **_pinned(recipe["model"])
        )
    if tokenizer.pad_token is None:  # labels are set by us and padded with -100, so EOS is learned all the same
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _path(source: str) -> str:
    return str(Path(source).expanduser()) if is_local(source) else source


def _pinned(source: Mapping[str, Any]) -> dict[str, Any]:
    """`revision=` for what comes from the Hub."""
    return {} if is_local(source["id"]) else {"revision": source["revision"]}


def load_split(recipe: Recipe, split: str) -> Any:
    """One split of the dataset.

    Raises:
        Failure: no such config or split (naming those there are), or a file that cannot be read (naming the row).
    """
    from datasets import load_dataset

    source = recipe["dataset"]
    try:
        if is_local(source["id"]):
            return load_dataset(*_local_files(Path(source["id"]).expanduser(), split), split=split)
        config = None if source["config"] in ("", "default") else source["config"]
        return load_dataset(source["id"], config, split=split, token=token(), revision=source["revision"])
    except Exception as error:
        raise _data_failure(error, source, split) from error


def _local_files(path: Path, split: str) -> tuple[Any, ...]:
    """`load_dataset`'s arguments for a file or folder: (builder, config, data_dir, data_files)."""
    builders = {".jsonl": "json", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".txt": "text"}
    if path.is_dir():
        return (str(path),)
    if path.suffix.lower() not in builders:
        raise Failure(f"{path} is no dataset file", f"Files may be {', '.join(builders)}.", "data")
    return builders[path.suffix.lower()], None, None, {split: str(path)}


def _data_failure(error: Exception, source: Mapping[str, Any], split: str) -> Failure:
    if isinstance(error, Failure):
        return error
    names, said = _chain(error)
    name = f"the dataset {source['id']}"
    if found := re.search(r"Unknown split .*?Should be one of (\[.*?\])", said, re.DOTALL):
        return Failure(f"{name} has no split {split!r}", f"Its splits are {found.group(1)}.", "split")
    if found := re.search(
        r"(?:BuilderConfig .*? not found\. Available|available configs?)[^\[]*(\[.*?\])", said, re.DOTALL
    ):
        return Failure(f"{name} has no config {source['config']!r}", f"Its configs are {found.group(1)}.", "config")
    if "Config name is missing" in said:
        listed = re.search(r"(\[.*?\])", said, re.DOTALL)
        return Failure(
            f"{name} has several configs", f"Choose one of {listed.group(1) if listed else 'them'}.", "config"
        )
    if names & {"DatasetGenerationError", "ArrowInvalid", "JSONDecodeError", "ParserError", "UnicodeDecodeError"}:
        place = _broken_line(source) or (re.search(r"in row \d+", said) or [""])[0]
        reason = next((text for text in reversed(said.splitlines()) if text.strip()), "")[:200]
        return Failure(
            f"{name} cannot be read{f': {place}' if place else ''} ({reason})", "Mend or remove that row.", "data"
        )
    return explained(error, name)


def _broken_line(source: Mapping[str, Any]) -> str:
    """ "file, line N" of the first line that is no JSON, in a dataset of JSON lines."""
    with contextlib.suppress(Exception):
        for name, path in _line_files(source):
            with path.open(encoding="utf-8", errors="replace") as lines:
                for number, line in enumerate(lines, 1):
                    try:
                        json.loads(line or "null")
                    except ValueError:
                        if line.strip():
                            return f"{name}, line {number}"
    return ""


def _line_files(source: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    if is_local(source["id"]):
        path = Path(source["id"]).expanduser()
        for file in sorted(path.rglob("*.jsonl")) if path.is_dir() else [path] if path.suffix == ".jsonl" else []:
            yield file.name, file
        return
    for name in hub().list_repo_files(source["id"], repo_type="dataset", revision=source["revision"]):
        if name.endswith(".jsonl"):
            yield (
                name,
                Path(hub().hf_hub_download(source["id"], name, repo_type="dataset", revision=source["revision"])),
            )


def guess_mapping(row: Row) -> dict[str, Any]:
    """A mapping by column names, for a run started by hand. The workbench looks at values and does better."""
    for shape, roles in _USUAL_COLUMNS:
        columns = [column for source in roles.values() for column in _FIELD.findall(source) or [source]]
        if all(column in row for column in columns):
            return {"shape": shape, "columns": dict(roles)}
    raise Failure(
        f"the columns {', '.join(map(str, row))} say nothing about what to train on",
        "Give --mapping with a shape and columns.",
        "mapping",
    )


_USUAL_COLUMNS: tuple[tuple[str, dict[str, str]], ...] = (
    ("messages", {"messages": "messages"}),
    ("messages", {"messages": "conversations"}),
    ("messages", {"messages": "conversation"}),
    ("preference", {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}),
    ("preference", {"chosen": "chosen", "rejected": "rejected"}),
    ("unpaired", {"prompt": "prompt", "completion": "completion", "label": "label"}),
    ("prompt_completion", {"prompt": "prompt", "completion": "completion"}),
    ("prompt_completion", {"prompt": "{instruction}\n\n{input}", "completion": "output"}),
    ("prompt_completion", {"prompt": "instruction", "completion": "output"}),
    ("prompt_completion", {"prompt": "instruction", "completion": "response"}),
    ("prompt_completion", {"prompt": "prompt", "completion": "response"}),
    ("prompt_completion", {"prompt": "question", "completion": "answer"}),
    ("prompt_completion", {"prompt": "question", "completion": "response"}),
    ("prompt_completion", {"prompt": "query", "completion": "response"}),
    ("text", {"text": "text"}),
)


def settle_mapping(recipe: Recipe, first_row: Row) -> None:
    """Complete the recipe's mapping where it was left open."""
    given = recipe.get("mapping") or {}
    if not given.get("shape"):
        made = guess_mapping(first_row)
        recipe["mapping"] = {"system": "", "options": {}, **made, **given}
        notice(f"no mapping was given; by the columns' names it is {json.dumps(made, ensure_ascii=False)}")


def load_rows(recipe: Recipe) -> tuple[Any, Any]:
    """The rows to train on and, where an eval split is named, those to evaluate on; the mapping is settled."""
    rows = load_split(recipe, recipe["dataset"]["split"])
    held_rows = load_split(recipe, recipe["evaluation"]["split"]) if recipe["evaluation"]["split"] else None
    if not len(rows):
        raise Failure(f"the split {recipe['dataset']['split']} is empty", "Choose another split.", "data")
    if recipe["dataset"]["rows"]:
        rows = rows.select(range(min(len(rows), recipe["dataset"]["rows"])))
    settle_mapping(recipe, rows[0])
    return rows, held_rows


def prepare(rows: Any, held_rows: Any, recipe: Recipe, tokenizer: Any) -> Data:
    """Map, encode, hold out.

    Raises:
        Failure: nothing is left to train or to evaluate on.
    """
    phase("tokenize")
    examples = encode_rows(rows, recipe, tokenizer, "training")
    if held_rows is None:
        train, held = hold_out(examples, recipe)
    else:
        most = recipe["evaluation"]["max_rows"]
        train, held = examples, encode_rows(held_rows, recipe, tokenizer, "eval", most)
    data = Data(train, held)
    data.prompts = (held or train)[: recipe["evaluation"]["samples"]]
    if data.prompts and not held:
        notice("no rows are held out, so there is no eval, and the sample prompts are rows that are trained on")
    return data


def encode_rows(rows: Any, recipe: Recipe, tokenizer: Any, what: str, most: int = 0) -> list[Example]:
    """Every row that can be trained on, encoded; the others are counted by reason and told."""
    settings = recipe["training"]
    examples: list[Example] = []
    dropped: Counter[str] = Counter()
    last_error: RowError | None = None
    for row in rows:
        if most and len(examples) >= most:
            break
        try:
            made = to_training_row(row, recipe["mapping"], "sft")
            encoded = encode(made, tokenizer, max_length=settings["max_length"], loss_on=settings["loss_on"])
            examples.append(Example(encoded, _question(made)))
        except RowError as error:
            last_error = error
            dropped[str(error)] += 1
    _tell_rows(examples, dropped, what)
    if not examples:
        raise _no_rows(last_error, dropped, what)
    return examples


def _tell_rows(examples: list[Example], dropped: Counter[str], what: str) -> None:
    if dropped:
        reasons = "; ".join(f"{count} × {reason}" for reason, count in dropped.most_common(8))
        notice(f"{sum(dropped.values())} {what} rows are left out: {reasons}", "warning")
    tokens = sum(example.encoded.kept for example in examples)
    targets = sum(sum(example.encoded.trained[: example.encoded.kept]) for example in examples)
    cut = sum(example.encoded.kept < len(example.encoded.input_ids) for example in examples)
    notice(
        f"{len(examples)} {what} rows, {tokens} tokens, {targets} of them trained; {cut} rows are cut at the max length"
    )


def _no_rows(error: RowError | None, dropped: Counter[str], what: str) -> Failure:
    reason = dropped.most_common(1)[0][0] if dropped else "the split is empty"
    if isinstance(error, NoTemplateError):
        return Failure(reason, "Use the model's instruct variant, or map a prompt and a completion.", "template")
    if reason.startswith("there is no column"):
        return Failure(f"no {what} row fits the mapping: {reason}", "Mend the mapping's columns.", "mapping")
    return Failure(
        f"no {what} row can be trained on: {reason}", "Mend the mapping, the data or the max length.", "data"
    )


def _question(row: Row) -> str:
    """The last thing that is asked in a row, for people to read."""
    turns = row.get("prompt") or row.get("messages") or []
    last = next((turn for turn in reversed(turns) if turn["role"] == "user"), None)
    return _text(last["content"]) if last else ""


def hold_out(examples: list[Example], recipe: Recipe) -> tuple[list[Example], list[Example]]:
    """A seeded fraction apart: at least one row, never more than half, at most `max_rows`."""
    fraction, most = recipe["evaluation"]["fraction"], recipe["evaluation"]["max_rows"]
    if not fraction:
        return examples, []
    count = min(max(1, round(len(examples) * fraction)), len(examples) // 2, most or len(examples))
    if not count:
        notice("one row is too few to hold any out: there is no eval", "warning")
        return examples, []
    held = set(random.Random(recipe["training"]["seed"]).sample(range(len(examples)), count))  # noqa: S311
    train = [example for index, example in enumerate(examples) if index not in held]
    return train, [examples[index] for index in sorted(held)]


def to_dataset(examples: list[Example]) -> Any:
    """What the trainer gets: token ids and labels, -100 where a token is no target.

    The trainers of TRL 1.14 and 1.16 take a dataset that has `input_ids` and `labels` as it is; packing ("bfd") then
    packs both columns and adds `seq_lengths`, from which the collator makes position ids that begin anew with each row
    and masks each row's first label. Unsloth keeps such a dataset, too. So what is trained is decided here alone.
    """
    from datasets import Dataset

    kept = [(example.encoded, example.encoded.kept) for example in examples]
    return Dataset.from_dict(
        {
            "input_ids": [encoded.input_ids[:end] for encoded, end in kept],
            "labels": [labels_of(encoded)[:end] for encoded, end in kept],
        }
    )


def labels_of(encoded: Encoded) -> list[int]:
    return [token if trained else -100 for token, trained in zip(encoded.input_ids, encoded.trained, strict=True)]


def checked_by_unsloth(examples: list[Example], tokenizer: Any) -> list[Example]:
    """Unsloth's `train_on_responses_only`, laid over our labels.

    It finds answers by the markers of the chat template and keeps, within them, the labels that are there. So it can
    only take targets away, and where both agree it takes none. A difference is told; a row it would leave with no
    target keeps ours, which come from comparing whole renderings and not from markers.
    """
    from unsloth_zoo.dataset_utils import train_on_responses_only  # type: ignore[import-not-found, unused-ignore]

    try:
        mask = train_on_responses_only(None, tokenizer=tokenizer, return_function=True)
    except Exception as error:
        notice(f"train_on_responses_only does not know this template ({error}); the labels stay as they are", "warning")
        return examples
    made: list[Example] = []
    before = after = 0
    for example in examples:
        encoded = example.encoded
        labels = mask({"input_ids": [encoded.input_ids], "labels": [labels_of(encoded)]})["labels"][0]
        trained = [label != -100 for label in labels]
        if not any(trained[1 : encoded.kept]):
            trained = encoded.trained
        before, after = before + sum(encoded.trained), after + sum(trained)
        made.append(Example(Encoded(encoded.input_ids, trained, encoded.kept), example.asked))
    if before != after:
        notice(
            f"train_on_responses_only leaves {after} of {before} trained tokens: its markers see less answer", "warning"
        )
    return made


# ---------------------------------------------------------------------------------------------------------------------
# Model and adapter.
# ---------------------------------------------------------------------------------------------------------------------

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_TINY = 500_000_000  # parameters below which activations need no recomputing on a CPU


def load_model(recipe: Recipe, engine: Engine) -> Any:
    """The base model with a fresh adapter on it."""
    with about(f"the model {recipe['model']['id']}"):
        model = _load_unsloth(recipe) if engine.name == "unsloth" else _load_plain(recipe, engine)
    targets = find_targets(model, recipe["lora"]["targets"])
    checkpointing = _use_checkpointing(recipe, engine, model)
    wrap = _adapt_unsloth if engine.name == "unsloth" else _adapt_plain
    model = wrap(model, recipe, targets, checkpointing)
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    notice(f"LoRA on {', '.join(targets)}: {trainable:,} trainable parameters")
    return model


def _use_checkpointing(recipe: Recipe, engine: Engine, model: Any) -> bool:
    wanted: bool = recipe["training"]["gradient_checkpointing"]
    if wanted and engine.device == "cpu" and sum(p.numel() for p in model.parameters()) < _TINY:
        recipe["training"]["gradient_checkpointing"] = False
        notice("the model is small: activations are kept instead of being computed twice")
        return False
    return wanted


def _load_unsloth(recipe: Recipe) -> Any:
    from unsloth import FastLanguageModel

    settings = recipe["training"]
    model, _ = FastLanguageModel.from_pretrained(
        model_name=_path(recipe["model"]["id"]),
        max_seq_length=settings["max_length"],
        dtype=None,
        load_in_4bit=settings["quantization"] == "4bit",
        load_in_8bit=settings["quantization"] == "8bit",
        full_finetuning=False,
        token=token() or None,
        use_gradient_checkpointing="unsloth" if settings["gradient_checkpointing"] else False,
        random_state=settings["seed"],
        use_exact_model_name=True,  # else it may take another repo (…-bnb-4bit) and drop the sealed revision
        **_pinned(recipe["model"]),
    )
    return model


def _adapt_unsloth(model: Any, recipe: Recipe, targets: list[str], checkpointing: bool) -> Any:
    from unsloth import FastLanguageModel

    lora = recipe["lora"]
    return FastLanguageModel.get_peft_model(
        model,
        r=lora["rank"],
        target_modules=targets,
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        bias="none",
        use_gradient_checkpointing="unsloth" if checkpointing else False,
        random_state=recipe["training"]["seed"],
        use_rslora=lora["rslora"],
    )


def _load_plain(recipe: Recipe, engine: Engine) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.float32 if engine.device == "cpu" else torch.bfloat16 if engine.bf16 else torch.float16
    return AutoModelForCausalLM.from_pretrained(
        _path(recipe["model"]["id"]),
        dtype=dtype,
        quantization_config=_quantized(recipe, engine, dtype),
        device_map={"": 0} if engine.device == "cuda" else None,
        token=token(),
        **_pinned(recipe["model"]),
    )


def _quantized(recipe: Recipe, engine: Engine, dtype: Any) -> Any:
    """How bitsandbytes holds the weights. On a CPU they stay whole: only tiny models run there, and exactly."""
    wanted = recipe["training"]["quantization"]
    if wanted == "none":
        return None
    if engine.device == "cpu":
        notice(f"no CUDA device: the weights are not quantised to {wanted}, the model trains in 32-bit")
        return None
    from transformers import BitsAndBytesConfig

    if wanted == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )


def _adapt_plain(model: Any, recipe: Recipe, targets: list[str], checkpointing: bool) -> Any:
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import set_seed

    if getattr(model, "is_loaded_in_4bit", False) or getattr(model, "is_loaded_in_8bit", False):
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=checkpointing)
    set_seed(recipe["training"]["seed"])  # the adapter's first numbers are random
    lora = recipe["lora"]
    config = LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        target_modules=targets,
        use_rslora=lora["rslora"],
        bias="none",
        task_type="CAUSAL_LM",
        revision=None if is_local(recipe["model"]["id"]) else recipe["model"]["revision"],
    )
    return get_peft_model(model, config)


def find_targets(model: Any, wanted: str | list[str]) -> list[str]:
    """Module names to adapt that really are in the model.

    "all-linear" is the usual seven projections, where the model has any of them, else every linear layer but the head.

    Raises:
        Failure: a name the model does not have; the mend names those it has.
    """
    from torch import nn

    head = model.get_output_embeddings()
    found = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if (isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D") and module is not head
    }
    if wanted == "all-linear":
        usual = [name for name in PROJECTIONS if name in found]
        if not (usual or found):
            raise Failure("the model has no linear layers to adapt", "Choose another model.", "targets")
        return usual or sorted(found)
    for name in wanted:
        if name not in found:
            raise Failure(f"the model has no module {name!r}", f"It has {', '.join(sorted(found))}.", "targets")
    return list(wanted)


# ---------------------------------------------------------------------------------------------------------------------
# Samples: what the model answers to held prompts, before, between and after.
# ---------------------------------------------------------------------------------------------------------------------

SAMPLE_TOKENS = 48


class Sampler:
    """Answers the same few prompts each time it is asked to, greedily, and emits what comes."""

    def __init__(self, model: Any, tokenizer: Any, prompts: list[Example], engine: Engine) -> None:
        self.model, self.tokenizer, self.engine = model, tokenizer, engine
        self.prompts = [example.encoded.input_ids[: _answer_start(example.encoded)] for example in prompts]
        self.asked = [
            example.asked or self.tokenizer.decode(ids, skip_special_tokens=True)
            for example, ids in zip(prompts, self.prompts, strict=True)
        ]
        self.stops = self._stops(prompts)
        self.last_step = -1

    def _stops(self, prompts: list[Example]) -> list[int]:
        """EOS, and the special tokens that end the rows' answers (a turn's end is often not EOS)."""
        special = set(self.tokenizer.all_special_ids)
        special.update(i for i, t in self.tokenizer.added_tokens_decoder.items() if getattr(t, "special", False))
        ends = {example.encoded.input_ids[index] for example in prompts for index in _last_trained(example.encoded)}
        return sorted((ends & special) | ({self.tokenizer.eos_token_id} - {None}))

    def show(self, step: int) -> None:
        if not self.prompts or step == self.last_step:
            return
        self.last_step = step
        was_training = self.model.training
        self._for_inference()
        try:
            texts = self._answers()
        finally:
            self._for_training(was_training)
        for index, text in enumerate(texts):
            emit("sample", step=step, index=index, prompt=self.asked[index][:2000], text=text)

    def _for_inference(self) -> None:
        if self.engine.name == "unsloth":
            from unsloth import FastLanguageModel

            FastLanguageModel.for_inference(self.model)
        self.model.eval()

    def _for_training(self, was_training: bool) -> None:
        if self.engine.name == "unsloth":  # also when called from an eval: training goes on afterwards
            from unsloth import FastLanguageModel

            FastLanguageModel.for_training(self.model)
        self.model.train(was_training)

    def _answers(self) -> list[str]:
        import torch

        width, pad = max(map(len, self.prompts)), self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in self.prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in self.prompts])
        with torch.no_grad():
            made = self.model.generate(
                input_ids=ids.to(self.model.device),
                attention_mask=mask.to(self.model.device),
                max_new_tokens=SAMPLE_TOKENS,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                use_cache=True,
                pad_token_id=pad,
                eos_token_id=self.stops or None,
            )
        return [self.tokenizer.decode(row[width:], skip_special_tokens=True).strip() for row in made]


def _last_trained(encoded: Encoded) -> list[int]:
    """The index of the last trained token, in a list; empty where none is."""
    return [max(index for index, trained in enumerate(encoded.trained) if trained)] if any(encoded.trained) else []


def _answer_start(encoded: Encoded) -> int:
    """Where the last answer begins; in a row that is trained from its start, a little way in."""
    trained = encoded.trained[: encoded.kept]
    end = max(index for index, is_target in enumerate(trained) if is_target)
    start = end
    while start > 0 and trained[start - 1]:
        start -= 1
    return start if start > 1 else max(1, min(16, end // 2))


# ---------------------------------------------------------------------------------------------------------------------
# Training.
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Progress:
    """What the run has come to, for the card and the last event."""

    points: list[dict[str, Any]] = field(default_factory=list)  # step, loss, eval_loss, lr
    train_loss: float | None = None
    eval_loss: float | None = None
    best_eval: float | None = None
    step: int = 0


def trainer_config(recipe: Recipe, engine: Engine, has_eval: bool, folder: Path) -> Any:
    """Every value the trainer reads, said: TRL's and Unsloth's defaults differ, and change."""
    from trl import SFTConfig

    settings, every = recipe["training"], recipe["evaluation"]["every"]
    on_cuda, recompute = engine.device == "cuda", settings["gradient_checkpointing"]
    return SFTConfig(
        output_dir=str(folder / "checkpoints"),
        per_device_train_batch_size=settings["batch"],
        per_device_eval_batch_size=settings["batch"],
        gradient_accumulation_steps=settings["accumulation"],
        num_train_epochs=settings["epochs"],
        max_steps=settings["max_steps"] or -1,
        learning_rate=settings["learning_rate"],
        lr_scheduler_type=settings["scheduler"],
        warmup_steps=settings["warmup"],  # below 1 it is a fraction of all steps
        weight_decay=settings["weight_decay"],
        optim=settings["optimizer"] if on_cuda else "adamw_torch",
        adam_beta1=0.9,
        adam_beta2=0.999,
        adam_epsilon=1e-8,
        max_grad_norm=settings["max_grad_norm"],
        gradient_checkpointing=recompute,
        # Unsloth sets its own way of recomputing.
        gradient_checkpointing_kwargs={"use_reentrant": False} if recompute and engine.name == "trl" else None,
        bf16=on_cuda and engine.bf16,
        fp16=on_cuda and not engine.bf16,
        use_cpu=not on_cuda,
        max_length=settings["max_length"],
        packing=settings["packing"],
        packing_strategy="bfd",
        eval_packing=False,
        padding_free=False,
        loss_type="nll",
        completion_only_loss=False,  # the labels say what is trained
        assistant_only_loss=False,
        dataset_num_proc=None,
        dataloader_num_workers=0,
        dataloader_pin_memory=on_cuda,
        remove_unused_columns=True,
        eval_strategy="steps" if has_eval else "no",
        eval_steps=(every or 0.2) if has_eval else None,  # below 1 it is a fraction of all steps
        eval_on_start=has_eval,  # also the first proof that an eval fits into memory
        prediction_loss_only=True,
        logging_strategy="steps",
        logging_steps=1,
        logging_first_step=True,
        logging_nan_inf_filter=False,  # a loss that is nan must be seen
        save_strategy="no",
        seed=settings["seed"],
        data_seed=settings["seed"],
        report_to="none",
        disable_tqdm=True,
        push_to_hub=False,
    )


def build_trainer(
    model: Any, tokenizer: Any, data: Data, recipe: Recipe, engine: Engine, folder: Path, sampler: Sampler
) -> tuple[Any, Progress]:
    from transformers.trainer_callback import PrinterCallback
    from trl import SFTTrainer

    if engine.device == "cpu" and recipe["training"]["optimizer"] != "adamw_torch":
        notice(f"no CUDA device: the optimiser is adamw_torch, not {recipe['training']['optimizer']}")
    progress = Progress()
    trainer = SFTTrainer(
        model=model,
        args=trainer_config(recipe, engine, bool(data.held), folder),
        train_dataset=to_dataset(data.train),
        eval_dataset=to_dataset(data.held) if data.held else None,
        processing_class=tokenizer,
        callbacks=[reporter(progress, sampler, recipe["evaluation"]["patience"])],
    )
    trainer.remove_callback(PrinterCallback)  # it prints every number a second time
    return trainer, progress


def reporter(progress: Progress, sampler: Sampler, patience: int) -> Any:
    """The trainer's callback: step and eval events, samples at each eval, an end when evals get no better."""
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.worse = 0  # evals since the best
            self.seconds = 0.0  # in training steps since the last log; evals do not count
            self.began = 0.0
            self.tokens = 0.0

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if args.eval_strategy == "no":
                sampler.show(state.global_step)

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.began = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.seconds += time.monotonic() - self.began

        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
            logs = dict(logs or {})
            progress.step = state.global_step
            if "loss" in logs:
                self._step(state, logs)
            elif "eval_loss" in logs:
                self._eval(state, logs)
            elif "train_loss" in logs:
                progress.train_loss = _number(logs["train_loss"])

        def _step(self, state: Any, logs: dict[str, Any]) -> None:
            numbers = _numbers(logs)
            loss, lr, tokens = (numbers.pop(key, None) for key in ("loss", "learning_rate", "num_tokens"))
            rate = None
            if tokens is not None and self.seconds > 0:
                rate = round((tokens - self.tokens) / self.seconds, 1)
                self.tokens, self.seconds = tokens, 0.0
            progress.points.append({"step": state.global_step, "loss": loss, "lr": lr})
            emit(
                "step", step=state.global_step, max_steps=state.max_steps, loss=loss, lr=lr,
                tokens=None if tokens is None else int(tokens), tokens_per_s=rate, **numbers,
            )  # fmt: skip

        def _eval(self, state: Any, logs: dict[str, Any]) -> None:
            numbers = _numbers({key.removeprefix("eval_"): value for key, value in logs.items()})
            numbers.pop("num_tokens", None)
            loss = progress.eval_loss = numbers.pop("loss", None)
            progress.points.append({"step": state.global_step, "eval_loss": loss})
            emit("eval", step=state.global_step, loss=loss, **numbers)

        def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            sampler.show(state.global_step)
            loss = progress.eval_loss
            if loss is None:
                return
            if progress.best_eval is None or loss < progress.best_eval:
                progress.best_eval, self.worse = loss, 0
                return
            self.worse += 1
            if patience and self.worse >= patience:
                notice(f"{self.worse} evals without progress: training ends at step {state.global_step}")
                control.should_training_stop = True

    return Reporter()


def _numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a log record, to seven digits."""
    numbers = {key: _number(value) for key, value in logs.items()}
    return {key: float(f"{value:.7g}") for key, value in numbers.items() if value is not None}


def run_training(trainer: Any, progress: Progress, data: Data, sampler: Sampler) -> None:
    """Train, then evaluate and sample once more unless the last step already did."""
    phase("train")
    trainer.train()
    evaluated = [point["step"] for point in progress.points if "eval_loss" in point]
    if data.held and evaluated[-1:] != [trainer.state.global_step]:
        phase("eval")
        trainer.evaluate()
    sampler.show(trainer.state.global_step)
    if progress.train_loss is None or not math.isfinite(progress.train_loss):
        raise Failure("the loss is not a number", "Lower the learning rate, or look for broken rows.", "nan")


# ---------------------------------------------------------------------------------------------------------------------
# Saving and pushing.
# ---------------------------------------------------------------------------------------------------------------------


def save(trainer: Any, tokenizer: Any, recipe: Recipe, engine: Engine, progress: Progress, folder: Path) -> list[str]:
    """Adapter, tokenizer, recipe and card into `folder`; the names of the files.

    Raises:
        Failure: the adapter holds a number that is not finite.
    """
    phase("save")
    model = trainer.accelerator.unwrap_model(trainer.model)
    _check_adapter(model)
    with about(f"writing to {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))
        (folder / "recipe.json").write_text(_recipe_text(recipe), encoding="utf-8")
        (folder / "README.md").write_text(model_card(recipe, engine, progress), encoding="utf-8")
    emit("saved", step=progress.step, path=str(folder))
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def _check_adapter(model: Any) -> None:
    import torch

    for name, parameter in model.named_parameters():
        if parameter.requires_grad and not bool(torch.isfinite(parameter).all()):
            raise Failure(f"the adapter is broken: {name} is not finite", "Lower the learning rate.", "nan")


def push(repo: str, folder: Path, files: list[str], progress: Progress) -> None:
    """Upload the folder and look that everything is there: "pushed" means it can be fetched."""
    phase("push")
    with about(f"pushing to {repo}"):
        made = hub().upload_folder(
            folder_path=str(folder), repo_id=repo, commit_message=f"Adapter after step {progress.step}",
            allow_patterns=files,
        )  # fmt: skip
        there = set(hub().list_repo_files(repo, revision=made.oid))
    if missing := [name for name in files if name not in there]:
        raise Failure(f"{repo} lacks {', '.join(missing)} after the push", "Push the output folder again.", "push")
    emit("pushed", repo=repo, commit=made.oid, url=f"{hub().endpoint}/{repo}")


def model_card(recipe: Recipe, engine: Engine, progress: Progress) -> str:
    """README.md of the adapter: what it is, how to load it, what made it, how it went."""
    model, dataset = recipe["model"], recipe["dataset"]
    name = recipe["name"] or f"{_short_name(model['id'])} trained on {_short_name(dataset['id'])}"
    parts = [
        _card_metadata(model["id"], dataset["id"], engine),
        f"# {name}\n\nA LoRA adapter for `{model['id']}` (revision `{model['revision']}`), trained "
        f"on `{dataset['id']}` (revision `{dataset['revision']}`, config `{dataset['config']}`, "
        f"split `{dataset['split']}`).",
        _card_usage(recipe),
        f"## Results\n\n{_card_results(progress)}",
        f"## Recipe\n\n{_card_recipe(recipe)}\n\nThe whole recipe is in `recipe.json`.",
    ]
    return "\n\n".join(parts) + "\n"


def _card_metadata(model: str, dataset: str, engine: Engine) -> str:
    lines = ["---", "library_name: peft", "pipeline_tag: text-generation"]
    if not is_local(model):
        lines.append(f"base_model: {model}")
    if not is_local(dataset):
        lines += ["datasets:", f"- {dataset}"]
    return "\n".join([*lines, "tags:", "- lora", "- sft", f"- {engine.name}", "- lora-workbench", "---"])


def _card_usage(recipe: Recipe) -> str:
    model, adapter = recipe["model"]["id"], recipe["output"]["repo"] or "path/to/this/folder"
    return f"""## Use

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("{model}"), "{adapter}")
tokenizer = AutoTokenizer.from_pretrained("{adapter}")
```"""


def _card_results(progress: Progress) -> str:
    rows = [
        f"{progress.step} steps, training loss {_short(progress.train_loss)}, eval loss {_short(progress.eval_loss)}."
    ]
    by_step: dict[int, dict[str, Any]] = {}
    for point in progress.points:
        by_step.setdefault(point["step"], {}).update(point)
    steps = sorted(by_step)
    kept = {steps[round(index * (len(steps) - 1) / 19)] for index in range(20)} if len(steps) > 20 else set(steps)
    kept |= {step for step in steps if "eval_loss" in by_step[step]}
    rows += ["", "| step | loss | eval loss |", "|---|---|---|"]
    for step in sorted(kept):
        rows.append(f"| {step} | {_short(by_step[step].get('loss'))} | {_short(by_step[step].get('eval_loss'))} |")
    return "\n".join(rows)


def _short(number: float | None) -> str:
    return "" if number is None else f"{number:.4g}"


def _card_recipe(recipe: Recipe) -> str:
    rows = ["| | |", "|---|---|"]
    for section in ("lora", "training", "evaluation"):
        for key, value in recipe[section].items():
            rows.append(f"| {section}.{key} | {', '.join(value) if isinstance(value, list) else value} |")
    return "\n".join(rows)


# ---------------------------------------------------------------------------------------------------------------------
# Main.
# ---------------------------------------------------------------------------------------------------------------------


def run(recipe: Recipe, options: Options) -> None:
    """The whole run. What can fail for free fails first."""
    phase("download")
    sealed = seal(recipe, options)
    rows, held_rows = load_rows(recipe)
    as_asked = copy.deepcopy(recipe)  # what is pushed is what was asked for, not what a CPU made of it
    engine = choose_engine()
    report_environment(engine, recipe)
    tokenizer = load_tokenizer(recipe)
    data = prepare(rows, held_rows, recipe, tokenizer)
    if engine.name == "unsloth" and tokenizer.chat_template and recipe["training"]["loss_on"] == "completion":
        data.train = checked_by_unsloth(data.train, tokenizer)
    phase("load")
    model = load_model(recipe, engine)
    sampler = Sampler(model, tokenizer, data.prompts, engine)
    trainer, progress = build_trainer(model, tokenizer, data, recipe, engine, options.folder, sampler)
    run_training(trainer, progress, data, sampler)
    files = save(trainer, tokenizer, as_asked, engine, progress, options.folder)
    if sealed.repo:
        push(sealed.repo, options.folder, files, progress)
    emit(
        "done", step=progress.step, seconds=round(time.monotonic() - _BEGAN, 1), train_loss=progress.train_loss,
        eval_loss=progress.eval_loss, repo=sealed.repo,
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run from a command line; the exit code."""
    _quiet_environment()
    signal.signal(signal.SIGTERM, _stopped)
    try:
        run(*read_arguments(sys.argv[1:] if argv is None else argv))
    except Failure as failure:
        return _failed(failure, failure.__cause__)
    except KeyboardInterrupt:
        return _failed(Failure("stopped from outside", "Start it again if that was not meant.", "interrupted"), None)
    except Exception as error:
        return _failed(explained(error), error)
    return 0


def _failed(failure: Failure, error: BaseException | None) -> int:
    emit("failed", cause=failure.cause, mend=failure.mend, kind=failure.kind)
    if error is not None and failure.kind in ("error", "memory"):  # what has a name needs no traceback
        print(_redacted("".join(traceback.format_exception(error))), file=sys.stderr, flush=True)
    return failure.code


def _stopped(_signal: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _quiet_environment() -> None:
    """Before the libraries are imported: no bars, no telemetry, no forks after threads.

    Torch's threads wait by spinning unless told not to, which on a busy machine costs several times the work itself.
    """
    warnings.simplefilter("ignore", FutureWarning)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for name in ("HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")


if __name__ == "__main__":
    sys.exit(main())
