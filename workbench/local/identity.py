"""`whoami-v2`: the one account this server knows (hub-contract §1)."""

from __future__ import annotations

import hashlib

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from workbench.local.wire import config_of


def account_id(name: str) -> str:
    """A stable id in the Hub's form, 24 hex digits."""
    return hashlib.sha256(f"account:{name}".encode()).hexdigest()[:24]


async def whoami(request: Request) -> Response:
    config = config_of(request)
    scoped = {
        "entity": {"_id": account_id(config.account), "type": "user", "name": config.account},
        "permissions": ["repo.content.read", "repo.write", "job.write"],
    }
    return JSONResponse(
        {
            "type": "user",
            "id": account_id(config.account),
            "name": config.account,
            "fullname": config.fullname,
            "email": None,
            "emailVerified": False,
            "isPro": False,
            "canPay": True,
            "periodEnd": None,
            "avatarUrl": "",
            "orgs": [],
            "auth": {
                "type": "access_token",
                "accessToken": {
                    "displayName": "this machine",
                    "role": "write",
                    "createdAt": "2026-01-01T00:00:00.000Z",
                    "fineGrained": {"canReadGatedRepos": False, "global": [], "scoped": [scoped]},
                },
            },
        }
    )
