"""What panes share: the virtual list and its grid, the log, the chart, the bars, the dialogs.

All that can be long is drawn through Textual's line API, and repaints only what changed: over SSH bytes are scarce.
"""
