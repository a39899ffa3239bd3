"""The documents are true: their commands run, their links lead somewhere, their flags exist, their tables are new."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bench.cli import group
from tests.bench.learn.sources.trees import put
from tests.noise import assert_no_launch_failed

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text()
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])

# Flags of other programs that the documents speak of.
FOREIGN_FLAGS = {
    *("--backend-store-uri", "--logdir", "--check", "--threads", "--mail-type", "--no-kill", "--overlap"),
    *("--cpus", "--cpuset-cpus"),  # of container engines
    *("--blocks", "--turn"),  # of our own benchmarks
}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of one language in a Markdown text."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """Every command in the `sh` blocks of a Markdown text, without its comment."""
    lines = "\n".join(blocks(text, "sh")).replace("\\\n", " ").splitlines()
    return [command for line in lines if (command := re.sub(r"(^|\s+)#.*", "", line).strip())]


def trains(command: str) -> bool:
    """Whether a command of ours starts real launches on this machine."""
    words = shlex.split(command)
    if "--gpus" in words and not cuda_devices():
        return False  # refused in seconds
    return words[:2] in (["bench", "scale"], ["bench", "run"]) and "--dry-run" not in words


def cuda_devices() -> int:
    """GPUs that the driver shows."""
    if shutil.which("nvidia-smi") is None:
        return 0
    return subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False).stdout.count("GPU ")


def marked(command: str) -> object:
    return pytest.param(command, id=command, marks=[pytest.mark.slow] * trains(command))


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A reader's folder: the README's files lie in it, a study was made in it, `bench` is on its PATH."""

    folder: Path
    environment: dict[str, str]

    def run(self, command: str, *, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one line as a shell would."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=cwd or self.folder,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("desk")
    home = folder / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BENCH_", "PYTHON", "XDG_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # A developer's own study must not make the documents fail.
    desk = Desk(folder=folder, environment=kept | {"HOME": str(home), "PATH": path, "BENCH_WHEN_BUSY": "share"})
    for block in blocks(README, "python"):
        if named := re.match(r"# (\w+\.py)\n", block):
            (folder / named[1]).write_text(block)
    for _ in range(2):  # two of the same, to be compared
        made = desk.run("bench run --model lenet-small --data digits --device cpu --rounds 1 --warmup 1 --steps 10")
        assert_no_launch_failed(made, folder / "bench-results")
    return desk


# `pip install .` is what tests/wheel does, for each Python.
@pytest.mark.parametrize("command", [marked(each) for each in commands(README) if each != "pip install ."])
def test_every_command_of_the_readme_runs(command: str, desk: Desk, request: pytest.FixtureRequest):
    if command.startswith("make "):
        assert_make_runs(command)
        return
    if "~/data" in command:
        link = Path(desk.environment["HOME"]) / "data"
        if not link.exists():
            link.symlink_to(request.getfixturevalue("cifar10_dir"))
    ran = desk.run(command)
    if "--gpus" in command and not cuda_devices():
        assert ran.returncode == 3, ran.stderr
        assert "bench scale" in ran.stderr  # what can be run instead
        return
    if trains(command):
        assert_no_launch_failed(ran, desk.folder / "bench-results")
    else:
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout


def assert_make_runs(command: str) -> None:
    """`make test` is what runs this, and `make demo` is tested below: here, that each ends in the command it should."""
    last = {"make demo": "bench scale", "make test": "python -m pytest"}
    quietly = [*shlex.split(command), "-n", "--no-print-directory"]
    ran = subprocess.run(quietly, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1].endswith(last[command])


@pytest.mark.slow
def test_the_demo_ends_with_real_speedups_and_a_real_accuracy(desk: Desk):
    ran = desk.run("bench scale --json")
    assert_no_launch_failed(ran, desk.folder / "bench-results")
    rows = json.loads(ran.stdout)["rows"]
    assert len(rows) > 1
    assert all(row["launches"] == 3 and row["launches_failed"] == 0 for row in rows)
    assert all(row["accuracy"]["top1"] > 0.5 for row in rows)  # of ten digits: chance is 0.1
    if ran.returncode == 0:  # else the machine was too busy for some row to be compared with another
        assert all(row["speedup"]["estimate"] > 0 for row in rows)


def fences(page: Path) -> list[tuple[str, str, bool]]:
    """Language and text of every fenced block of a page, and whether a comment above it says why it is not run."""
    found = re.findall(r"(<!-- not run: .+ -->\n)?^```(.*)\n((?:.*\n)*?)^```$", page.read_text(), re.MULTILINE)
    return [(language, text, bool(mark)) for mark, language, text in found]


# What runs the blocks of a language, where no comment says why they are not run; a text shows what somebody sees.
LANGUAGES = {"sh", "python", "toml", "text"}
BY_OTHERS = {"README.md", "extending.md"}  # above, and tests/test_extending.py


def test_every_block_of_a_page_has_a_language_that_says_whether_it_is_run():
    unknown = {f"{page.name}: ```{language}" for page in PAGES for language, *_ in fences(page)} - {
        f"{page.name}: ```{language}" for page in PAGES for language in LANGUAGES
    }
    assert not unknown


def page_commands() -> list[tuple[str, str]]:
    return [
        (page.relative_to(REPOSITORY).as_posix(), command)
        for page in PAGES
        if page.name not in BY_OTHERS and page.parent.name != "gallery"  # whose pages docs/gallery/build.py makes
        for language, text, is_marked in fences(page)
        if language == "sh" and not is_marked
        for command in commands(f"```sh\n{text}```")
    ]


@pytest.mark.parametrize(("page", "command"), page_commands(), ids=lambda each: each.replace("docs/", ""))
def test_every_command_of_a_page_is_one_that_bench_takes(page, command, desk, request, monkeypatch):
    """What trains is planned and not started; the rest runs, in this process, on the reader's own two studies."""
    words = shlex.split(command)
    if words[0] == "make":
        assert subprocess.run([*words, "-n"], cwd=REPOSITORY, capture_output=True, check=False).returncode == 0
        return
    home = Path(desk.environment["HOME"])
    if "--profile" in words and "--data-dir" not in words:
        monkeypatch.setenv("BENCH_DATA_DIR", str(request.getfixturevalue("cifar10_dir")))
    if "~/data" in words and not (home / "data").exists():
        (home / "data").symlink_to(request.getfixturevalue("cifar10_dir"))
    if "~/pictures" in words and not (home / "pictures").exists():
        for place in ("train/cat", "train/dog", "val/cat", "val/dog"):
            for number in range(100):
                put(home / "pictures" / place / f"{number}.png", number)
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("="))
    # No browser is opened.
    arguments = [str(home / word[2:]) if word.startswith("~/") else word for word in words[1:] if word != "--open"]
    if arguments[0] in {"scale", "run"} and "--dry-run" not in arguments:
        arguments.append("--dry-run")
    monkeypatch.chdir(desk.folder)
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    ran = CliRunner().invoke(group, arguments)
    assert ran.exit_code in ({0, 4} if "--fail-on" in arguments else {0}), (page, ran.output, ran.exception)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=f"{page} {block.splitlines()[0]}")
        for page in ("README.md", "docs/store.md")
        for block in blocks((REPOSITORY / page).read_text(), "python")
    ],
)
def test_the_python_of_a_page_runs(block: str, desk: Desk):
    for name in re.findall(r"^(?:import|from) (\w+)", block, re.MULTILINE):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed here, and `bench` does not need it")
    ran = desk.run(f"python -c {shlex.quote(block)}")
    assert ran.returncode == 0, ran.stderr


def test_every_relative_link_leads_to_a_file():
    dead = [
        f"{page.relative_to(REPOSITORY)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not dead


def test_every_flag_and_verb_that_a_page_names_exists():
    context = click.Context(group)
    verbs = {name: group.get_command(context, name) for name in group.list_commands(context)}
    parts = [part for verb in verbs.values() if isinstance(verb, click.Group) for part in verb.commands.values()]
    flags = {flag for verb in [group, *verbs.values(), *parts] for each in verb.params for flag in each.opts}
    pages = {page.relative_to(REPOSITORY): page.read_text() for page in PAGES}
    unknown = {
        f"{page}: {word}"
        for page, text in pages.items()
        for word in {
            *(flag for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text) if flag not in flags | FOREIGN_FLAGS),
            *(f"bench {verb}" for verb in re.findall(r"`bench ([a-z]+)", text) if verb not in verbs),
        }
    }
    assert not unknown


def test_the_tables_of_the_store_are_todays():
    checked = subprocess.run(
        [sys.executable, "docs/tables.py", "--check"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
