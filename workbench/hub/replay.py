"""Two pure parts of reading a stream: bytes → events, and a replay → only the lines not held yet.

Every log request replays the job's log from its first line (hub-contract §3.1), so a line's position is its identity.
`Merge` checks the replay against what is held and, where a server forgot or changed lines, falls back to counting
(timestamp, text) pairs, so that no line comes twice and none is lost.
"""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from workbench.hub.records import HardwareSample, LogLine

Raw = tuple[float | None, str]  # timestamp (Unix seconds), text

# Where an incomplete line of a mad server is cut off, in bytes.
LONGEST_EVENT = 16 << 20


class Broken(ValueError):
    """A complete `data:` line whose JSON does not parse; `raw` is its text."""

    def __init__(self, raw: str) -> None:
        self.raw = raw
        super().__init__("a damaged event")


class EventSplitter:
    """Server-sent events → the JSON objects of their `data:` lines, one a physical line, split at b"\\n" only.

    (`str.splitlines` also splits at U+2028, which a log line may contain.) `half` is true while bytes of an
    unfinished line are held: at the end of a stream that means it was cut.
    """

    def __init__(self) -> None:
        self._rest = b""

    @property
    def half(self) -> bool:
        return bool(self._rest)

    def feed(self, chunk: bytes) -> list[dict[str, Any] | Broken]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > LONGEST_EVENT:
            self._rest = b""
        found: list[dict[str, Any] | Broken] = []
        for line in lines:
            if not line.startswith(b"data:"):
                continue  # event:, id:, comments (keep-alives), blank lines
            body = line[5:].strip()
            if not body.startswith(b"{"):
                continue
            text = body.decode("utf-8", "replace")
            try:
                found.append(json.loads(text))
            except (ValueError, RecursionError):
                found.append(Broken(text))
        return found


class _Clock:
    """ISO timestamps → Unix seconds, rounded to the microsecond. Neighbours share their second, which is kept."""

    def __init__(self) -> None:
        self._second = ""
        self._base = 0.0

    def __call__(self, value: Any) -> float | None:
        if not isinstance(value, str) or len(value) < 20 or value[-1] != "Z":
            return None
        second = value[:19]
        try:
            if second != self._second:
                self._base = datetime.fromisoformat(second).replace(tzinfo=UTC).timestamp()
                self._second = second
            tail = value[19:-1]
            return round(self._base + float(f"0{tail}"), 6) if tail else self._base
        except (ValueError, OverflowError):
            return None


class LogDecoder:
    """An event's JSON → (timestamp, text), cleaned by `clean` (a redactor) before anybody sees it."""

    def __init__(self, clean: Callable[[str], str] | None = None) -> None:
        self._clock = _Clock()
        self._clean = clean

    def __call__(self, event: dict[str, Any] | Broken) -> Raw | None:
        if isinstance(event, Broken):
            return None, self._text(event.raw)
        data = event.get("data")
        if data is None:
            return None
        return self._clock(event.get("timestamp")), self._text(data if isinstance(data, str) else json.dumps(data))

    def _text(self, text: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:  # half a surrogate pair: JSON may say it, no file can hold it
            text = text.encode("utf-8", "replace").decode()
        return self._clean(text) if self._clean else text


class Merge:
    """Places a replay's lines among those held: 16 bytes a line are kept, not the lines themselves.

    Call `begin()` for each connection, then `take()` with its lines in order; `take` returns what is new.
    """

    def __init__(self, held: Iterable[LogLine] = ()) -> None:
        self._texts = array("q")
        self._times = array("d")
        self._latest = -math.inf
        for line in held:
            self._keep(line.at, hash(line.text))
        self.begin()

    @property
    def count(self) -> int:
        return len(self._texts)

    @property
    def covered(self) -> bool:
        """Whether this connection has replayed at least as many lines as were held when it began."""
        return self._seen >= self._held

    def begin(self, *, trusting: bool = False) -> None:
        """A new connection. `trusting`: take new lines even where some may be missing before them."""
        self.gap = False
        self._trusting = trusting
        self._held = len(self._texts)
        self._seen = 0  # lines of this connection so far
        self._position = 0
        # Held lines not met yet, once one did not match: by text and time, and by time alone.
        self._left: Counter[tuple[int, float]] | None = None
        self._moments: Counter[float] = Counter()
        self._by_position = True
        self._joined = self._held == 0  # the last held line was met: what follows it follows without a gap

    def take(self, lines: Iterable[Raw]) -> list[LogLine]:
        """What is new. Ends, with `gap` set, before a new line that does not follow on what is held: the server has
        lost lines, for good or while it starts up, and only asking again can tell."""
        new: list[LogLine] = []
        for at, text in lines:
            self._seen += 1
            digest = hash(text)
            if (self._position < self._held or not self._by_position) and self._is_held(at, digest):
                continue
            if not (self._joined or self._trusting or self._position >= self._held):
                self.gap = True
                break
            new.append(LogLine(len(self._texts), at, text))
            self._keep(at, digest)
        return new

    def _keep(self, at: float | None, digest: int) -> None:
        self._texts.append(digest)
        self._times.append(math.nan if at is None else at)
        if at is not None and at > self._latest:
            self._latest = at

    def _is_held(self, at: float | None, digest: int) -> bool:
        time = math.inf if at is None else at
        if self._by_position:
            here, when = self._position, self._times[self._position]
            same_time = when == time or (at is None and math.isnan(when))
            # The same text here is the same line, unless it is later than all we hold: then the log began anew.
            if self._texts[here] == digest and (same_time or at is None or at <= self._latest):
                self._step_over()
                return True
            # The same moment at the same place, told differently: what we hold stands.
            if (same_time or math.isnan(when)) and at is not None and self._unmet()[(digest, time)] <= 0:
                self._step_over()
                return True
            self._by_position = False
        left = self._unmet()
        if left[(digest, time)] > 0:
            left[(digest, time)] -= 1
            self._moments[time] -= 1
        elif self._moments[time] > 0 and at is not None:  # told differently, as above
            self._moments[time] -= 1
        else:
            return False
        last = self._key(self._held - 1)
        if last == (digest, time) or (last[1] == time and at is not None and self._moments[time] <= 0):
            self._joined = True
        return True

    def _step_over(self) -> None:
        if self._left is not None:
            met = self._key(self._position)
            self._left[met] -= 1
            self._moments[met[1]] -= 1
        self._position += 1

    def _unmet(self) -> Counter[tuple[int, float]]:
        if self._left is None:
            self._left = Counter(self._key(index) for index in range(self._position, self._held))
            self._moments = Counter()
            for (_, time), count in self._left.items():
                self._moments[time] += count
        return self._left

    def _key(self, index: int) -> tuple[int, float]:
        time = self._times[index]
        return self._texts[index], math.inf if math.isnan(time) else time


def hardware_sample(event: dict[str, Any], at: float) -> HardwareSample | None:
    """One metrics event (hub-contract §3.2) received at `at`; GPUs in the order of their ids; None if it is none."""
    gpus = event.get("gpus")
    cards = [gpus[key] for key in sorted(gpus)] if isinstance(gpus, dict) else []
    cards = [card for card in cards if isinstance(card, dict)]
    try:
        return HardwareSample(
            at=at,
            cpu_percent=float(event.get("cpu_usage_pct") or 0),
            memory_used=int(event.get("memory_used_bytes") or 0),
            memory_total=int(event.get("memory_total_bytes") or 0),
            gpu_percent=tuple(float(card.get("utilization") or 0) for card in cards),
            gpu_memory_used=tuple(int(card.get("memory_used_bytes") or 0) for card in cards),
            gpu_memory_total=tuple(int(card.get("memory_total_bytes") or 0) for card in cards),
            rx_bps=float(event.get("rx_bps") or 0),
            tx_bps=float(event.get("tx_bps") or 0),
        )
    except (TypeError, ValueError, OverflowError):
        return None
