"""Understanding a dataset: which column plays which role, and what the model would really be trained on.

`mapping.py` holds the vocabulary (`ColumnMapping`); the other files propose mappings by looking at values, render
rows through the model's own chat template, and count tokens. The function that turns a row into a training row
lives once, in `job_scripts/train.py`; this room calls that very function.
"""
