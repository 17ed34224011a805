"""Who we are, and what the token may do (hub-contract §1)."""

from __future__ import annotations

from typing import Any

from workbench.hub.client import Hub, hub_errors
from workbench.hub.records import Identity


def whoami(hub: Hub) -> Identity:
    """The account behind the token. The endpoint is rate limited hard: ask once and keep the answer.

    Raises:
        HubError: not signed in (401), asked too often (429), or no answer.
    """
    with hub_errors("signing in"):
        data = hub.api.whoami(cache=True)
    return identity_from_wire(data)


def identity_from_wire(data: dict[str, Any]) -> Identity:
    """`whoami-v2` → Identity. Only `name` is sure to be there."""
    token = (data.get("auth") or {}).get("accessToken") or {}
    fine = token.get("fineGrained") or {}
    scopes: list[str] = [f"*:{permission}" for permission in fine.get("global") or ()]
    for scope in fine.get("scoped") or ():
        entity = scope.get("entity") or {}
        scopes += [f"{entity.get('name', '')}:{permission}" for permission in scope.get("permissions") or ()]
    return Identity(
        name=str(data.get("name") or ""),
        fullname=str(data.get("fullname") or ""),
        orgs=tuple(str(org.get("name")) for org in data.get("orgs") or () if org.get("name")),
        can_pay=bool(data.get("canPay")),
        role=str(token.get("role") or ""),
        scopes=tuple(scopes),
    )


def may(identity: Identity, permission: str, namespace: str) -> bool | None:
    """Whether the token may do `permission` ("job.write", "repo.write") in `namespace`; None = the Hub does not say.

    A "write" token may do everything its account may, a "read" token may write nothing.
    """
    if namespace not in (identity.name, *identity.orgs):
        return False
    if identity.role == "write":
        return True
    if identity.role == "read":
        return not permission.endswith("write")
    if identity.role == "fineGrained":
        return f"{namespace}:{permission}" in identity.scopes or f"*:{permission}" in identity.scopes
    return None
