"""The sample models load in transformers unchanged, speak in words, and their templates end every turn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

CHAT = [
    {"role": "user", "content": "What is two plus two?"},
    {"role": "assistant", "content": "Two plus two is four."},
    {"role": "user", "content": "And two plus three?"},
    {"role": "assistant", "content": "Two plus three is five."},
]
NAMES = ["tiny-llama-2M", "tiny-qwen3-2M", "tiny-gemma3-2M"]


def folder(built: Path, name: str) -> str:
    return str(built / "models" / "sample-lab" / name)


def tokenizer_of(built: Path, name: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder(built, name))


@pytest.mark.parametrize("name", NAMES)
def test_the_model_loads_whole_and_generates(built: Path, name: str) -> None:
    from transformers import AutoModelForCausalLM

    tokenizer = tokenizer_of(built, name)
    model, report = AutoModelForCausalLM.from_pretrained(folder(built, name), output_loading_info=True)
    assert not any(report.values()), report
    assert len(tokenizer) == model.config.vocab_size
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert model.config.pad_token_id == tokenizer.pad_token_id
    said = f"{model.num_parameters() / 1e6:.1f} million parameters"
    assert said in (Path(folder(built, name)) / "README.md").read_text()

    inputs = tokenizer.apply_chat_template(CHAT[:1], add_generation_prompt=True, return_tensors="pt", return_dict=True)
    output = model.generate(**inputs, max_new_tokens=12, do_sample=False)[0][inputs["input_ids"].shape[1] :]
    assert tokenizer.decode(output, skip_special_tokens=True).strip()


@pytest.mark.parametrize("name", NAMES)
def test_the_untouched_model_knows_the_order_of_words(built: Path, name: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = tokenizer_of(built, name)
    model = AutoModelForCausalLM.from_pretrained(folder(built, name))
    rows = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": text}],
            return_tensors="pt",
            return_dict=True,
        )["input_ids"]
        for text in ("Seven plus five is twelve.", "June has 30 days.", "Three metres are 300 centimetres.")
    ]
    with torch.no_grad():
        loss = sum(float(model(row, labels=row).loss) for row in rows) / len(rows)
        # The same tokens in an order that nobody says.
        shuffled = [row[:, torch.randperm(row.shape[1], generator=torch.manual_seed(0))] for row in rows]
        noise = sum(float(model(row, labels=row).loss) for row in shuffled) / len(rows)
    assert loss < noise - 1.0, (loss, noise)


@pytest.mark.parametrize("name", NAMES)
def test_special_tokens(built: Path, name: str) -> None:
    tokenizer = tokenizer_of(built, name)
    assert tokenizer.eos_token_id is not None
    assert tokenizer.pad_token_id is not None
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert tokenizer.model_max_length == 2048
    assert (tokenizer.bos_token is None) == ("qwen" in name)
    if tokenizer.bos_token:
        assert tokenizer("hello")["input_ids"][0] == tokenizer.bos_token_id


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text", ["What is 3 + 4?", "1,234 naïve cafés – 漢字 🎉", "  two  blanks\n\nand lines", "<0x41>"]
)
def test_any_text_comes_back_as_it_went_in(built: Path, name: str, text: str) -> None:
    tokenizer = tokenizer_of(built, name)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("name", NAMES)
def test_every_assistant_turn_ends_with_eos(built: Path, name: str) -> None:
    tokenizer = tokenizer_of(built, name)
    text = tokenizer.apply_chat_template(CHAT, tokenize=False)
    for turn in CHAT:
        assert f"{turn['content']}{tokenizer.eos_token}" in text
    # The first part is a prefix of the whole: what a trainer relies on when it masks prompts.
    prompt = tokenizer.apply_chat_template(CHAT[:3], tokenize=False, add_generation_prompt=True)
    assert text.startswith(prompt)
    ids = tokenizer.apply_chat_template(CHAT, return_dict=True)["input_ids"]
    assert ids.count(tokenizer.eos_token_id) == len(CHAT)


def test_the_three_templates_differ(built: Path) -> None:
    texts = {name: tokenizer_of(built, name).apply_chat_template(CHAT[:2], tokenize=False) for name in NAMES}
    assert texts["tiny-llama-2M"] == (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWhat is two plus two?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nTwo plus two is four.<|eot_id|>"
    )
    assert texts["tiny-qwen3-2M"] == (
        "<|im_start|>user\nWhat is two plus two?<|im_end|>\n<|im_start|>assistant\nTwo plus two is four.<|im_end|>\n"
    )
    assert texts["tiny-gemma3-2M"] == (
        "<bos><start_of_turn>user\nWhat is two plus two?<end_of_turn>\n"
        "<start_of_turn>model\nTwo plus two is four.<end_of_turn>\n"
    )


def test_system_turns(built: Path) -> None:
    import jinja2

    chat = [{"role": "system", "content": "Be brief."}, *CHAT[:2]]
    for name in NAMES[:2]:
        assert "Be brief." in tokenizer_of(built, name).apply_chat_template(chat, tokenize=False)
    with pytest.raises(jinja2.TemplateError, match="System role not supported"):
        tokenizer_of(built, "tiny-gemma3-2M").apply_chat_template(chat, tokenize=False)


def test_the_qwen_template_renders_tools_calls_and_results(built: Path) -> None:
    path = built / "datasets" / "sample-lab" / "small-tool-calls" / "train.jsonl"
    tokenizer = tokenizer_of(built, "tiny-qwen3-2M")
    called = 0
    for line in path.read_text(encoding="utf-8").splitlines()[:100]:
        row = json.loads(line)
        text = tokenizer.apply_chat_template(row["messages"], tools=row["tools"], tokenize=False)
        for tool in row["tools"]:
            assert json.dumps(tool["function"]["name"]) in text
        for turn in row["messages"]:
            for call in turn.get("tool_calls", []):
                wanted = {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}
                inside = text.split("<tool_call>\n")[1].split("\n</tool_call><|im_end|>")[0]
                assert json.loads(inside) == wanted
                called += 1
            if turn["role"] == "tool":
                assert f"<tool_response>\n{turn['content']}\n</tool_response>" in text
    assert called > 50


@pytest.mark.parametrize("name", NAMES)
def test_config_has_what_a_planner_reads(built: Path, name: str) -> None:
    from safetensors import safe_open

    path = Path(folder(built, name))
    config = json.loads((path / "config.json").read_text())
    shapes = {}
    with safe_open(str(path / "model.safetensors"), framework="np") as tensors:
        for key in tensors.keys():  # noqa: SIM118 - not a mapping
            part = tensors.get_slice(key)
            assert part.get_dtype() == "F32"
            shapes[key] = tuple(part.get_shape())
    hidden, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    layers = {int(key.split(".")[2]) for key in shapes if key.startswith("model.layers.")}
    assert layers == set(range(config["num_hidden_layers"]))
    assert shapes["model.embed_tokens.weight"] == (config["vocab_size"], hidden)
    assert shapes["model.layers.0.self_attn.q_proj.weight"] == (heads * config["head_dim"], hidden)
    keys = config["num_key_value_heads"] * config["head_dim"]
    assert shapes["model.layers.0.self_attn.k_proj.weight"] == (keys, hidden)
    assert shapes["model.layers.0.mlp.down_proj.weight"] == (hidden, inner)
    assert ("lm_head.weight" in shapes) == (not config["tie_word_embeddings"])
    assert config["dtype"] == "float32"
    assert config["max_position_embeddings"] == 2048
    assert config["architectures"][0].endswith("ForCausalLM")
