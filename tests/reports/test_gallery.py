"""The gallery is what today's reports make of the stored studies beside it, to the last byte."""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
GALLERY = REPOSITORY / "docs/gallery"

# Torch cannot be imported, strings hash otherwise in each process, and neither locale writes numbers as we do.
WITHOUT_TORCH = """
import runpy, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision"}:
            raise ModuleNotFoundError(f"no {name} on this laptop", name=name)

sys.meta_path.insert(0, NoTorch())
sys.argv = ["build.py", "--check"]
runpy.run_path("docs/gallery/build.py", run_name="__main__")
"""


def pinned(package: str) -> str:
    return re.search(rf"^{package}==(\S+)", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)[1]


@pytest.fixture
def the_pinned_matplotlib() -> None:
    """Another version of matplotlib lays text out otherwise."""
    if "matplotlib==" not in (REPOSITORY / "constraints.txt").read_text():
        return
    if version("matplotlib") != pinned("matplotlib"):
        pytest.skip(f"drawn with matplotlib {pinned('matplotlib')}, and {version('matplotlib')} is here")


@pytest.mark.browser  # of the suite that CI runs when a report may have changed
@pytest.mark.usefixtures("the_pinned_matplotlib")
@pytest.mark.parametrize(("locale", "seed", "zone"), [("C", "1", "UTC"), ("de_DE.UTF-8", "2", "Asia/Tokyo")])
def test_it_is_the_same_in_every_process_locale_and_time_zone_and_needs_no_torch(locale, seed, zone):
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH],
        cwd=REPOSITORY,
        env=os.environ | {"LC_ALL": locale, "LANG": locale, "PYTHONHASHSEED": seed, "TZ": zone},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_every_page_of_it_is_small_enough_and_names_no_machine():
    pages = sorted(GALLERY.glob("*.html"))
    assert [page.name for page in pages] == [
        "scaling.html",
        "side-by-side.html",
        "training.html",
        "weak-and-strong.html",
    ]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        of_one_study = page.name in {"scaling.html", "training.html"}
        assert len(text.encode()) <= (300_000 if of_one_study else 400_000)
        assert not re.search(r"/(?:home|tmp|root|Users)/", text)
