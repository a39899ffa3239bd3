"""A folder of this machine stays one, whatever is in its name; a URL of another kind is fsspec's to read."""

import os
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.store import index
from bench.store.place import Place
from bench.store.transfer import transfer

NAMES = (
    "a::b",
    "simplecache::x",
    "a b",
    "a#b",
    "a?b",
    "a%20b",
    "a*[b]",
    "data:x",
    "memory:x",
    "ü",
    "a\\b",
    "{a}",
    "c: d",
)


@pytest.mark.parametrize("written", ["{}", "{}/", "./{}", "file://{here}/{}", "{here}/{}"])
@pytest.mark.parametrize("name", NAMES)
def test_a_push_goes_where_it_was_told_to_and_comes_back(tmp_path, monkeypatch, name, written):
    monkeypatch.chdir(tmp_path)
    place = Place.at(written.replace("{here}", str(tmp_path)).replace("{}", name))
    assert place.folder == tmp_path / name
    place.make_store()
    assert [each.name for each in tmp_path.iterdir()] == [name]
    assert place.sizes() == {"FORMAT": (tmp_path / name / "FORMAT").stat().st_size}


def test_a_whole_store_travels_through_a_folder_with_two_colons(filled, tmp_path):
    there = Place.at(str(tmp_path / "lab::2026"))
    assert transfer(Place.at(str(filled.path)), there).launches == 7
    assert index.studies(tmp_path / "lab::2026") == index.studies(filled.path)
    assert transfer(there, Place.at(str(tmp_path / "back"))).launches == 7


def test_home_is_meant_by_a_tilde_and_a_stranger_s_is_left_as_it_is(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Place.at("~/results").folder == tmp_path / "results"
    assert Place.at("~nobody-of-this-name/x").folder == Path.cwd() / "~nobody-of-this-name" / "x"


@pytest.mark.parametrize("url", ["memory://lab/results", "simplecache::memory://lab/results"])
def test_a_url_of_another_kind_is_no_folder(url):
    assert Place.at(url).folder is None


def test_a_kind_that_nobody_knows_is_refused_and_makes_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchError):
        Place.at("nowhere://lab/results")
    assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_a_link_into_itself_is_walked_once(filled, tmp_path):
    (filled.path / "studies" / "loop").symlink_to(filled.path)
    assert len(Place.at(str(filled.path)).sizes()) < 100
