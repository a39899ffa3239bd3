"""What a document may say."""

from dataclasses import MISSING, dataclass, fields
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bench.plan import Checkpointing, Published
from bench.recipe import Phase, Recipe
from bench.settings.document import (
    _KINDS,
    Document,
    KeepSettings,
    PhaseSettings,
    PublishedSettings,
    RecipeSettings,
    Section,
    fields_of,
)

NOUNS = {RecipeSettings: Recipe, PhaseSettings: Phase, KeepSettings: Checkpointing, PublishedSettings: Published}


@pytest.mark.parametrize(("table", "noun"), NOUNS.items(), ids=lambda each: each.__name__)
def test_a_table_has_every_field_of_its_noun_in_its_order_with_its_default(table, noun):
    said = {name: ... if field.is_required() else field.default for name, field in table.model_fields.items()}
    held = {field.name: ... if field.default is MISSING else field.default for field in fields(noun)}
    assert list(said.items()) == list(held.items())


def test_a_field_that_a_noun_gains_can_be_said_and_is_checked_by_its_name():
    @dataclass(frozen=True, kw_only=True)
    class Later:
        momentum: float = 0.8
        epochs: int | None = None
        lookahead: bool = False

    @fields_of(Later)
    class LaterSettings(Section):
        """A table."""

    assert LaterSettings().model_dump() == {"momentum": 0.8, "epochs": None, "lookahead": False}
    assert LaterSettings.model_validate({"lookahead": True, "epochs": 3}).epochs == 3
    for wrong in ({"momentum": 1.0}, {"epochs": 0}, {"momentum": None}, {"lookahed": True}):
        with pytest.raises(ValidationError):
            LaterSettings.model_validate(wrong)


@pytest.mark.parametrize("noun", NOUNS.values(), ids=lambda noun: noun.__name__)
def test_words_and_counts_of_a_noun_have_a_kind_beyond_their_type(noun):
    hints = get_type_hints(noun)
    plain = {name for name in hints if name not in {*_KINDS, "phases"}}
    assert {hints[name] for name in plain} <= {bool, float, float | None}


@given(st.lists(st.integers(1, 1024), min_size=1))
def test_ranks_read_the_same_from_text_and_from_a_list(ranks):
    listed = Document.model_validate({"scale": {"ranks": ranks}}).scale.ranks
    assert listed == Document.model_validate({"scale": {"ranks": ",".join(map(str, ranks))}}).scale.ranks


@given(st.integers(1, 10_000), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("", 1)]))
def test_a_length_of_time_is_read_in_its_unit(number, unit):
    letter, seconds = unit
    assert Document.model_validate({"study": {"budget": f"{number}{letter}"}}).study.budget == number * seconds
