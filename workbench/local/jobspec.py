"""A job as it is asked for (hub-contract §2.2): checked once, at the door."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from workbench.local.hardware import flavors
from workbench.local.wire import Refusal

_LABEL = re.compile(r"^[A-Za-z0-9_-]{1,100}$")
_LABEL_VALUE = re.compile(r"^[A-Za-z0-9_-]{0,100}$")
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


@dataclass(frozen=True)
class JobSpec:
    """What to run. `secret_names` stands for the secrets; their values never lie in this record."""

    command: list[str]
    arguments: list[str]
    environment: dict[str, str]
    flavor: str
    timeout_seconds: int
    attempts: int
    docker_image: str | None = None
    space_id: str | None = None
    secret_names: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_spec(body: Mapping[str, Any], default_timeout: int) -> tuple[JobSpec, dict[str, str], dict[str, str]]:
    """(spec, secrets, labels) of a request body. Raises: Refusal 400 with the field that is wrong."""
    for name, why in (
        ("volumes", "Volumes cannot be mounted on this machine; download what the job needs inside it."),
        ("expose", "Ports are not exposed here; a job on this machine can listen on loopback itself."),
        ("ssh", "SSH into a job is not offered here: it runs on the machine you are on."),
        ("network", "Network groups are not offered here."),
        ("resourceGroupId", "There are no resource groups here."),
    ):
        if body.get(name):
            raise Refusal(400, why, "NotOfferedHere")
    secrets = _variables(body, "secrets")
    image, space = body.get("dockerImage"), body.get("spaceId")
    if not all(one is None or isinstance(one, str) for one in (image, space)) or bool(image) == bool(space):
        raise Refusal(400, "Give either dockerImage or spaceId.")
    flavor = body.get("flavor") or "cpu-basic"
    if flavor not in flavors():
        raise Refusal(400, f"Unknown flavor {str(flavor)[:100]!r}. Known: {', '.join(flavors())}.")
    command = _texts(body, "command")
    if not command:
        raise Refusal(400, "command must be a list with at least one text.")
    spec = JobSpec(
        command=command,
        arguments=_texts(body, "arguments"),
        environment=_variables(body, "environment"),
        flavor=str(flavor),
        timeout_seconds=_whole(body, "timeoutSeconds", default_timeout),
        attempts=_whole(body, "attempts", 1),
        docker_image=image or None,
        space_id=space or None,
        secret_names=sorted(secrets),
    )
    return spec, secrets, read_labels(body.get("labels") or {})


def read_labels(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise Refusal(400, "labels must be an object of texts.")
    for key, label in value.items():
        if not _LABEL.fullmatch(str(key)) or not isinstance(label, str) or not _LABEL_VALUE.fullmatch(label):
            raise Refusal(400, f"Label {str(key)[:100]!r}: keys and values are at most 100 of A-Z a-z 0-9 _ -.")
    return dict(value)


def _texts(body: Mapping[str, Any], name: str) -> list[str]:
    value = body.get(name) or []
    if not isinstance(value, list) or not all(isinstance(part, str) and "\0" not in part for part in value):
        raise Refusal(400, f"{name} must be a list of texts.")
    return list(value)


def _variables(body: Mapping[str, Any], name: str) -> dict[str, str]:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise Refusal(400, f"{name} must be an object of texts.")
    for key, text in value.items():
        # A secret's value is not quoted back.
        if not _VARIABLE.fullmatch(str(key)) or not isinstance(text, str) or "\0" in text:
            raise Refusal(400, f"{name}: {str(key)[:100]!r} is not a variable with a text.")
    return dict(value)


def _whole(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < 10**9:
        raise Refusal(400, f"{name} must be a number of at least 1.")
    return round(value)
