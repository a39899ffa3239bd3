"""What docs/extending.md shows works: as a distribution beside bench, and as one new file each in the house."""

import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs" / "extending.md").read_text()
FILES = dict(re.findall(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
STUDY = ("run", "--profile", "rings.toml", "--device", "cpu", "--nodes", "1", "--when-busy", "share")


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def install(folder: Path, entry_points: dict[str, dict[str, str]], name: str = "bench-extras") -> None:
    """What an installer leaves of a distribution beside its modules."""
    lines = [
        line
        for group, points in entry_points.items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
    ]
    about = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    write(
        about,
        {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
            "entry_points.txt": "\n".join(lines) + "\n",
        },
    )


@pytest.fixture
def extras(tmp_path) -> Path:
    """A folder for PYTHONPATH in which bench-extras is installed; the model and the profile lie beside the user."""
    site = tmp_path / "site"
    write(site, {name: text for name, text in FILES.items() if name.startswith("bench_extras/")})
    write(tmp_path, {name: FILES[name] for name in ("my_net.py", "rings.toml")})
    install(site, tomllib.loads(FILES["pyproject.toml"])["project"]["entry-points"])
    return site


def test_what_another_distribution_brings_is_used_by_name_and_written_down(extras, run_bench, tmp_path):
    def bench(*words: str):
        ran = run_bench(*words, cwd=tmp_path, PYTHONPATH=str(extras), RESTED_S="0.1")
        assert ran.code == 0, ran
        return ran

    ran = bench(*STUDY, "--launcher", "rested", "--json")
    assert [row["launches"] for row in ran.json["rows"]] == [1]
    launch = bench("show", "@last.r00p00", "--json").json["shown"][0]
    assert launch["launch"]["launcher"] == "rested"
    assert json.loads(launch["dna"]["software"] if isinstance(launch["dna"]["software"], str) else "{}")
