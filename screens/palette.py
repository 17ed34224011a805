"""The command palette: every action that works here, the places, and the newest runs, by a few letters."""

from __future__ import annotations

from functools import partial
from typing import Any

from textual.command import DiscoveryHit, Hit, Hits, Provider

from screens.actions import key_name


class ActionsProvider(Provider):
    """Feeds the palette from the same definitions as the footer and the help."""

    def _commands(self) -> list[tuple[str, str, Any]]:
        found: list[tuple[str, str, Any]] = []
        seen: set[str] = set()
        for key, active in self.screen.active_bindings.items():
            binding = active.binding
            if not binding.description or not binding.tooltip or binding.action in seen:
                continue
            seen.add(binding.action)
            run = partial(self.app.run_action, binding.action, active.node)
            found.append((f"{binding.description}  ({key_name(key)})", str(binding.tooltip), run))
        return found

    async def discover(self) -> Hits:
        for name, about, run in self._commands():
            yield DiscoveryHit(name, run, help=about)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, about, run in self._commands():
            score = max(matcher.match(name), matcher.match(about) * 0.8)
            if score > 0:
                yield Hit(score, matcher.highlight(name), run, help=about)
