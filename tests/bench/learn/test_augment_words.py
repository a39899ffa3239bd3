"""What an augmentation may be called."""

import pytest

from bench.learn import WorkloadError
from bench.learn.augment_words import Augmentation, parse


def test_words_are_put_into_the_order_in_which_they_are_applied():
    assert [each.name for each in parse(["cutout:4", "jitter", "flip", "crop"])] == ["crop", "flip", "jitter", "cutout"]


def test_a_number_is_the_strength_and_without_one_the_usual_one_holds():
    assert parse(["jitter:0.4", "cutout"]) == (
        Augmentation(name="jitter", strength=0.4),
        Augmentation(name="cutout", strength=8.0),
    )


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("flop", "There are: flip"),
        ("blur", "There are: crop, flip, affine, jitter, hue, cutout"),
        ("flip:0.5", "'flip' takes no number"),
        ("jitter:0", "above 0 and at most 1"),
        ("jitter:much", "as in jitter:0.2"),
        ("hue:0.6", "at most 0.5"),
        ("cutout:2.5", "whole pixels"),
        ("cutout:0", "whole pixels"),
        ("affine:nan", "above 0"),
    ],
)
def test_what_is_wrong_with_a_word_is_told(word, complaint):
    with pytest.raises(WorkloadError, match=complaint):
        parse([word])


def test_a_word_said_twice_is_refused():
    with pytest.raises(WorkloadError, match="'jitter' is there twice"):
        parse(["jitter:0.1", "jitter:0.2"])
