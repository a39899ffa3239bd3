"""What a person may have meant by a word that nobody knows."""

import pytest

from bench import plan
from bench.settings.document import suggestion


@pytest.mark.parametrize(
    ("word", "meant"),
    [("gpu", "cuda"), ("GPU", "cuda"), ("cuda:0", "cuda"), ("CUDA", "cuda"), ("nvidia", "cuda"), ("metal", "mps")],
)
def test_a_device_by_another_name_is_not_taken_for_the_nearest_letters(word, meant):
    error = suggestion(word, ("auto", *plan.DEVICES))
    assert meant in error
    assert "cpu" not in error


def test_a_word_of_another_kind_is_met_by_its_letters_and_a_strange_one_by_none():
    assert suggestion("weka", plan.SCALINGS) == " Did you mean weak?"
    assert suggestion("gpu", plan.SCALINGS) == ""
