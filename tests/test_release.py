"""make release, rehearsed in a clone: what may be a release is tagged and built, the rest refused, nothing uploaded."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bench

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[1]
UV = shutil.which("uv") or str(REPOSITORY / ".uv/bin/uv")
SECTION = f"## [{bench.__version__}] - 2026-01-31\n\n### Added\n\n- A first one.\n\n"


def git(folder: Path, *words: str) -> str:
    named = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    ran = subprocess.run(["git", *named, *words], cwd=folder, capture_output=True, text=True, check=True)
    return ran.stdout


def released(folder: Path) -> subprocess.CompletedProcess[str]:
    committer = {"GIT_COMMITTER_NAME": "Somebody", "GIT_COMMITTER_EMAIL": "somebody@example.org"}
    return subprocess.run(
        [sys.executable, ".ci/release", UV],
        cwd=folder,
        env=os.environ | committer,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The last commit in a folder of its own, with a changelog that has a section for the version."""
    folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--no-tags", str(REPOSITORY), str(folder))
    page = folder / "CHANGELOG.md"
    page.write_text(page.read_text().replace("## [Unreleased]\n", f"## [Unreleased]\n\n{SECTION}", 1))
    git(folder, "commit", "--quiet", "--all", "--message", "A section")
    return folder


def test_a_clean_tree_with_its_section_is_tagged_and_built(clone: Path):
    ran = released(clone)
    assert ran.returncode == 0, ran.stderr
    tag = f"v{bench.__version__}"
    assert git(clone, "tag").split() == [tag]
    assert git(clone, "tag", "--list", "--format=%(contents)", tag).startswith(
        f"bench {tag[1:]}\n\n### Added\n\n- A first"
    )
    assert {file.suffix for file in (clone / "dist").iterdir()} >= {".whl", ".gz"}
    assert not git(clone, "status", "--porcelain")
    assert "Nothing was uploaded" in ran.stdout
    assert f"git push origin {tag}" in ran.stdout
    assert not git(REPOSITORY, "tag", "--list", tag)

    again = released(clone)
    assert again.returncode == 1
    assert f"{tag} is tagged already" in again.stderr


def test_a_tree_with_changes_is_refused(clone: Path):
    (clone / "README.md").write_text("else")
    ran = released(clone)
    assert ran.returncode == 1
    assert "README.md" in ran.stderr
    assert not git(clone, "tag")


def test_a_version_without_a_section_of_its_own_is_refused(clone: Path):
    page = clone / "CHANGELOG.md"
    page.write_text(page.read_text().replace(SECTION, ""))
    git(clone, "commit", "--quiet", "--all", "--message", "No section")
    ran = released(clone)
    assert ran.returncode == 1
    assert f"not that of {bench.__version__}" in ran.stderr
    assert not git(clone, "tag")
