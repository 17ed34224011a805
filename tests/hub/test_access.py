"""What a token may do, from `whoami-v2`."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.hub.access import identity_from_wire, may


def wire(role: str, **token: Any) -> dict[str, Any]:
    return {
        "name": "alice",
        "fullname": "Alice",
        "canPay": True,
        "orgs": [{"name": "acme"}],
        "auth": {"type": "access_token", "accessToken": {"role": role, **token}},
    }


FINE = {
    "fineGrained": {
        "global": ["discussion.write"],
        "scoped": [{"entity": {"name": "acme", "type": "org"}, "permissions": ["job.write", "repo.write"]}],
    }
}


def test_the_record_holds_what_was_said() -> None:
    me = identity_from_wire(wire("fineGrained", **FINE))
    assert (me.name, me.fullname, me.orgs, me.can_pay, me.role) == ("alice", "Alice", ("acme",), True, "fineGrained")
    assert me.scopes == ("*:discussion.write", "acme:job.write", "acme:repo.write")


def test_only_a_name_is_enough() -> None:
    me = identity_from_wire({"name": "alice"})
    assert me.name == "alice"
    assert may(me, "job.write", "alice") is None


@pytest.mark.parametrize(
    ("role", "permission", "namespace", "expected"),
    [
        ("write", "job.write", "alice", True),
        ("write", "job.write", "acme", True),
        ("write", "job.write", "stranger", False),
        ("read", "job.write", "alice", False),
        ("read", "repo.content.read", "alice", True),
        ("fineGrained", "job.write", "acme", True),
        ("fineGrained", "job.write", "alice", False),
        ("fineGrained", "discussion.write", "alice", True),
    ],
)
def test_may(role: str, permission: str, namespace: str, expected: bool) -> None:
    token = FINE if role == "fineGrained" else {}
    assert may(identity_from_wire(wire(role, **token)), permission, namespace) is expected
