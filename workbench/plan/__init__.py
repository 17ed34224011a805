"""From choices to numbers: the recipe that defines a run, and for every flavor whether it fits, how long it takes
and what it costs, then the pre-flight checks.

Arithmetic here is pure and fast: it works on facts fetched before, so a screen can redraw it at every key.
"""
