"""Output that cannot be written costs its words: the verb does its work, and says at the end that they are lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.output import _Unfailing

needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")


def bench(redirected: str) -> subprocess.CompletedProcess[str]:
    line = f"set -o pipefail; {sys.executable} -m bench {redirected}"
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)


@needs_dev_full
@pytest.mark.parametrize("words", ["models >/dev/full", "--help >/dev/full", "models --json >/dev/full"])
def test_a_result_that_could_not_be_written_out_is_told_by_words_and_exit_code(words) -> None:
    ran = bench(words)
    assert ran.returncode == 3
    assert "could not be written out: No space left on device" in ran.stderr


@needs_dev_full
def test_talk_that_could_not_be_written_out_costs_nothing() -> None:
    ran = bench("models 2>/dev/full")
    assert ran.returncode == 0
    assert "resnet18" in ran.stdout


@needs_dev_full
def test_an_error_of_which_nobody_can_be_told_still_has_its_exit_code() -> None:
    assert bench("modles >/dev/full 2>/dev/full").returncode == 2


@pytest.mark.parametrize("reader", ["head -n 1", "true"])
def test_a_reader_of_both_streams_that_left_is_no_failure(reader) -> None:
    assert bench(f"models 2>&1 | {reader}").returncode == 0


def test_a_stream_is_written_whole_until_it_breaks_and_keeps_why() -> None:
    reading, writing = os.pipe()
    stream = _Unfailing(writing)
    assert stream.write(b"words") == 5
    assert os.read(reading, 10) == b"words"
    os.close(reading)
    assert stream.write(b"nobody reads") == 12
    assert stream.lost is None
    os.close(writing)
    assert stream.write(b"closed by somebody") == 18
    assert stream.lost is not None


def test_a_terminal_that_was_made_non_blocking_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    stream = _Unfailing(writing)
    written = stream.write(bytes(10**6))
    os.set_blocking(reading, False)
    assert len(os.read(reading, 10**6)) == written
    os.close(reading)
    os.close(writing)
