"""Where things are and who we are: read once from the user's TOML, then the environment, then flags.

Order of precedence: flag > environment > `config.toml` > default. The token is looked for where
`huggingface_hub` looks (HF_TOKEN, then the token file under HF_HOME), so `hf auth login` is enough.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import platformdirs

from workbench.errors import WorkbenchError

PUBLIC_ENDPOINT = "https://huggingface.co"
PUBLIC_VIEWER = "https://datasets-server.huggingface.co"

Compute = Literal["hub", "here"]
Place = Literal["hub", "here", "demo"]


@dataclass(frozen=True)
class Settings:
    """One immutable record, made at start and handed down; nothing else in the program is global.

    Attributes:
        endpoint: base URL of the Hub (catalog, repos), no trailing slash.
        token: the Hub token or None; never shown, never stored by us.
        jobs_endpoint: base URL of the Jobs API; differs from `endpoint` only with `--compute here`.
        jobs_token: the token for `jobs_endpoint` (equal to `token` on one and the same Hub).
        viewer: base URL of the dataset viewer; empty = do not ask it.
        namespace: whose account pays for jobs; None = the signed-in user.
        compute: "hub" = Hugging Face Jobs, "here" = processes on this machine.
        demo: the built-in sample Hub; nothing is billed.
        cap_run_usd / cap_month_usd: spend caps; 0 = none.
        config_dir / data_dir / cache_dir: the XDG folders.
    """

    endpoint: str = PUBLIC_ENDPOINT
    token: str | None = field(default=None, repr=False)
    jobs_endpoint: str = PUBLIC_ENDPOINT
    jobs_token: str | None = field(default=None, repr=False)
    viewer: str = PUBLIC_VIEWER
    namespace: str | None = None
    compute: Compute = "hub"
    demo: bool = False
    readonly: bool = False
    theme: str = "workbench-dark"
    bell: bool = True
    cap_run_usd: float = 20.0
    cap_month_usd: float = 0.0
    config_dir: Path = field(default_factory=lambda: Path(platformdirs.user_config_dir("lora-workbench")))
    data_dir: Path = field(default_factory=lambda: Path(platformdirs.user_data_dir("lora-workbench")))
    cache_dir: Path = field(default_factory=lambda: Path(platformdirs.user_cache_dir("lora-workbench")))

    @property
    def ledger_dir(self) -> Path:
        """The ledger and its logs. A demo has a ledger of its own: its runs are no bills."""
        return self.data_dir / ("demo-ledger" if self.demo else "ledger")

    @property
    def place(self) -> Place:
        """Where jobs run, in one word: "demo", "here" or "hub"."""
        return "demo" if self.demo else self.compute

    def with_(self, **changes: Any) -> Settings:
        return replace(self, **changes)


# What may stand in config.toml, and as what.
_FILE_KEYS: dict[str, type] = {
    "endpoint": str,
    "viewer": str,
    "namespace": str,
    "compute": str,
    "readonly": bool,
    "theme": str,
    "bell": bool,
    "cap_run_usd": float,
    "cap_month_usd": float,
}


def config_file() -> Path:
    """The user's settings file; it need not exist."""
    folder = os.environ.get("WORKBENCH_CONFIG_DIR") or platformdirs.user_config_dir("lora-workbench")
    return Path(folder) / "config.toml"


def load(**flags: Any) -> Settings:
    """Settings for this start. Flags that are None count as not given.

    Raises:
        WorkbenchError: the settings file is no TOML, or a key in it is unknown or of the wrong type.
    """
    values: dict[str, Any] = {}
    values.update(_from_file(config_file()))
    values.update(_from_environment())
    values.update({key: value for key, value in flags.items() if value is not None})
    if values.get("endpoint"):
        values["endpoint"] = str(values["endpoint"]).rstrip("/")
    endpoint = values.get("endpoint", PUBLIC_ENDPOINT)
    if values.get("compute", "hub") not in ("hub", "here"):
        raise WorkbenchError(f"compute is {values['compute']!r}", where="settings", mend='Write "hub" or "here".')
    values.setdefault("token", _stored_token())
    # A Hub that is not the public one has no viewer at the public address.
    values.setdefault("viewer", PUBLIC_VIEWER if endpoint == PUBLIC_ENDPOINT else endpoint)
    values.setdefault("jobs_endpoint", endpoint)
    values.setdefault("jobs_token", values["token"])
    return Settings(**values)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise WorkbenchError(f"cannot be read ({error.strerror})", where=str(path)) from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WorkbenchError(f"is not valid TOML ({error})", where=str(path)) from error
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key == "keys":  # the key map; read by the screens
            continue
        kind = _FILE_KEYS.get(key)
        if kind is None:
            raise WorkbenchError(f"unknown setting {key!r}", where=str(path), mend=f"Known: {', '.join(_FILE_KEYS)}.")
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind):
            raise WorkbenchError(f"{key} must be a {kind.__name__}, not {value!r}", where=str(path))
        values[key] = value
    return values


def _from_environment() -> dict[str, Any]:
    values: dict[str, Any] = {}
    if endpoint := os.environ.get("HF_ENDPOINT"):
        values["endpoint"] = endpoint
    if viewer := os.environ.get("WORKBENCH_VIEWER"):
        values["viewer"] = viewer.rstrip("/")
    if namespace := os.environ.get("WORKBENCH_NAMESPACE"):
        values["namespace"] = namespace
    for name in ("config", "data", "cache"):
        if folder := os.environ.get(f"WORKBENCH_{name.upper()}_DIR"):
            values[f"{name}_dir"] = Path(folder)
    return values


def _stored_token() -> str | None:
    """HF_TOKEN, else the file `hf auth login` writes. Read by hand: huggingface_hub is not imported yet."""
    if token := os.environ.get("HF_TOKEN", "").strip():
        return token
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"
    path = Path(os.environ.get("HF_TOKEN_PATH") or Path(home) / "token").expanduser()
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
