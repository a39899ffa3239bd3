"""What docs/extending.md shows works: from a distribution beside bench, and as one new file each in the house."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

import bench

REPOSITORY = Path(__file__).parents[1]
PAGE = (REPOSITORY / "docs" / "extending.md").read_text()
FILES = dict(re.findall(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
# Example -> where it lies when it is ours.
OURS = {
    "bench_extras/jsonl.py": "bench/exporting/targets/jsonl.py",
    "bench_extras/lines.py": "reports/formats/lines.py",
    "failed_launches.py": "reports/figures/failed_launches.py",
    "bench_extras/rested.py": "launchers/rested.py",
    "bench_extras/rings.py": "bench/learn/sources/rings.py",
    "my_net.py": "bench/learn/models/my_net.py",
    "rings.toml": "profiles/rings.toml",
}
COMMANDS = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)).splitlines()


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A folder with the model and the profile of the page, and where Python finds what extends bench."""

    folder: Path
    path: Path

    def bench(self, *words: str) -> str:
        """Run it; whatever it prints. The test fails where it does."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BENCH_", "PYTHON", "XDG_"))}
        ours = {"HOME": str(self.folder), "PYTHONPATH": str(self.path), "RESTED_S": "0.1", "BENCH_WHEN_BUSY": "share"}
        ran = subprocess.run(
            [sys.executable, "-P", "-m", "scaling_bench", *words],
            cwd=self.folder,
            env=kept | ours,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


def install(site: Path, name: str, entry_points: dict[str, dict[str, str]]) -> None:
    """What an installer leaves of a distribution beside its modules."""
    about = site / f"{name.replace('-', '_')}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"[{group}]\n{key} = {value}\n" for group, each in entry_points.items() for key, value in each.items()]
    (about / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """With the page's distribution beside bench, and the gallery's store to read."""
    folder = tmp_path_factory.mktemp("desk")
    for name, text in FILES.items():
        file = folder / "site" / name if name.startswith("bench_extras/") else folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    install(folder / "site", "bench-extras", tomllib.loads(FILES["pyproject.toml"])["project"]["entry-points"])
    with tarfile.open(REPOSITORY / "docs" / "gallery" / "store.tar.xz") as packed:
        packed.extractall(folder / "bench-results", filter="data")
    return Desk(folder=folder, path=folder / "site")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, installed: Desk) -> Desk:
    """With a copy of our packages, in which each example is one new file."""
    folder = tmp_path_factory.mktemp("house")
    for package in ("bench", "launchers", "profiles", "reports", "scaling_bench"):
        shutil.copytree(REPOSITORY / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, place in OURS.items():
        assert not (folder / place).exists()
        (folder / place).write_text(FILES[name])
    named = "from bench.learn.naming import named\n\n"
    rings, net = folder / OURS["bench_extras/rings.py"], folder / OURS["my_net.py"]
    rings.write_text(rings.read_text().replace("\ndef rings(", f'\n{named}@named("rings")\ndef rings('))
    decorated = f'{named}@named("my-net")\ndef build(name, shape, classes)'
    net.write_text(FILES["my_net.py"].replace("def build()", decorated))
    return Desk(folder=installed.folder, path=folder)


def test_every_example_of_the_page_has_a_place_in_the_house():
    assert {*FILES} - {"pyproject.toml"} == {*OURS}


@pytest.mark.slow  # trains two epochs
def test_the_commands_of_the_page_run_and_the_study_tells_what_it_used(installed):
    shutil.rmtree(installed.folder / "bench-results")
    for command in COMMANDS:
        installed.bench(*command.split()[1:])
    launches = bench.load(installed.folder / "bench-results", "launches")
    assert [*launches.launcher, *launches.data, *launches.status] == ["rested", "rings", "ok"]
    assert '"bench-extras":"1.0"' in bench.load(installed.folder / "bench-results", "dna").software[0]
    assert "samples/s" in next(installed.folder.glob("*.txt")).read_text()


def test_the_launcher_of_the_page_rests_and_then_starts_ranks_as_the_local_one_does(monkeypatch):
    rests, command, watch = [], object(), object()
    rested = types.ModuleType("rested")
    exec(FILES["bench_extras/rested.py"], rested.__dict__)  # noqa: S102 - our own page
    monkeypatch.setattr(rested.time, "sleep", rests.append)
    monkeypatch.setattr(rested.local, "launch", lambda *given: given)
    assert rested.open(None).launch(command, watch) == (command, watch)
    assert rests == [30]


WANTED = [("export", "--to", "jsonl"), ("report", "--format", "lines"), ("run", "--launcher", "rested")]


@pytest.mark.parametrize(("verb", "flag", "name"), [*WANTED, ("run", "--data", "rings")])
@pytest.mark.parametrize("desk", ["installed", "house"])
def test_help_lists_what_is_new(desk, verb, flag, name, request):
    text = " ".join(request.getfixturevalue(desk).bench(verb, "--help").split())
    assert re.search(rf"{flag} [^-].*? Also {name}\.", text)


@pytest.mark.parametrize("desk", ["installed", "house"])
def test_each_is_found_by_its_name(desk, request, tmp_path):
    desk = request.getfixturevalue(desk)
    exported = desk.bench("export", "@last", "--to", "jsonl", "-o", str(tmp_path))
    written = desk.bench("report", "@last", "--format", "lines", "-o", str(tmp_path))
    assert [Path(line).suffix for line in (exported + written).splitlines()] == [".jsonl", ".txt"]
    profile, model = ("rings", "my-net") if desk.path.name.startswith("house") else ("rings.toml", "my_net.py:build")
    words = f"run --profile {profile} --model {model} --device cpu --launcher rested --nodes 1 --dry-run"
    assert "Nothing was started" in desk.bench(*words.split())


def test_a_model_and_a_profile_in_the_house_are_listed(house):
    assert "my-net" in house.bench("models")
    assert "rings " in house.bench("profiles")
