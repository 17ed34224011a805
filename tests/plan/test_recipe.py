"""Recipe files: what is written is read back the same, and every mistake is named by its key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plan.making import mapped, recipe
from workbench.data.mapping import ROLES_OF, ColumnMapping
from workbench.errors import RecipeError
from workbench.plan.recipe import Recipe, dumps, load, parse, save

# Text as it may stand in a TOML string: anything but lone surrogates and control characters.
_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
_WORD = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
_ID = st.builds("{}/{}".format, _WORD, _WORD)


@st.composite
def mappings(draw: st.DrawFn) -> ColumnMapping:
    shape = draw(st.sampled_from(sorted(ROLES_OF)))
    needed, possible = ROLES_OF[shape]
    roles = [*needed, *draw(st.lists(st.sampled_from(possible), unique=True) if possible else st.just([]))]
    scalar = st.one_of(st.booleans(), st.integers(-(2**31), 2**31), st.floats(-1e6, 1e6), _TEXT)
    return ColumnMapping(
        shape=shape,
        columns={role: draw(_TEXT) for role in roles},
        system=draw(st.one_of(st.just(""), _TEXT)),
        options=draw(st.dictionaries(_WORD, scalar, max_size=3)),
    )


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    data: dict[str, Any] = {
        "name": draw(st.one_of(st.just(""), _TEXT)),
        "method": draw(st.sampled_from(["sft", "dpo", "kto", "reward", "grpo", "prm"])),
        "model": {"id": draw(_ID), "revision": draw(_WORD)},
        "dataset": {"id": draw(_ID), "config": draw(_WORD), "split": draw(_WORD), "rows": draw(st.integers(0, 10**9))},
        "lora": {
            "rank": draw(st.integers(1, 1024)),
            "alpha": draw(st.integers(1, 4096)),
            "dropout": draw(st.floats(0, 0.99)),
            "targets": draw(st.one_of(st.just("all-linear"), st.lists(_WORD, min_size=1, max_size=7))),
            "rslora": draw(st.booleans()),
        },
        "training": {
            "quantization": draw(st.sampled_from(["4bit", "8bit", "none"])),
            "max_length": draw(st.integers(8, 1_048_576)),
            "learning_rate": draw(st.floats(1e-12, 1)),
            "epochs": draw(st.floats(1e-3, 1000)),
            "warmup": draw(st.floats(0, 0.99)),
        },
        "evaluation": {"fraction": draw(st.floats(0, 0.89)), "split": draw(st.one_of(st.just(""), _WORD))},
        "output": {"private": draw(st.booleans())},
        "job": {"cap_usd": draw(st.floats(0, 1e6)), "timeout_minutes": draw(st.integers(1, 10_080))},
    }
    made = parse(data, where="drawn")
    return made.changed("mapping", draw(mappings())) if draw(st.booleans()) else made


@given(recipes())
def test_toml_brings_back_the_same_recipe(made: Recipe) -> None:
    import tomllib

    assert parse(tomllib.loads(dumps(made)), where="round trip") == made


@given(recipes())
def test_json_brings_back_the_same_recipe(made: Recipe) -> None:
    assert parse(json.loads(json.dumps(made.as_dict())), where="round trip") == made


def test_a_file_is_saved_and_loaded(tmp_path: Path) -> None:
    made = mapped(recipe(lora__rank=64, job__flavor="l4x1"))
    path = tmp_path / "new" / "folder" / "recipe.toml"
    save(made, path)
    assert load(path) == made
    assert "[lora]" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "model: is missing; dataset: is missing"),
        ({"training": {"learnig_rate": 1}}, "training.learnig_rate: there is no such key"),
        ({"loar": {}}, "loar: there is no such key"),
        ({"lora": {"rank": 0}}, "lora.rank: Input should be greater than or equal to 1 (given: 0)"),
        ({"lora": {"rank": "many"}}, "lora.rank: "),
        ({"lora": {"targets": "q_proj"}}, "lora.targets"),
        ({"training": {"quantization": "2bit"}}, "training.quantization: "),
        ({"training": {"learning_rate": 5}}, "training.learning_rate: "),
        ({"job": {"flavor": "A10G small"}}, "job.flavor: 'A10G small' is no flavor name (like a10g-small)"),
        ({"model": {"id": "a/b/c"}}, "model.id: 'a/b/c' is no repo id (owner/name)"),
        ({"version": 2}, "version: "),
        ({"evaluation": {"patience": 3, "fraction": 0}}, "evaluation.patience needs an eval split"),
        ({"mapping": {"shape": "poem", "columns": {}}}, "mapping.shape: "),
    ],
)
def test_every_mistake_is_named(data: dict[str, Any], said: str) -> None:
    whole: dict[str, Any] = {} if not data else {"model": {"id": "a/b"}, "dataset": {"id": "c/d"}}
    with pytest.raises(RecipeError) as caught:
        parse(whole | data, where="mine.toml")
    assert caught.value.where == "mine.toml"
    assert said in caught.value.what
    assert "\n" not in caught.value.sentence()
    assert "pydantic" not in caught.value.sentence()


def test_several_mistakes_are_told_at_once() -> None:
    with pytest.raises(RecipeError) as caught:
        parse({"model": {"id": "a/b"}, "dataset": {"id": "c/d"}, "lora": {"rank": 0, "alpha": 0}}, where="x")
    assert "lora.rank" in caught.value.what
    assert "lora.alpha" in caught.value.what


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    with pytest.raises(RecipeError, match="no such recipe file"):
        load(missing)
    broken = tmp_path / "broken.toml"
    broken.write_text('name = "x"\nmethod = sft\n', encoding="utf-8")
    with pytest.raises(RecipeError, match="line 2"):
        load(broken)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'name = "\xe9"\n')
    with pytest.raises(RecipeError, match="not UTF-8"):
        load(latin)
    with pytest.raises(RecipeError, match="cannot be read"):
        load(tmp_path)


def test_changing_one_key() -> None:
    made = recipe()
    assert made.changed("lora.rank", 64).lora.rank == 64
    assert made.lora.rank == 16
    assert made.changed("training.batch", "4").training.batch == 4
    with_options = mapped(made).changed("mapping.options.turns", "alternate").changed("mapping.columns.system", "sys")
    assert with_options.mapping is not None
    assert with_options.mapping.options == {"turns": "alternate"}
    assert with_options.mapping.columns["system"] == "sys"


@pytest.mark.parametrize("key", ["lora.rnak", "nothing", "lora.rank.deep", "", "mapping.colums.x"])
def test_changing_a_key_that_is_not_there(key: str) -> None:
    with pytest.raises(RecipeError, match="there is no"):
        recipe().changed(key, 1)


def test_changing_to_a_wrong_value_names_the_key() -> None:
    with pytest.raises(RecipeError, match=r"training\.batch"):
        recipe().changed("training.batch", 0)


def test_a_mapping_says_what_it_lacks() -> None:
    assert ColumnMapping(shape="preference", columns={"chosen": "good"}).missing() == ("rejected",)
