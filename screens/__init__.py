"""The Textual app: what people see and press.

`app.py` only wires. Each pane is one file; `widgets/` holds what panes share. A screen never talks to the network or
the disk itself: it asks the engine (`workbench`) in a thread worker through `asking.py` and hears by message.
`actions.py` defines every action once, for its key, the footer, the palette, the help and the user's key map.
"""
