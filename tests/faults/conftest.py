import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.faulty_studies import end_all, processes_of


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Where `run_bench` keeps results."""
    return tmp_path / "results"


@pytest.fixture(autouse=True)
def _beside_others(environment: dict[str, str]) -> None:
    """A fault is a fault on a busy machine too: no study here waits for another, or refuses to run beside it."""
    environment["BENCH_WHEN_BUSY"] = "share"


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """After every test here, and whatever it tried: no process of its studies, in whatever group or session."""
    yield
    left = [" ".join(process.cmdline()) for process in processes_of(tmp_path) if process.pid != os.getpid()]
    end_all(tmp_path)
    assert left == []
