"""What the model sees: tokens with their states, made by the job's own functions and a real tokenizer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from job_scripts.train import encode, to_training_row
from workbench.data.lengths import LengthSample, measure
from workbench.data.mapping import ColumnMapping
from workbench.data.preview import load_tokenizer, preview, token_texts
from workbench.errors import GatedError, HubError, NotFoundError, WorkbenchError
from workbench.hub.client import Hub

CHAT = ColumnMapping(shape="messages", columns={"messages": "messages"})
PAIR = ColumnMapping(shape="prompt_completion", columns={"prompt": "q", "completion": "a"})
MODELS = ("sample-lab/tiny-qwen3-2M", "sample-lab/tiny-llama-2M")


@pytest.fixture(scope="module")
def tokenizers(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    from workbench.settings import Settings

    hub = Hub(Settings(endpoint=server.url, token=server.token, cache_dir=tmp_path_factory.mktemp("cache")))
    yield {model: load_tokenizer(hub, model) for model in MODELS}


def chat(question: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


@pytest.mark.parametrize("model", MODELS)
def test_the_preview_is_what_the_job_trains_on(tokenizers: dict[str, Any], model: str) -> None:
    tokenizer, row = tokenizers[model], chat("What is two plus two?", "Two plus two is four.")
    seen = preview(row, CHAT, tokenizer, method="sft", max_length=512)
    made = to_training_row(row, CHAT.as_dict(), "sft")
    encoded = encode(made, tokenizer, max_length=512)
    assert seen.training_row == made
    assert [token.id for token in seen.tokens] == list(encoded.input_ids)
    assert [token.state == "trained" for token in seen.tokens] == list(encoded.trained)
    assert (seen.trained, seen.cut, seen.problem) == (sum(encoded.trained), 0, "")
    assert seen.trained + seen.context == len(seen.tokens)
    shown = "".join(token.text for token in seen.tokens if token.state == "trained")
    assert shown.startswith("Two plus two is four.") or "Two plus two is four." in shown
    assert "What is two plus two?" not in shown


@pytest.mark.parametrize("model", MODELS)
def test_texts_join_to_the_decoded_row(tokenizers: dict[str, Any], model: str) -> None:
    tokenizer = tokenizers[model]
    row = chat("Grüße aus 東京 – wie geht's? 👩‍👩‍👧", "Gut 😀!\n\n\tDanke.")
    tokens = preview(row, CHAT, tokenizer, max_length=4096).tokens
    joined = "".join(token.text for token in tokens)
    assert joined == tokenizer.decode([token.id for token in tokens], skip_special_tokens=False)
    assert "👩‍👩‍👧" in joined and "東京" in joined
    assert not any("\ufffd" in token.text for token in tokens)


@settings(max_examples=120, deadline=None)
@given(text=st.text(max_size=60), model=st.sampled_from(MODELS))
def test_any_text_joins(tokenizers: dict[str, Any], text: str, model: str) -> None:
    tokenizer = tokenizers[model]
    ids = tokenizer(text)["input_ids"]
    texts = token_texts(ids, tokenizer)
    assert len(texts) == len(ids)
    assert "".join(texts) == tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), model=st.sampled_from(MODELS))
def test_any_ids_join(tokenizers: dict[str, Any], data: st.DataObject, model: str) -> None:
    """Ids in any order: bytes that form no character at all."""
    tokenizer = tokenizers[model]
    ids = data.draw(st.lists(st.integers(0, len(tokenizer) - 1), max_size=30))
    whole = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    assert "".join(token_texts(ids, tokenizer)) == whole


def test_what_max_length_cuts(tokenizers: dict[str, Any]) -> None:
    tokenizer, row = tokenizers[MODELS[0]], chat("Count to ten.", "one two three four five six seven eight nine ten")
    whole = preview(row, CHAT, tokenizer, max_length=4096)
    first = next(at for at, token in enumerate(whole.tokens) if token.state == "trained")
    part = preview(row, CHAT, tokenizer, max_length=first + 4)
    assert [token.id for token in part.tokens] == [token.id for token in whole.tokens]
    assert part.trained == 4
    assert part.cut == len(whole.tokens) - first - 4
    assert part.problem == ""
    nothing = preview(row, CHAT, tokenizer, max_length=first)
    assert nothing.trained == 0
    assert len(nothing.tokens) == len(whole.tokens)
    assert "nothing is left" in nothing.problem.lower()


def test_loss_on_everything(tokenizers: dict[str, Any]) -> None:
    seen = preview({"q": "Two plus two?", "a": "Four."}, PAIR, tokenizers[MODELS[0]], max_length=512, loss_on="all")
    assert seen.context == 0
    assert seen.trained == len(seen.tokens)


def test_a_row_that_cannot_be_trained_says_why(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers[MODELS[0]]
    assert "empty" in preview({"q": "a", "a": ""}, PAIR, tokenizer, max_length=64).problem
    assert "no column" in preview({"q": "a"}, PAIR, tokenizer, max_length=64).problem
    assert preview({"q": "a", "a": "b \ud800"}, PAIR, tokenizer, max_length=64).problem
    assert preview({"messages": "no turns"}, CHAT, tokenizer, max_length=64).problem.endswith(".")


def test_other_methods_have_a_preview(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers[MODELS[0]]
    both = ColumnMapping(shape="preference", columns={"prompt": "q", "chosen": "a", "rejected": "b"})
    seen = preview({"q": "Two plus two?", "a": "Four.", "b": "Six."}, both, tokenizer, method="dpo", max_length=256)
    assert seen.trained and "Four." in "".join(token.text for token in seen.tokens)
    alone = ColumnMapping(shape="prompt_only", columns={"prompt": "q"})
    seen = preview({"q": "Two plus two?"}, alone, tokenizer, method="grpo", max_length=256)
    assert seen.tokens and seen.trained == 0
    steps = ColumnMapping(shape="stepwise", columns={"prompt": "q", "completions": "s", "labels": "l"})
    seen = preview({"q": "2+2?", "s": ["a", "b"], "l": [True, False]}, steps, tokenizer, method="prm", max_length=256)
    assert seen.tokens and not seen.problem


# --- lengths


def test_lengths_are_the_previews(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers[MODELS[1]]
    sample = [chat("Count.", "one " * n) for n in range(1, 21)] + [{"messages": None}]
    found = measure(sample, CHAT, tokenizer, total_rows=210)
    shown = [preview(row, CHAT, tokenizer, max_length=4096) for row in sample[:20]]
    assert found.lengths == tuple(len(one.tokens) for one in shown)
    assert found.trained == tuple(one.trained for one in shown)
    assert (found.skipped, found.total_rows) == (1, 210)
    limit = found.lengths[9]
    assert found.cut(limit) == 0.5
    expected = sum(min(length, limit) for length in found.lengths) / 20 * 210 * 20 / 21
    assert found.tokens_per_epoch(limit) == pytest.approx(expected)
    prompt = found.first_trained[0]
    assert found.without_target(prompt) == 1.0
    assert found.without_target(prompt + 1) == 0.0


def test_lengths_of_nothing() -> None:
    empty = LengthSample((), ())
    assert empty.tokens_per_epoch(10) is None
    assert (empty.percentile(50), empty.cut(10), empty.error(10), empty.without_target(3)) == (0, 0.0, 0.0, 0.0)
    assert LengthSample((5,), (2,)).tokens_per_epoch(10) is None


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=50), st.integers(1, 6000))
def test_lengths_add_up(lengths: list[int], limit: int) -> None:
    sample = LengthSample(tuple(lengths), tuple(lengths), total_rows=len(lengths))
    assert sample.tokens_per_epoch(limit) == pytest.approx(sum(min(length, limit) for length in lengths))
    assert sample.percentile(0) == min(lengths)
    assert sample.percentile(100) == max(lengths)
    assert min(lengths) <= sample.percentile(50) <= max(lengths)
    assert sample.cut(max(lengths)) == 0.0
    if len(lengths) > 1:
        assert sample.error(limit) == 0.0  # the sample is the whole
        assert not math.isnan(LengthSample(tuple(lengths), tuple(lengths), 10_000).error(limit))


# --- loading


def test_without_torch_the_tokens_are_the_same(hub: Hub, tokenizers: dict[str, Any], tmp_path: Any) -> None:
    """In a process of its own: torch is never loaded, and the template and the ids do not change."""
    import json
    import subprocess
    import sys

    program = (
        "import json, sys\nfrom pathlib import Path\n"
        "from workbench.data import tokenizer\nfrom workbench.hub.client import Hub\n"
        "from workbench.settings import Settings\n"
        "tokenizer.hide_torch()\n"
        "endpoint, token, model, cache = json.loads(sys.stdin.read())\n"
        "settings = Settings(endpoint=endpoint, token=token, cache_dir=Path(cache))\n"
        "found = tokenizer.load_tokenizer(Hub(settings), model)\n"
        "asked = [{'role': 'user', 'content': 'Grüße 😀'}]\n"
        "print(json.dumps([found.apply_chat_template(asked, tokenize=False), found('Grüße 😀').input_ids,\n"
        "    sorted(name for name in sys.modules if name.startswith('torch') and sys.modules[name] is not None)]))\n"
    )
    given_settings = [hub.settings.endpoint, hub.settings.token, MODELS[0], str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(given_settings), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    text, ids, torch_modules = json.loads(done.stdout)
    tokenizer = tokenizers[MODELS[0]]
    assert torch_modules == []
    assert text == tokenizer.apply_chat_template([{"role": "user", "content": "Grüße 😀"}], tokenize=False)
    assert ids == tokenizer("Grüße 😀").input_ids
    assert done.stderr.strip() == ""


def test_the_same_revision_is_the_same_object(hub: Hub) -> None:
    one = load_tokenizer(hub, MODELS[0])
    assert load_tokenizer(hub, MODELS[0]) is one


def test_loading_says_what_is_wrong(hub: Hub) -> None:
    with pytest.raises(GatedError, match="gated"):
        load_tokenizer(hub, "sample-lab/tiny-gemma3-2M")
    with pytest.raises(NotFoundError, match="sample-lab/nothing"):
        load_tokenizer(hub, "sample-lab/nothing")
    with pytest.raises(NotFoundError):
        load_tokenizer(hub, MODELS[0], "no-such-branch")
    with pytest.raises(NotFoundError):
        load_tokenizer(hub, "not an id")


def test_a_model_without_a_tokenizer(hub: Hub) -> None:
    name = f"{hub.namespace()}/bare"
    hub.api.create_repo(name, exist_ok=True)
    hub.api.upload_file(path_or_fileobj=b'{"model_type": "llama"}', path_in_repo="config.json", repo_id=name)
    try:
        with pytest.raises(WorkbenchError, match="no tokenizer files"):
            load_tokenizer(hub, name)
        hub.api.upload_file(path_or_fileobj=b"{broken", path_in_repo="tokenizer.json", repo_id=name)
        with pytest.raises(WorkbenchError, match="cannot be read") as caught:
            load_tokenizer(hub, name)
        assert name in caught.value.sentence()
    finally:
        hub.api.delete_repo(name, missing_ok=True)


def test_a_hub_that_is_down(hub: Hub) -> None:
    from tests.hub.stub import closed

    with pytest.raises(HubError, match="cannot be reached"):
        load_tokenizer(Hub(hub.settings.with_(endpoint=closed())), MODELS[0])
