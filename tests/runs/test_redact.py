"""Tokens never reach a file."""

from __future__ import annotations

import pytest

from workbench.runs.redact import HIDDEN, Redactor


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token=hf_" + "aB3" * 12, f"token={HIDDEN}"),
        ("https://user:hf_" + "x" * 34 + "@huggingface.co/a/b", f"https://user:{HIDDEN}@huggingface.co/a/b"),
        ("hf_oauth_" + "eyJhbGciOi.J9_-abc" * 2, HIDDEN),
        ("using hf_transfer and hf_xet, hf_hub_download()", "using hf_transfer and hf_xet, hf_hub_download()"),
        ("nothing here", "nothing here"),
    ],
)
def test_anything_shaped_like_a_token_is_hidden(text: str, expected: str) -> None:
    assert Redactor()(text) == expected


def test_known_values_are_hidden_whatever_their_shape() -> None:
    redact = Redactor(["my-private-token", "my-private-token-longer", None, "", "short"])
    assert redact("a my-private-token-longer b my-private-token c short") == f"a {HIDDEN} b {HIDDEN} c short"
    assert "private" not in repr(redact)
