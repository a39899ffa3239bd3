"""What a user installs: the wheel, in an empty environment, away from the checkout, does what the checkout does.

`WHEEL_PYTHONS="3.11 3.12"` names the Pythons to install it for; without it, the one that runs this.
"""

import email
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import bench

pytestmark = pytest.mark.wheel

REPOSITORY = Path(__file__).parents[2]
PACKAGES = {"bench", "launchers", "profiles", "reports", "scaling_bench"}
PYTHONS = os.environ.get("WHEEL_PYTHONS", "").split() or [f"{sys.version_info.major}.{sys.version_info.minor}"]
UV = shutil.which("uv") or str(REPOSITORY / ".uv/bin/uv")

# What a shell may carry that leads back to the checkout, or away from what a fresh user has.
FOREIGN = ("BENCH_", "PYTHON", "XDG_", "VIRTUAL_ENV", "PIP_", "OMP_")


@dataclass(frozen=True, kw_only=True)
class Built:
    wheel: Path
    sdist: Path


@dataclass(frozen=True, kw_only=True)
class Installed:
    """An environment with the wheel and what it asks for, and a user's empty folder beside it."""

    environment: Path
    folder: Path

    def run(self, *words: str | Path, allowed: tuple[int, ...] = (0,)) -> str:
        """What a program of the environment prints; the test fails where it ends otherwise than allowed."""
        programs = self.environment / "bin"
        own = {"HOME": str(self.folder), "PATH": f"{programs}:/usr/bin:/bin", "BENCH_WHEN_BUSY": "share"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        ran = subprocess.run(
            [programs / words[0], *words[1:]],
            cwd=self.folder,
            env=kept | own,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert ran.returncode in allowed, f"exit {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout


def uv(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([UV, *words], cwd="/", capture_output=True, text=True, check=False)


def tracked(*under: str) -> set[str]:
    """The files of the checkout that git would carry."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *under],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in listed.stdout.splitlines() if (REPOSITORY / name).is_file()}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The source distribution, and the wheel that is built from it and not from the checkout."""
    out = tmp_path_factory.mktemp("dist")
    made = uv("build", "--quiet", "--out-dir", out, REPOSITORY)
    assert made.returncode == 0, made.stderr
    return Built(wheel=next(out.glob("*.whl")), sdist=next(out.glob("*.tar.gz")))


@pytest.fixture(scope="session", params=PYTHONS)
def installed(
    request: pytest.FixtureRequest, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    place = tmp_path_factory.mktemp(f"python{request.param}")
    environment, folder = place / "env", place / "home"
    folder.mkdir()
    made = uv("venv", "--quiet", "--no-python-downloads", "--python", request.param, environment)
    if made.returncode != 0:
        pytest.skip(f"no Python {request.param} on this machine")
    put = uv(
        *("pip", "install", "--quiet", "--python", environment / "bin/python"),
        *("--constraint", REPOSITORY / "constraints.txt", built.wheel),
    )
    assert put.returncode == 0, put.stderr
    yield Installed(environment=environment, folder=folder)
    shutil.rmtree(environment)  # gigabytes, where they could not be linked from uv's cache


def test_the_wheel_has_every_file_of_the_packages_and_no_other_at_top_level(built: Built):
    with zipfile.ZipFile(built.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert {name.split("/")[0] for name in names} == PACKAGES
    assert names == tracked(*PACKAGES)


@pytest.mark.parametrize(
    "needed",
    [
        "bench/py.typed",
        "bench/learn/sources/digits.csv.gz",
        "profiles/demo.toml",
        "reports/page/templates/page.html.j2",
    ],
)
def test_what_is_no_module_travels_too(built: Built, needed: str):
    assert needed in zipfile.ZipFile(built.wheel).namelist()


def test_the_metadata_say_what_the_package_says(built: Built):
    with zipfile.ZipFile(built.wheel) as wheel:
        name = next(each for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(wheel.read(name))
    assert (metadata["Name"], metadata["Version"]) == ("scaling-bench", bench.__version__)
    assert metadata["License-File"] == "LICENSE"
    assert "## Start" in str(metadata.get_payload())  # the README, for the index's page
    assert built.wheel.name == f"scaling_bench-{bench.__version__}-py3-none-any.whl"


def test_the_source_distribution_has_what_git_has_and_no_more(built: Built):
    with tarfile.open(built.sdist) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "tests/conftest.py"} <= names
    assert not names - tracked() - {"PKG-INFO"}


def test_nothing_is_found_in_the_checkout(installed: Installed):
    packages = sorted(PACKAGES)
    code = f"import {', '.join(packages)}; print({', '.join(f'{each}.__file__' for each in packages)}, sep='\\n')"
    for found in installed.run("python", "-c", code).splitlines():
        assert Path(found).is_relative_to(installed.environment)


@pytest.mark.parametrize("words", [("bench",), ("scaling-bench",), ("python", "-m", "bench")], ids=" ".join)
def test_it_says_its_version_by_whichever_name(installed: Installed, words: tuple[str, ...]):
    assert installed.run(*words, "--version") == f"bench {bench.__version__}\n"


@pytest.mark.parametrize("verb", ["models", "profiles"])
def test_it_lists_what_the_checkout_lists(installed: Installed, verb: str):
    here = subprocess.run(
        [Path(sys.executable).parent / "bench", verb], cwd=installed.folder, capture_output=True, text=True, check=True
    )
    assert installed.run("bench", verb) == here.stdout


def test_the_doctor_looks_at_the_machine(installed: Installed):
    said = json.loads(installed.run("bench", "doctor", "--json", allowed=(0, 3)))
    assert said["checks"]
    assert isinstance(said["ready"], bool)


@pytest.fixture(scope="session")
def study(installed: Installed) -> Installed:
    """After a quick study of one process and two."""
    words = "scale --model lenet-small --data digits --device cpu --ranks 1,2 --rounds 2 --warmup 1 --steps 10 --json"
    installed.run("bench", *words.split(), allowed=(0, 5))  # 5: the machine was too busy for some row
    return installed


def test_a_study_of_two_ranks_is_shown_and_its_store_is_whole(study: Installed):
    (shown,) = json.loads(study.run("bench", "show", "@last", "--json"))["shown"]
    assert {each["ranks"] for each in shown["plan"]["configurations"]} == {1, 2}
    study.run("bench", "verify")


def test_a_report_of_every_kind_is_written(study: Installed):
    written = json.loads(study.run("bench", "report", "@last", "--format", "html,md,tex,csv,json", "--json"))["paths"]
    assert {Path(each).suffix for each in written} == {".html", ".md", ".tex", ".csv", ".json"}
    assert all((study.folder / each).stat().st_size for each in written)


def test_python_loads_what_was_measured(study: Installed):
    code = "import bench; print(*bench.load('bench-results', 'launches').status)"
    assert set(study.run("python", "-c", code).split()) == {"ok"}
