"""Tiny real tokenizers for the tests: a byte-level BPE trained on the spot, under chat templates of the known families.

The templates are written for these tests. They copy the habits that make masks go wrong: a system role that is refused
or left out, reasoning that is dropped from earlier turns, answers that no special token ends.
"""

from __future__ import annotations

from functools import cache
from typing import Any

LLAMA = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Reasoning is kept in the last answer only, and an answer without any gets an empty block – as in Qwen3.
THINKING = (
    "{% for m in messages %}"
    "{% if m.role == 'assistant' %}"
    "{% set answer = m.content.split('</think>')[-1].lstrip('\n') %}"
    "{% set thought = m.content.split('</think>')[0].split('<think>')[-1].strip('\n') %}"
    "{% set thought = thought if '</think>' in m.content else '' %}"
    "<|im_start|>assistant\n{% if loop.last %}<think>\n{{ thought }}\n</think>\n\n{% endif %}{{ answer }}"
    "{% for c in m.tool_calls or [] %}<tool_call>\n{{ c.function | tojson }}\n</tool_call>{% endfor %}<|im_end|>\n"
    "{% else %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
    "{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ m['content'] | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
# Says itself what is generated, but leaves the end of the turn out of it.
GENERATION = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
    "{% else %}{{ m.content }}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Leaves the system turn out without a word, knows no generation prompt, ends no turn.
INSTRUCT = (
    "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content }}{% endif %}{% endfor %}"
)

TEMPLATES = {
    "llama": LLAMA,
    "chatml": CHATML,
    "thinking": THINKING,
    "gemma": GEMMA,
    "generation": GENERATION,
    "instruct": INSTRUCT,
    "none": None,
}
SPECIAL = [
    "<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
    "<start_of_turn>", "<end_of_turn>", "<tool_call>", "</tool_call>",
]  # fmt: skip
EOS = {"chatml": "<|im_end|>", "thinking": "<|im_end|>", "generation": "<|im_end|>", "llama": "<|eot_id|>"}


@cache
def tokenizer(kind: str) -> Any:
    """A fast tokenizer of transformers with the template of that name."""
    from transformers import PreTrainedTokenizerFast

    made = PreTrainedTokenizerFast(
        tokenizer_object=_trained(), bos_token="<s>", eos_token=EOS.get(kind, "</s>"), pad_token="<pad>"
    )
    made.chat_template = TEMPLATES[kind]
    return made


def _trained() -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False,
        special_tokens=SPECIAL,
    )  # fmt: skip
    made.train_from_iterator(["What is two plus three? It is five.", "user assistant system model think"] * 3, trainer)
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return made


def trained_text(encoded: Any, tokenizer: Any) -> str:
    """The trained tokens, decoded; "¦" where an untrained one stands between two trained ones."""
    pieces, gap = [], False
    for token, trained in zip(encoded.input_ids, encoded.trained, strict=True):
        if trained:
            pieces.append(("¦" if gap and pieces else "") + tokenizer.decode([token]))
        gap = not trained
    return "".join(pieces)
