"""Cards of the sample models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.local.samples.models import ModelKind

_ABOUT = {
    "llama": "built like Llama 3: grouped-query attention, SwiGLU, rotary positions, a separate output matrix, "
    "and Llama 3's header tokens in the chat template",
    "qwen3": "built like Qwen3: grouped-query attention with normed queries and keys, tied embeddings, "
    "and a ChatML template that knows tools",
    "gemma3": "built like Gemma 3: norms before and after each sublayer, GELU, tied and scaled embeddings, "
    "and Gemma's turn markers – there is no system role",
}


def model_card(kind: ModelKind, owner: str, parameters: int) -> str:
    """What the model is, how it was made, how to load and to tune it, and what not to expect."""
    shape, names = kind.shape, kind.tokenizer
    family = shape.family
    gate = (
        "\n> **Gated.** Its author grants access by hand, and in the demo nobody does: this is what a gated model "
        "looks like from outside.\n"
        if kind.gated
        else ""
    )
    return f"""# {kind.name}

A language model of {parameters / 1e6:.1f} million parameters, {_ABOUT[family]}.
{gate}
It is a **sample made for the workbench's demo**. It was never trained: its weights were written down by a program
from counts of which words follow which, mostly in small talk and stories like those of the datasets named above. So it
babbles: likely words, little sense. A LoRA of rank 16 teaches it one of the sample datasets within a minute on two CPU
cores, and one can watch it learn.

| | |
|---|---|
| parameters | {parameters:,} (float32) |
| layers × width | {shape.num_hidden_layers} × {shape.hidden_size} |
| heads (keys and values) | {shape.num_attention_heads} ({shape.num_key_value_heads}) |
| inner width | {shape.intermediate_size} |
| vocabulary | {shape.vocab_size:,} tokens, byte-pair encoding |
| context | {names.context:,} tokens |
| ends a turn with | `{names.eos}` |
| pads with | `{names.pad}` |

## Use

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{owner}/{kind.name}")
model = AutoModelForCausalLM.from_pretrained("{owner}/{kind.name}")
```

## Fine-tune it

`{owner}/sums-in-words` is the quickest to learn: with rank 16, alpha 32, all linear projections, a learning rate of
0.0002 to 0.002 and 60 steps of 8 to 16 rows, the loss on held-out answers falls from about 4 to about 1. It then says
sums in the right form and often copies the numbers it was asked about; the results stay guesses.

## Limits

It knows nothing. It is for trying out the workbench, and for tests.
"""
