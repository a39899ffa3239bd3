"""What a document may say."""

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from bench.plan import Recipe
from bench.settings.document import Document, RecipeSettings


def test_a_recipe_can_say_what_the_plan_can_hold_and_has_the_same_defaults():
    assert RecipeSettings().model_dump() == {item.name: item.default for item in fields(Recipe)}


@given(st.lists(st.integers(1, 1024), min_size=1))
def test_ranks_read_the_same_from_text_and_from_a_list(ranks):
    listed = Document.model_validate({"scale": {"ranks": ranks}}).scale.ranks
    assert listed == Document.model_validate({"scale": {"ranks": ",".join(map(str, ranks))}}).scale.ranks


@given(st.integers(1, 10_000), st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("", 1)]))
def test_a_length_of_time_is_read_in_its_unit(number, unit):
    letter, seconds = unit
    assert Document.model_validate({"study": {"budget": f"{number}{letter}"}}).study.budget == number * seconds
