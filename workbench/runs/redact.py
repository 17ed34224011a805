"""Hide tokens: every line that is stored or shown passes here first."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"

# User tokens are hf_ and 34 letters or digits; OAuth and JWT tokens carry their kind. Anything that long after the
# prefix is taken for one: a false alarm hides a word, a miss publishes a secret.
_TOKEN = re.compile(r"hf_(?:(?:oauth|jwt)_[\w.\-]{16,}|[A-Za-z0-9]{20,})")
# Shorter values are words ("true", "test"): hiding them would eat the log.
_SHORTEST = 8


class Redactor:
    """Hides the given secret values and whatever has the shape of a Hub token. Cheap on text without either."""

    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        known = {part for secret in secrets if secret for part in secret.splitlines() if len(part) >= _SHORTEST}
        # The longest first: one secret may contain another.
        self._known = tuple(sorted(known, key=len, reverse=True))

    def __call__(self, text: str) -> str:
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        if "hf_" in text:
            text = _TOKEN.sub(HIDDEN, text)
        return text

    def __repr__(self) -> str:
        return f"Redactor({len(self._known)} secrets)"
