"""A model's own tokenizer, loaded without torch: what counts tokens and renders chats is what the job will use."""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.errors import HubError, WorkbenchError
from workbench.hub.client import Hub, as_hub_error, hub_errors
from workbench.hub.files import checked_id
from workbench.settings import PUBLIC_ENDPOINT

# What AutoTokenizer reads. Never *.py: a repo's own code is not run here (trust_remote_code stays False).
_FILES = (
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.jinja",
    "chat_template*",
    "additional_chat_templates/*",
    "config.json",
    "*.model",
    "*.tiktoken",
    "tekken.json",
)
_loading = threading.Lock()
_torch_hidden = False


def load_tokenizer(hub: Hub, model_id: str, revision: str = "main") -> Any:
    """The tokenizer of a model, from the Hub's cache or the Hub. Blocking: seconds the first time, then instant.

    The same revision gives the same object; it must not be changed.

    Raises:
        GatedError, NotFoundError, HubError
        WorkbenchError: the repo has no tokenizer, a broken one, or one that needs the repo's own code.
    """
    quiet_transformers()
    checked_id(model_id)
    # A Hub that is not the public one keeps its files apart: its "owner/name" is another repo of that name.
    cache = None if hub.settings.endpoint == PUBLIC_ENDPOINT else hub.settings.cache_dir / "hub"
    with hub_errors(model_id):
        try:
            folder = hub.api.snapshot_download(
                model_id, revision=revision, allow_patterns=list(_FILES), cache_dir=cache, max_workers=4
            )
        except OSError as error:
            raise _download_error(error, model_id) from error
    with _loading:
        return _from_folder(folder, model_id)


def hide_torch() -> None:
    """For a process that never trains: transformers and datasets work without torch, which saves seconds.

    Call it once, early. Only their own question whether torch is there is answered with no; `sys.modules` is left as
    it is, because libraries look into it and import what they find there.
    """
    global _torch_hidden
    _torch_hidden = True
    os.environ["USE_TORCH"] = "0"  # read by datasets when it is imported


def _tell_transformers() -> None:
    """Have transformers ask once whether torch is there, at a moment when it is not; it keeps the answer."""
    import sys

    from transformers.utils import import_utils

    if "torch" in sys.modules or not hasattr(import_utils.is_torch_available, "cache_clear"):
        return
    import_utils.is_torch_available.cache_clear()
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        import_utils.is_torch_available()
    finally:
        del sys.modules["torch"]


def quiet_transformers() -> None:
    """Before transformers is imported: no advice on stderr (it would be painted over the screen)."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@lru_cache(maxsize=8)
def _from_folder(folder: str, model_id: str) -> Any:
    """`folder` ends in the commit's sha, so one revision is read once."""
    files = {path.name for path in Path(folder).iterdir()} if Path(folder).is_dir() else set()
    if not any(name.startswith(("tokenizer", "vocab", "tekken")) or name.endswith(".model") for name in files):
        raise WorkbenchError(
            "this model has no tokenizer files", where=model_id, mend="Pick its base model, or another copy of it."
        )
    if _torch_hidden:
        _tell_transformers()
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0].replace(folder, "it")[:200]
        if "trust_remote_code" in str(error):
            raise WorkbenchError(
                "the tokenizer needs the repo's own code, which is not run here",
                where=model_id,
                mend="Pick a model with a standard tokenizer.",
            ) from error
        raise WorkbenchError(f"the tokenizer cannot be read ({said})", where=model_id) from error


def _download_error(error: OSError, model_id: str) -> WorkbenchError:
    """`snapshot_download` wraps what went wrong in a "not found on disk"; the cause below it is the news."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    seen: BaseException | None = error
    while seen is not None:
        if not isinstance(seen, LocalEntryNotFoundError) and (known := as_hub_error(seen, model_id)) is not None:
            return known
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, FileNotFoundError):
        return HubError("the files cannot be fetched and are not in the cache", where=model_id, mend="Try again.")
    return WorkbenchError(f"the files cannot be kept ({error.strerror or error})", where=model_id)
