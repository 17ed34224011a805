"""What the inspector says about a dataset: columns and roles, a verdict a method, an example as the model sees it.

Pure functions from what is known to lines; the pane decides when to ask and where to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from screens import show
from screens.widgets.doc import Line, Para
from screens.widgets.paint import Piece

if TYPE_CHECKING:
    from workbench.data.preview import Preview
    from workbench.data.propose import Verdict
    from workbench.hub.records import DatasetRecord, RowsPage, Split

VERDICTS = {"ready": ("READY", "good-bold"), "needs_mapping": ("MAPPED", "info"), "incompatible": ("NO", "bad")}
METHODS = ("sft", "dpo", "kto", "reward", "grpo", "prm")
SOURCES = {"viewer": "viewer", "stream": "streamed", "file": "file"}


@dataclass
class Inspection:
    """What is known of one dataset so far; filled step by step."""

    record: DatasetRecord
    splits: tuple[Split, ...] = ()
    at: int = 0  # which of `splits` is looked at
    page: RowsPage | None = None
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    method: str = "sft"
    row: int = 0
    preview: Preview | None = None
    tokenizer: str = ""  # whose template the example goes through
    problem: str = ""  # why there are no rows
    preview_problem: str = ""  # why there are no tokens

    @property
    def split(self) -> Split | None:
        return self.splits[self.at] if self.at < len(self.splits) else None

    @property
    def verdict(self) -> Verdict | None:
        return self.verdicts.get(self.method)


def lines_of(seen: Inspection) -> list[Line]:
    lines: list[Line] = [[(seen.record.id, "title")]]
    lines += _where(seen)
    if seen.problem:
        lines += [[(seen.problem, "bad")]]
    if seen.page is None:
        return lines if seen.problem else [*lines, [("Reading some rows …", "dim")]]
    if seen.page.problem:
        lines += [[(seen.page.problem, "warn")]]
    lines += [[("", "")], *_verdicts(seen), [("", "")], *_columns(seen)]
    lines += [[("", "")], *_example(seen)]
    return lines


def _where(seen: Inspection) -> list[Line]:
    split = seen.split
    if split is None:
        return []
    total = seen.page.total if seen.page is not None and seen.page.total is not None else split.rows
    rows = f"{total:,} rows" if total is not None else "rows not counted"
    line: list[Piece] = [(f"{split.config} / {split.split}", "bold"), (f"   {rows}", "")]
    if len(seen.splits) > 1:
        line.append((f"   [ ] split {seen.at + 1} of {len(seen.splits)}", "dim"))
    if seen.page is not None:
        line.append((f"   {len(seen.page.rows)} read ({SOURCES[seen.page.source]})", "dim"))
    return [line]


def _verdicts(seen: Inspection) -> list[Line]:
    """The method looked at in full, the others in a line: READY and MAPPED ones first."""
    verdict = seen.verdict
    lines: list[Line] = []
    if verdict is not None:
        word, ink = VERDICTS[verdict.verdict]
        head: list[Piece] = [("▸ ", "accent"), (f"{seen.method.upper()} ", "bold"), (f"{word}  ", ink)]
        lines.append(Para([*head, (verdict.reason, "")], 4))
    others = [method for method in METHODS if method in seen.verdicts and method != seen.method]
    line: list[Piece] = [("  also ", "dim")]
    for method in others:
        word, ink = VERDICTS[seen.verdicts[method].verdict]
        if seen.verdicts[method].verdict != "incompatible":
            line += [(f"{method.upper()} ", ""), (f"{word}  ", ink.removesuffix("-bold"))]
    no = [method.upper() for method in others if seen.verdicts[method].verdict == "incompatible"]
    if no:
        line += [("not ", "bad"), (" ".join(no) + "  ", "dim")]
    line.append(("m: the next", "faint"))
    return [*lines, Para(line, 7)]


def roles_of(verdict: Verdict | None) -> dict[str, str]:
    """column → the role it plays, from a mapping whose sources may be templates."""
    roles: dict[str, str] = {}
    if verdict is None or verdict.mapping is None:
        return roles
    for role, source in verdict.mapping.columns.items():
        if "{" in source:
            import string

            try:
                names = [name for _, name, _, _ in string.Formatter().parse(source) if name]
            except ValueError:
                names = []
            for name in names:
                roles[name.split(".")[0]] = role
        else:
            roles[source.split(".")[0]] = role
    return roles


def _columns(seen: Inspection) -> list[Line]:
    assert seen.page is not None
    roles = roles_of(seen.verdict)
    width = min(22, max((len(name) for name in seen.page.columns), default=6))
    lines: list[Line] = [[("column".ljust(width + 2), "dim"), ("role".ljust(14), "dim"), ("type", "dim")]]
    for name, kind in seen.page.columns.items():
        role = roles.get(name)
        shown: Piece = (f"→ {role}".ljust(14), "good") if role else ("· not used".ljust(14), "faint")
        lines.append([(name[:width].ljust(width + 2), "bold" if role else "dim"), shown, (kind, "dim")])
    return lines


def _example(seen: Inspection) -> list[Line]:
    if seen.verdict is None or seen.verdict.mapping is None:
        return []
    if seen.preview is None:
        why: list[Line] = [[(seen.preview_problem, "bad")]] if seen.preview_problem else []
        return [*why, *_plain_example(seen)]
    preview = seen.preview
    head: list[Piece] = [
        (f"row {seen.row}   ", "bold"),
        (f"{preview.trained} trained", "good"),
        (f" · {preview.context} context", "dim"),
    ]
    if preview.cut:
        head.append((f" · {preview.cut} cut", "bad"))
    head.append((f"   as {seen.tokenizer} sees it", "dim"))
    lines: list[Line] = [head]
    if preview.problem:
        lines.append([(preview.problem, "bad")])
    inks = {"trained": "good", "context": "dim", "cut": "bad"}
    line: list[Piece] = []
    for token in preview.tokens:
        parts = token.text.split("\n")
        for number, part in enumerate(parts):
            if number:
                line.append(("⏎", "faint"))
                lines.append(line)
                line = []
            if part:
                line.append((part, inks[token.state]))
    if line:
        lines.append(line)
    lines.append([("n p next and previous row", "faint")])
    return lines


def _plain_example(seen: Inspection) -> list[Line]:
    """The first row as the trainer would get it, before any template."""
    from job_scripts.train import RowError, to_training_row

    assert seen.page is not None and seen.verdict is not None and seen.verdict.mapping is not None
    if not seen.page.rows:
        return [[("This split has no rows.", "warn")]]
    index = min(seen.row, len(seen.page.rows) - 1)
    about = f"{seen.tokenizer}: reading its tokenizer …" if seen.tokenizer else "pick a model to see the tokens"
    lines: list[Line] = [[(f"row {index} as the trainer gets it", "bold"), (f"   {about}", "dim")]]
    try:
        made = to_training_row(seen.page.rows[index], seen.verdict.mapping.as_dict(), seen.method)
    except RowError as error:
        return [*lines, [(f"This row cannot be trained on: {error}.", "warn")]]
    for key, value in made.items():
        lines += _value(key, value)
    return lines


def _value(key: str, value: Any) -> list[Line]:
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(v, Mapping) for v in value):
        lines: list[Line] = [[(key, "alt")]]
        for turn in value:
            role = str(turn.get("role", "?"))
            ink = "good" if role == "assistant" else "dim"
            text = str(turn.get("content") or turn.get("tool_calls") or "")
            for number, part in enumerate(text.splitlines() or [""]):
                lines.append(Para([(f"  {role if number == 0 else '':<10}", "faint"), (part, ink)], 12))
        return lines
    ink = "good" if key in ("completion", "text", "chosen") else ""
    parts = str(value).splitlines() or [""]
    return [Para([(f"{key if n == 0 else '':<12}", "alt"), (part, ink)], 12) for n, part in enumerate(parts)]


def brief_lines(record: DatasetRecord) -> list[Line]:
    lines: list[Line] = [[(record.id, "title")]]
    facts = [record.size_category, record.licence, f"{show.count(record.downloads)} downloads"]
    lines.append([(" · ".join(fact for fact in facts if fact), "dim")])
    if record.gated != "no":
        lines.append([("gated: accept its terms on its Hub page first", "warn")])
    if record.description:
        lines += [[("", "")], [(record.description.strip().splitlines()[0][:400], "")]]
    return lines
