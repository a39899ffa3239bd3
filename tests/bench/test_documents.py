"""A noun is read back from its own document: by its type hints, whoever wrote it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import pytest

from bench.documents import noun_of


@dataclass(frozen=True, kw_only=True)
class Leaf:
    name: str
    shape: tuple[int, int] | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tree:
    first: Leaf
    second: Leaf | None = None
    rest: tuple[Leaf, ...] = ()
    listed: list[Leaf] = field(default_factory=list)
    by_name: Mapping[str, Leaf] = field(default_factory=dict)
    by_number: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    pairs: tuple[tuple[str, str], ...] = ()
    free: Mapping[str, object] = field(default_factory=dict)
    length_s: float = 1.0


WHOLE = Tree(
    first=Leaf(name="a", shape=(1, 2), words=("x", "y")),
    second=Leaf(name="b"),
    rest=(Leaf(name="c", words=("z",)), Leaf(name="d")),
    listed=[Leaf(name="e", shape=(3, 4))],
    by_name={"f": Leaf(name="f", words=("w",))},
    by_number={7: (0.5, 1.5)},
    pairs=(("what", "why"),),
    free={"a list": [1, 2], "stays": {"one": []}},
)


def again(noun):
    return json.loads(json.dumps(asdict(noun)))


def test_a_noun_comes_back_equal_from_json_which_has_neither_tuples_nor_whole_keys():
    assert noun_of(Tree, again(WHOLE)) == WHOLE


def test_what_is_missing_takes_its_default_as_older_versions_did_not_write_it():
    assert noun_of(Tree, {"first": {"name": "a"}}) == Tree(first=Leaf(name="a"))


def test_a_whole_number_that_stands_for_a_length_is_written_as_it_was_read():
    document = again(WHOLE) | {"length_s": 2}
    assert json.dumps(asdict(noun_of(Tree, document))) == json.dumps(document)


@pytest.mark.parametrize(
    "document",
    [
        {"first": {"name": "a"}, "of_tomorrow": 1},
        {"first": {"name": "a", "of_tomorrow": 1}},
        {"second": {"name": "a"}},
        {"first": ["name", "a"]},
        {"first": {"name": "a"}, "rest": 5},
        {"first": {"name": "a"}, "rest": ["a"]},
        {"first": {"name": "a"}, "by_number": [1]},
        ["first"],
        None,
    ],
)
def test_what_is_no_such_document_is_refused(document):
    with pytest.raises(TypeError):
        noun_of(Tree, document)


def test_a_key_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="invalid literal"):
        noun_of(Tree, {"first": {"name": "a"}, "by_number": {"seven": [1, 2]}})
