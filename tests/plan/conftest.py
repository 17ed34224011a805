"""Shared facts of this room's tests."""

from __future__ import annotations

import pytest

from workbench.plan.anatomy import Anatomy, anatomy_from


@pytest.fixture
def tiny() -> Anatomy:
    """A Llama of two million parameters, small enough to train on CPU cores."""
    return anatomy_from(
        {
            "model_type": "llama",
            "hidden_size": 256,
            "num_hidden_layers": 2,
            "intermediate_size": 512,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "vocab_size": 1536,
            "max_position_embeddings": 1024,
            "tie_word_embeddings": False,
            "dtype": "float32",
        },
        None,
        model_id="sample/tiny-llama-2M",
    )
