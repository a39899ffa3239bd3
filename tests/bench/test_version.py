"""There is one version, and everything that says one says that."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from click.testing import CliRunner

import bench
from bench.cli import group

REPOSITORY = Path(__file__).parents[2]


def test_the_version_is_written_in_one_place_and_the_metadata_are_built_from_it():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["hatch"]["version"]["path"] == "bench/version.py"
    assert importlib.metadata.version("scaling-bench") == bench.__version__


def test_the_command_says_the_version():
    assert CliRunner().invoke(group, ["--version"]).output == f"bench {bench.__version__}\n"


def test_a_source_tree_that_was_never_installed_says_its_version():
    code = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import bench; print(bench.__version__)"
    # Without the site's packages there is no metadata of an installation to be found.
    said = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == bench.__version__


def test_the_changelog_knows_the_version_or_has_changes_that_wait_for_it():
    headings = re.findall(r"^## \[([^\]]+)\]", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert bench.__version__ in headings or headings[0] == "Unreleased"
