"""The account of a run's data, and how two of them differ."""

from dataclasses import replace

import pytest

from bench.account import Account, LeftOut, PicturesSeen, difference

ACCOUNT = Account(
    name="folder",
    found=101,
    taken=96,
    left_out=(LeftOut(kind="broken links", count=5, example="train/cat/9.png", fix="remove them"),),
    folders={"training": "train", "validation": "val"},
    split="val/ is for validation",
    classes=("cat", "dog"),
    training=(40, 32),
    validation=(12, 12),
    remarks=(("masks/ beside train/ not taken", "it is no part's name"),),
    seen={
        "training": PicturesSeen(sizes={"usual": "28x28"}, modes={"L": 72}, wide=3),
        "validation": PicturesSeen(wide=1),
    },
    shared=2,
    shared_example="val/dog/1.png",
    repeated=4,
)


def test_it_serialises_and_comes_back_whole():
    assert Account.from_json(ACCOUNT.to_json()) == ACCOUNT


def test_it_says_what_the_data_are_and_everything_remarkable_in_a_line_each():
    assert ACCOUNT.summary == (
        "folder: 72 training pictures (train/) and 24 validation pictures (val/) in 2 classes; val/ is for validation"
    )
    assert [what for what, _ in ACCOUNT.notes] == [
        "masks/ beside train/ not taken",
        "left out broken links: 5, as train/cat/9.png",
        "pictures of 16 bits a pixel: 4",
        "validation pictures that are also in training: 2, as val/dog/1.png",
        "training pictures that are copies of others: 4",
    ]
    assert all(fix for _, fix in ACCOUNT.notes)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"classes": ("cat", "eel")}, "2 against 2 classes (dog, eel)"),
        ({"classes": ("dog", "cat")}, "2 against 2 classes, in another order"),
        ({"training": (40, 31)}, "training pictures of dog 32 against 31"),
        ({"validation": (1, 2)}, "validation pictures of cat 12 against 1, dog 12 against 2"),
        ({}, "as many pictures of each class, with other content or in another order"),
    ],
)
def test_two_that_differ_say_in_what(changes, found):
    assert difference(ACCOUNT, replace(ACCOUNT, **changes)) == found
