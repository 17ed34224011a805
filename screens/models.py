"""Place 1: the models of the Hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from screens import show
from screens.catalog import CatalogPane
from screens.desk import desk
from screens.messages import ModelPicked
from screens.query import parse_search
from screens.widgets.doc import Line
from screens.widgets.grid import Column, Row
from workbench.hub.records import ModelDetails, ModelRecord

_CARD_LINES = 200


class ModelsPane(CatalogPane):
    """Pick the base model."""

    NOUN = "models"
    COLUMNS: ClassVar = (
        Column("Model"),
        Column("Params", 7, right=True),
        Column("Task", 16, keep=84),
        Column("Licence", 11, keep=74),
        Column("Gate", 5),
        Column("Downl.", 7, right=True),
        Column("Likes", 6, right=True, keep=80),
        Column("Upd.", 5, right=True, keep=50),
    )
    ABOUT = """Models: the base model to fine-tune.

Type / to search. Words match the name; filters are written as key:value –
task:text-generation  author:NAME  licence:mit  library:peft  gated:no  size:<3B  size:>500M
Enter takes the model into the plan (●). A gated model needs its terms accepted on the Hub first."""

    def placeholder(self) -> str:
        return "/ search models   (task:… author:… licence:… size:<3B gated:no)"

    def fetch(self, text: str, cursor: str | None) -> Any:
        from workbench.hub.catalog import ModelQuery, models

        search = parse_search(text)
        query = ModelQuery(
            text=search.words,
            author=search.filters.get("author", ""),
            task=search.filters.get("task", ""),
            library=search.filters.get("library", ""),
            licence=search.filters.get("licence", ""),
            language=search.filters.get("language", ""),
            gated=search.gated,
            min_params=search.min_params,
            max_params=search.max_params,
            sort=self.sort,  # type: ignore[arg-type]
        )
        return models(desk(self).engine.hub, query, cursor=cursor)

    def row(self, record: ModelRecord) -> Row:
        picked = desk(self).draft.model
        used = picked is not None and picked.id == record.id
        gate = {"no": ("open", "dim"), "auto": ("gated", "warn"), "manual": ("gated", "warn")}[record.gated]
        return Row(
            record.id,
            (
                (("● ", "accent"), (record.id, "bold")) if used else record.id,
                show.count(record.parameters),
                (record.task or "–", "dim"),
                (record.licence or "–", "dim"),
                gate,
                show.count(record.downloads),
                show.count(record.likes),
                (show.ago(record.updated), "dim"),
            ),
        )

    def fetch_details(self, record: ModelRecord) -> ModelDetails:
        from workbench.hub.catalog import model_details

        return model_details(desk(self).engine.hub, record.id)

    def brief(self, record: ModelRecord) -> Sequence[Line]:
        return _facts(record)

    def full(self, record: ModelRecord, details: ModelDetails) -> Sequence[Line]:
        lines = [*_facts(details.record), *_anatomy(details.config, details.chat_template)]
        total = sum(file.size for file in details.files)
        lines += [_fact("files", f"{len(details.files)}, {show.size(total)}")]
        lines += card_lines(details.card)
        return lines

    def pick(self, record: ModelRecord) -> None:
        self.post_message(ModelPicked(record))


def _fact(name: str, value: str, ink: str = "") -> Line:
    return [(f"{name:<15}", "dim"), (value, ink)]


def _facts(record: ModelRecord) -> list[Line]:
    dtypes = ", ".join(f"{show.count(n)} {name}" for name, n in record.dtypes.items())
    lines: list[Line] = [
        [(record.id, "title")],
        [("", "")],
        _fact("parameters", show.count(record.parameters) + (f"  ({dtypes})" if dtypes else "")),
        _fact("licence", record.licence or "not stated"),
    ]
    if record.gated != "no":
        how = "access is granted at once" if record.gated == "auto" else "its owners decide"
        lines.append(_fact("gated", f"accept the terms on its Hub page; {how}", "warn"))
    if record.library or record.task:
        lines.append(_fact("made for", " · ".join(part for part in (record.task, record.library) if part)))
    lines.append(_fact("used", f"{show.count(record.downloads)} downloads, {show.count(record.likes)} likes"))
    if record.updated is not None:
        lines.append(_fact("updated", f"{record.updated:%Y-%m-%d}  ({show.ago(record.updated)} ago)"))
    return lines


def _anatomy(config: Mapping[str, Any], template: bool) -> list[Line]:
    inner = config.get("text_config") if isinstance(config.get("text_config"), Mapping) else config
    assert isinstance(inner, Mapping)
    architectures = config.get("architectures")
    name = str(architectures[0]) if isinstance(architectures, list) and architectures else config.get("model_type")
    lines: list[Line] = []
    if name:
        lines.append(_fact("architecture", str(name)))
    layers, hidden, vocabulary = inner.get("num_hidden_layers"), inner.get("hidden_size"), inner.get("vocab_size")
    if layers and hidden:
        lines.append(_fact("shape", f"{layers} layers × {hidden}, vocabulary {show.count(vocabulary)}"))
    if inner.get("max_position_embeddings"):
        lines.append(_fact("context", f"{inner['max_position_embeddings']:,} tokens"))
    lines.append(
        _fact("chat template", "yes", "good") if template else _fact("chat template", "none: plain text only", "warn")
    )
    return lines


def card_lines(card: str) -> list[Line]:
    """A README as readable lines: the YAML head left out, headings told apart, paragraphs joined, so that they wrap to
    the pane. Nothing in it is interpreted."""
    if not card.strip():
        return []
    text = card
    if text.startswith("---"):
        _, _, rest = text[3:].partition("\n---")
        text = rest or text
    lines: list[Line] = [[("", "")], [("── card " + "─" * 20, "faint")]]
    fenced = False
    joined = False  # whether the line before is a paragraph that goes on
    for raw in text.strip().splitlines()[:_CARD_LINES]:
        line = raw.strip()
        if line.startswith("```"):
            fenced, joined = not fenced, False
        elif fenced:
            lines.append([("  " + raw.rstrip(), "alt")])
        elif line.startswith("#"):
            lines.append([(line.lstrip("# "), "title")])
            joined = False
        elif not line or line.startswith(("|", "-", "*", ">", "<", "1.")):
            if not set(line) <= set("|-: ") or not line:
                lines.append([(_plain(line.strip("|").replace("|", " · ") if line.startswith("|") else line), "")])
            joined = line.startswith(("-", "*", "1."))
        elif joined:
            before, ink = lines[-1][-1]
            lines[-1] = [(before + " " + _plain(line), ink)]
        else:
            lines.append([(_plain(line), "")])
            joined = True
    return lines


def _plain(text: str) -> str:
    return text.replace("**", "").replace("`", "")
