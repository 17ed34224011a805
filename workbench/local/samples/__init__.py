"""The sample Hub's contents: three tiny models and twelve small datasets, made by code in seconds.

`build(folder)` writes `<folder>/{models,datasets}/<owner>/<name>/…` and a sidecar `<name>.json` beside each repo with
what the Hub's API says about it. No network, no torch; numpy, tokenizers and pyarrow are imported while building only.
"""

from __future__ import annotations

from pathlib import Path

# Raise it when the contents change: a folder built by an older version is then built anew.
VERSION = 1

# The pair that learns best within a minute on two cores.
ACCESSIBLE_MODEL = "sample-lab/tiny-llama-2M"
EASY_DATASET = "sample-lab/sums-in-words"


def build(folder: Path) -> None:
    """Write every sample repo below `folder` (made if missing). Deterministic: the same bytes every time.

    Raises:
        OSError: the folder cannot be written.
    """
    from workbench.local.samples.datasets import every_dataset
    from workbench.local.samples.models import every_model

    for repo in (*every_dataset(), *every_model()):
        repo.write(folder)
