"""A new file is found by the names it gives itself."""

from types import SimpleNamespace

import pytest

from bench.learn import naming


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(naming, "HERE", tmp_path)
    naming.files.cache_clear()
    yield tmp_path / "models"
    naming.files.cache_clear()


def test_a_new_file_is_found_without_being_imported(folder):
    folder.mkdir()
    (folder / "mine.py").write_text(
        "raise SystemExit\n@named('a', 'b')\ndef make(): ...\n@other('c')\ndef not_it(): ...\n"
    )
    assert naming.files("models") == {"a": folder / "mine.py", "b": folder / "mine.py"}


def test_two_files_cannot_claim_one_name(folder):
    folder.mkdir()
    for name in ("one.py", "two.py"):
        (folder / name).write_text("@named('a')\ndef make(): ...\n")
    with pytest.raises(ValueError, match=r"two\.py and one\.py both claim the name 'a'"):
        naming.files("models")


def test_the_function_behind_a_name_is_the_one_that_carries_it():
    assert naming.function("models", "wrn-28-10").__name__ == "wideresnet"
    assert naming.function("sources", "cifar100").__name__ == "cifar100"


def test_a_class_with_names_of_its_own_is_not_in_the_way(folder, monkeypatch):
    folder.mkdir()
    (folder / "mine.py").write_text("@named('a')\ndef make(): ...\n")
    imported = type("Tensor", (), {"names": property()})
    module = SimpleNamespace(Tensor=imported, make=naming.named("a")(lambda: "made"))
    monkeypatch.setattr(naming, "import_module", lambda _: module)
    assert naming.function("models", "a")() == "made"
