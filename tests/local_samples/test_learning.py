"""The point of the samples: a LoRA of rank 16 visibly learns. Plain PEFT and a plain loop, so that it takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.local import samples

STEPS, BATCH = 40, 8


def encode(tokenizer: Any, rows: Any) -> Any:
    """A right-padded batch; only the last assistant turn is trained on."""
    import torch

    lines, labels = [], []
    for row in rows:
        whole = tokenizer.apply_chat_template(row["messages"], return_dict=True)["input_ids"]
        start = tokenizer.apply_chat_template(row["messages"][:-1], add_generation_prompt=True, return_dict=True)
        cut = len(start["input_ids"])
        lines.append(torch.tensor(whole))
        labels.append(torch.tensor([-100] * cut + whole[cut:]))
    pad = torch.nn.utils.rnn.pad_sequence
    ids = pad(lines, batch_first=True, padding_value=tokenizer.pad_token_id)
    mask = pad([torch.ones_like(line) for line in lines], batch_first=True)
    return {"input_ids": ids, "attention_mask": mask, "labels": pad(labels, batch_first=True, padding_value=-100)}


@pytest.mark.training
@pytest.mark.parametrize("name", ["tiny-llama-2M", "tiny-qwen3-2M"])
def test_a_lora_learns_the_easy_dataset(built: Path, load: Callable[..., Any], name: str) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    folder = str(built / "models" / "sample-lab" / name)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    base = AutoModelForCausalLM.from_pretrained(folder)
    model = get_peft_model(base, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
    data = load(samples.EASY_DATASET.split("/")[1])
    held_out = encode(tokenizer, data["test"].select(range(60)))

    def evaluated() -> float:
        model.eval()
        with torch.no_grad():
            return float(model(**held_out).loss)

    before = evaluated()
    optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=2e-3)
    model.train()
    for step in range(STEPS):
        batch = encode(tokenizer, data["train"].select(range(step * BATCH, (step + 1) * BATCH)))
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    after = evaluated()
    assert before > 2.5, before
    assert after < before / 2, (before, after)
