"""What of the loaded modules is the user's, and what becomes of a file that is edited."""

import importlib
import sys
import zipfile

import pytest

from bench.worker import source
from bench.worker.source import Loaded


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder of the user's, first on the path; what is imported from it is gone afterwards."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]
    importlib.invalidate_caches()


def loaded(*names):
    importlib.invalidate_caches()
    for name in names:
        importlib.import_module(name)
    seen = Loaded()
    seen.look()
    return seen


def ours(seen):
    return {name for name in seen.files if name.startswith(("srcs_", "site-packages"))}


def test_files_of_the_user_count_by_the_name_of_their_module_and_those_of_others_do_not(work):
    (work / "srcs_pkg" / "sub").mkdir(parents=True)
    (work / "srcs_pkg" / "__init__.py").write_text("")
    (work / "srcs_pkg" / "sub" / "net.py").write_text("import json, bench, pytest\n")
    seen = loaded("srcs_pkg.sub.net")
    assert ours(seen) == {"srcs_pkg/__init__.py", "srcs_pkg/sub/net.py"}
    assert not [name for name in seen.files if name.startswith(("json", "bench/", "pytest", "_pytest"))]


def test_an_installed_package_is_not_the_users(work, monkeypatch):
    place = work / "lib" / "site-packages"
    place.mkdir(parents=True)
    (place / "srcs_installed.py").write_text("")
    monkeypatch.syspath_prepend(place)
    assert ours(loaded("srcs_installed")) == set()


def test_the_same_content_is_the_same_wherever_it_lies_and_one_byte_is_another(work):
    (work / "srcs_a.py").write_text("x = 1\n")
    (work / "srcs_b.py").write_text("x = 1\n")
    (work / "srcs_c.py").write_text("x = 1 \n")
    files = loaded("srcs_a", "srcs_b", "srcs_c").files
    assert files["srcs_a.py"] == files["srcs_b.py"] != files["srcs_c.py"]


def test_a_file_that_is_edited_after_it_was_loaded_keeps_what_was_loaded_and_is_named(work):
    (work / "srcs_net.py").write_text("x = 1\n")
    seen = loaded("srcs_net")
    before = seen.files["srcs_net.py"]
    (work / "srcs_net.py").write_text("x = 2\n")
    seen.look()
    assert (seen.files["srcs_net.py"], seen.edited) == (before, {"srcs_net.py"})


def test_a_link_that_is_switched_is_another_content(work):
    for version in ("v1", "v2"):
        (work / version).mkdir()
        (work / version / "net.py").write_text(f"x = {version!r}\n")
    (work / "srcs_link.py").symlink_to(work / "v1" / "net.py")
    seen = loaded("srcs_link")
    (work / "srcs_link.py").unlink()
    (work / "srcs_link.py").symlink_to(work / "v2" / "net.py")
    seen.look()
    assert seen.edited == {"srcs_link.py"}


def test_what_is_imported_only_when_it_is_needed_is_found_at_the_second_look(work):
    (work / "srcs_first.py").write_text("")
    (work / "srcs_late.py").write_text("")
    seen = loaded("srcs_first")
    importlib.import_module("srcs_late")
    seen.look()
    assert ours(seen) == {"srcs_first.py", "srcs_late.py"}


def test_a_module_in_an_archive_counts_as_the_archive(work, monkeypatch):
    with zipfile.ZipFile(work / "srcs.zip", "w") as archive:
        archive.writestr("srcs_zipped.py", "x = 1\n")
    monkeypatch.syspath_prepend(work / "srcs.zip")
    files = loaded("srcs_zipped").files
    assert files["srcs_zipped.py"] != "gone"


def test_a_folder_called_like_the_standard_library_is_the_users_all_the_same():
    assert not source.is_users(sys.modules["json"].__file__)
    assert source.is_users(sys.modules["json"].__file__.replace("/json/", "-of-mine/json/"))
