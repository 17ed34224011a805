"""Real models' configs, as published in their `config.json` (only the keys that matter for arithmetic).

The parameter counts are the totals of their safetensors headers, as their Hub pages show them.
"""

from __future__ import annotations

from typing import Any

from workbench.plan.anatomy import Anatomy, anatomy_from


def _config(
    model_type: str, hidden: int, layers: int, inner: int, heads: int, kv: int, vocab: int, **more: Any
) -> dict[str, Any]:
    return {
        "model_type": model_type,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "intermediate_size": inner,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "vocab_size": vocab,
        "max_position_embeddings": 32768,
        "torch_dtype": "bfloat16",
        **more,
    }


# name → (config, parameters in the whole model)
CONFIGS: dict[str, tuple[dict[str, Any], int]] = {
    "Llama-3.2-1B": (
        _config("llama", 2048, 16, 8192, 32, 8, 128256, head_dim=64, tie_word_embeddings=True),
        1_235_814_400,
    ),
    "Llama-3.2-3B": (
        _config("llama", 3072, 28, 8192, 24, 8, 128256, head_dim=128, tie_word_embeddings=True),
        3_212_749_824,
    ),
    "Llama-3.1-8B": (_config("llama", 4096, 32, 14336, 32, 8, 128256, tie_word_embeddings=False), 8_030_261_248),
    "Llama-3.3-70B": (_config("llama", 8192, 80, 28672, 64, 8, 128256, tie_word_embeddings=False), 70_553_706_496),
    "Llama-2-7B": (_config("llama", 4096, 32, 11008, 32, 32, 32000, tie_word_embeddings=False), 6_738_415_616),
    "Qwen2.5-0.5B": (_config("qwen2", 896, 24, 4864, 14, 2, 151936, tie_word_embeddings=True), 494_032_768),
    "Qwen2.5-7B": (_config("qwen2", 3584, 28, 18944, 28, 4, 152064, tie_word_embeddings=False), 7_615_616_512),
    "Qwen3-4B": (
        _config("qwen3", 2560, 36, 9728, 32, 8, 151936, head_dim=128, tie_word_embeddings=True),
        4_022_468_096,
    ),
    "Qwen3-8B": (
        _config("qwen3", 4096, 36, 12288, 32, 8, 151936, head_dim=128, tie_word_embeddings=False),
        8_190_735_360,
    ),
    "Qwen3-14B": (
        _config("qwen3", 5120, 40, 17408, 40, 8, 151936, head_dim=128, tie_word_embeddings=False),
        14_768_307_200,
    ),
    "Qwen3-32B": (
        _config("qwen3", 5120, 64, 25600, 64, 8, 151936, head_dim=128, tie_word_embeddings=False),
        32_762_123_264,
    ),
    "Gemma-2-9B": (_config("gemma2", 3584, 42, 14336, 16, 8, 256000, head_dim=256), 9_241_705_984),
    "Mistral-Small-24B": (
        _config("mistral", 5120, 40, 32768, 32, 8, 131072, head_dim=128, tie_word_embeddings=False),
        23_572_403_200,
    ),
    # The text part of Gemma 3 27B (the vision tower adds 0.4 B).
    "Gemma-3-27B": (
        _config("gemma3_text", 5376, 62, 21504, 32, 16, 262208, head_dim=128, tie_word_embeddings=True),
        27_009_346_304,
    ),
    "SmolLM2-135M": (_config("llama", 576, 30, 1536, 9, 3, 49152, tie_word_embeddings=True), 134_515_008),
}


def anatomy(name: str) -> Anatomy:
    return anatomy_from(CONFIGS[name][0], None, model_id=f"sample/{name}")
