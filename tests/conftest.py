"""What several tests need: the real images where they are, and the installed command in a world of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]

# What a developer's shell may carry and a fresh machine does not.
_FOREIGN = ("BENCH_", "PYTHON", "XDG_", "OMP_", "MKL_", "MASTER_", "SLURM_", "TORCH", "FORCE_COLOR", "NO_COLOR")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A command that has ended."""

    command: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Stdout as the one JSON document it must be; the test fails with both streams when it is not."""
        try:
            return json.loads(self.stdout)
        except json.JSONDecodeError as error:
            pytest.fail(f"{' '.join(self.command)}: stdout is no JSON document ({error})\n{self}")

    def __str__(self) -> str:
        return f"exit {self.returncode}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


@pytest.fixture(scope="session")
def cache_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the whole run: asking what CPU this is takes seconds, and the answer does not change."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def environment(tmp_path: Path, cache_home: Path) -> dict[str, str]:
    """The environment of a user with an empty home, whose results go to `tmp_path / "results"`."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return kept | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_CACHE_HOME": str(cache_home),
        "BENCH_STORE": str(tmp_path / "results"),
        "BENCH_WHEN_BUSY": "share",  # a developer's own study must not make tests fail; tests of the lock say otherwise
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.fixture
def run_bench(tmp_path: Path, environment: dict[str, str]) -> Callable[..., Ran]:
    """Run the installed `bench` with these arguments: `run_bench("scale", "--json").json()`.

    It runs in `tmp_path` unless `cwd` says otherwise, and fails the test when it takes longer than `timeout_s`.
    """

    def run(*arguments: object, cwd: Path = tmp_path, timeout_s: float = 900, **variables: str) -> Ran:
        command = (str(Path(sys.executable).parent / "bench"), *map(str, arguments))
        ended = subprocess.run(
            command,
            cwd=cwd,
            env=environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Ran(command=command, returncode=ended.returncode, stdout=ended.stdout, stderr=ended.stderr)

    return run


@pytest.fixture(scope="session")
def cifar10_dir() -> Path:
    """The folder that holds `cifar10/`: BENCH_DATA_DIR, or `shared/data` beside the checkout."""
    folder = Path(os.environ.get("BENCH_DATA_DIR", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "cifar10").is_dir():
        pytest.skip(f"CIFAR-10 is not here: no {folder / 'cifar10'}; set BENCH_DATA_DIR to the folder that holds it")
    return folder
