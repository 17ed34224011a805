"""The engine of the LoRA Workbench: everything the program knows, nothing of how it is shown.

Rooms: `hub` talks to the Hub, `data` understands datasets, `plan` turns choices into numbers, `runs` keeps
what happened, `local` is a Hub on this machine. Arrows run one way (see docs/architecture.md); this package
never imports `textual` or `screens`.
"""

__version__ = "0.1.0"
