"""A study outlives whatever becomes of its output: a full disk under it, or a reader that left."""

import subprocess
from pathlib import Path

import pytest

from tests.faults.faulty_studies import inside, outcome, rows, study

pytestmark = pytest.mark.faults


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_under_the_output_costs_the_words_alone(tmp_path, environment, store) -> None:
    ran = inside("exec >/dev/full 2>/dev/full", study(tmp_path, rounds=2), environment, tmp_path)
    assert ran.returncode == 3, "the table that was asked for is lost"
    assert [outcome(row) for row in rows(store)] == [("ok", None)] * 2


def test_a_reader_that_left_costs_nothing(tmp_path, environment, store) -> None:
    line = '"$@" 2>&1 | head -n 2; exit ${PIPESTATUS[0]}'
    words = ("bash", "-c", line, "bash", "bench", *map(str, study(tmp_path, rounds=2)))
    ran = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert ran.returncode == 0, ran
    assert [outcome(row) for row in rows(store)] == [("ok", None)] * 2
