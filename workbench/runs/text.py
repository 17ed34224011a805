"""The look of log lines: terminal control codes, progress bars, printed dictionaries, telling words."""

from __future__ import annotations

import json
import re

from workbench.runs.learned import Progress

# CSI sequences, OSC strings, and the two-character escapes.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029]")

# What follows the "%" of "Map:  55%|#####    | 220/400 [00:00<00:00, 2126.73 examples/s]"; units after the numbers.
_BAR = re.compile(
    r"%\|[^|\r\n]{0,200}\|\s{0,12}(?P<done>\d[\d.]{0,15})(?P<k>[kMGTB]{0,2})"
    r"/(?P<total>\d[\d.]{0,15})(?P<m>[kMGTB]{0,2}) \[(?P<rate>[^\]\r\n]{0,80})"
)
_BEFORE = re.compile(r"(?:^|[\r\n])(?:(?P<name>[^\r\n]{0,120}):)?\s*\d{1,3}$")
_UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}

# 'loss': '5.603' or 'loss': 5.603; also nan, inf
_PAIR = re.compile(r"'([A-Za-z_][\w/.@\-]{0,80})':\s?'?([-+]?(?:\d[\d.]{0,30}(?:[eE][-+]?\d{1,4})?|nan|inf))'?(?=[,}])")

_BAR_PHASES = (
    ("Download", "download"),
    ("Fetching", "download"),
    ("Loading", "load"),
    ("Tokeniz", "tokenize"),
    ("Map", "tokenize"),
    ("Adding EOS", "tokenize"),
    ("Applying chat", "tokenize"),
    ("Truncating", "tokenize"),
    ("Packing", "tokenize"),
    ("Generating train", "download"),
    ("Processing Files", "push"),
    ("New Data Upload", "push"),
)
# First words of lines that `uv` and others print while they install.
_TEXT_PHASES = (
    ("Resolved ", "install"),
    ("Installed ", "install"),
    ("Collecting ", "install"),
    ("Reading inline script", "install"),
)


def plain(text: str) -> str:
    """The line as a terminal would leave it: escapes removed, and of the parts between CRs the last that shows
    something. Control characters and the Unicode line separators become spaces; tabs stay."""
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if "\r" in text:
        text = next((part for part in reversed(text.split("\r")) if part.strip()), "")
    return _CONTROL.sub(" ", text) if not text.isprintable() else text


def is_bar(text: str) -> bool:
    """Whether the line shows nothing but a progress bar."""
    if "%|" not in text:
        return False
    shown = plain(text).strip()
    at = shown.find("%|")
    bar = _BAR.match(shown, at)
    return bar is not None and shown[bar.end() :].strip() in ("", "]") and _BEFORE.search(shown[:at]) is not None


def bar_in(text: str) -> Progress | None:
    """The last progress bar in a line, or None."""
    at = len(text)
    for _ in range(4):  # the last one may be cut off
        at = text.rfind("%|", 0, at)
        if at < 0:
            return None
        found = _BAR.match(text, at)
        if found is None:
            continue
        done, total = _amount(found["done"], found["k"]), _amount(found["total"], found["m"])
        if done is None or total is None:
            continue
        before = _BEFORE.search(text[max(0, at - 140) : at])
        name = plain(before["name"]).strip() if before and before["name"] else ""
        return Progress(name, done, total, found["rate"].rsplit(",", 1)[-1].strip())
    return None


def _amount(digits: str, unit: str) -> float | None:
    try:
        return float(digits) * _UNITS.get(unit[:1], 1.0)
    except ValueError:
        return None


def dict_in(text: str) -> dict[str, float]:
    """The numbers of a printed dictionary, wherever it stands in the line; {} when there is none."""
    start = text.find("{'")
    end = text.rfind("}") + 1
    if start < 0 or end <= start:
        return {}
    try:  # with other quotes it is JSON nearly always, and that is five times as fast
        data = json.loads(text[start:end].replace("'", '"'))
        return {key: float(value) for key, value in data.items()}
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        pass
    found: dict[str, float] = {}
    for key, value in _PAIR.findall(text, start, end):
        try:
            found[key] = float(value)
        except ValueError:
            continue
    return found


def phase_of_bar(name: str) -> str:
    """The phase a named bar belongs to, "" if it does not say."""
    for start, phase in _BAR_PHASES:
        if name.startswith(start):
            return phase
    return ""


def phase_of_text(text: str) -> str:
    """The phase a line's first words belong to, "" for nearly all lines."""
    first = text[:1]
    if first not in "RIC" or not first:
        return ""
    for start, phase in _TEXT_PHASES:
        if text.startswith(start):
            return phase
    return ""
