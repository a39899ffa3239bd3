import json
import signal
import time

import pytest

from launchers import findings
from launchers.heartbeat import Beat
from launchers.processes import Death

MS = 1_000_000


def beats(ranks=2):
    return [Beat(rank=rank, phase="window", step=3, steps=9, monotonic_ns=1) for rank in range(ranks)]


def judged(folder, *deaths, oom_killed=False):
    return findings.from_deaths(folder, deaths, beats(), oom_killed=oom_killed)


def say(folder, rank, **told):
    (folder / f"rank{rank}.json").write_text(json.dumps(told))


def test_no_failure_is_no_finding(tmp_path):
    say(tmp_path, 0, status="ok")
    assert judged(tmp_path, Death(rank=0, code=0, seen_ns=1)) is None


def test_the_first_to_die_is_the_one_that_failed(tmp_path):
    found = judged(tmp_path, Death(rank=0, code=1, seen_ns=9 * MS), Death(rank=1, code=1, seen_ns=8 * MS))
    assert found.rank == 1


def test_an_error_that_was_seen_just_before_a_kill_is_its_consequence(tmp_path):
    now_ns = time.monotonic_ns()
    killed = Death(rank=1, code=-signal.SIGKILL, seen_ns=now_ns + 20 * MS)
    assert judged(tmp_path, Death(rank=0, code=1, seen_ns=now_ns), killed).rank == 1


def test_an_abort_is_no_better_than_an_error_because_libraries_abort_when_a_peer_is_lost(tmp_path):
    aborted = Death(rank=1, code=-signal.SIGABRT, seen_ns=20 * MS)
    assert judged(tmp_path, Death(rank=0, code=1, seen_ns=0), aborted).rank == 0


def test_a_rank_that_said_that_it_failed_comes_before_one_that_died_while_it_was_still_leaving(tmp_path):
    say(tmp_path, 1, status="oom_device", reason="the batch is too large")
    now_ns = time.monotonic_ns()
    found = judged(
        tmp_path,
        Death(rank=0, code=1, seen_ns=now_ns + 100 * MS),
        Death(rank=1, code=1, seen_ns=now_ns + 900 * MS),
    )
    assert (found.status, found.rank, found.reason) == ("oom_device", 1, "the batch is too large")


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        (-signal.SIGTERM, "killed", "was ended by SIGTERM"),
        (128 + signal.SIGTERM, "killed", "was ended by SIGTERM"),
        (128 + signal.SIGKILL, "killed", "was ended by SIGKILL"),
        (-signal.SIGABRT, "crash", "crashed with SIGABRT"),
        (200, "crash", "ended with code 200"),
        (0, "crash", "ended without a result"),
    ],
)
def test_a_code_is_told_in_words(tmp_path, code, status, words):
    found = judged(tmp_path, Death(rank=0, code=code, seen_ns=1))
    assert (found.status, found.reason) == (status, f"rank 0 {words} in the window at step 3 of 9")


def test_a_rank_that_dies_after_its_result_was_complete_has_still_failed(tmp_path):
    say(tmp_path, 0, status="ok")
    assert judged(tmp_path, Death(rank=0, code=-signal.SIGSEGV, seen_ns=1)).status == "crash"


def test_memory_is_blamed_for_a_kill_only(tmp_path):
    assert judged(tmp_path, Death(rank=0, code=-signal.SIGKILL, seen_ns=1), oom_killed=True).status == "oom_kill"
    assert judged(tmp_path, Death(rank=0, code=-signal.SIGTERM, seen_ns=1), oom_killed=True).status == "killed"
    assert judged(tmp_path, Death(rank=0, code=-signal.SIGKILL, seen_ns=1), oom_killed=False).status == "killed"


@pytest.mark.parametrize("words", ["", "[]", "{", "7"])
def test_words_that_cannot_be_read_are_no_words(tmp_path, words):
    (tmp_path / "rank0.json").write_text(words)
    assert findings.said(tmp_path, 0) == {}


def test_the_tail_of_a_log_is_its_last_lines_whatever_its_bytes(tmp_path):
    (tmp_path / "rank0.log").write_bytes(b"\xff" * 50_000 + b"\n" + b"".join(b"line %d\n" % n for n in range(100)))
    assert findings.log_tail(tmp_path, 0).splitlines() == [f"line {n}" for n in range(85, 100)]


def test_a_log_that_was_never_written_has_no_tail(tmp_path):
    assert findings.log_tail(tmp_path, 0) == ""
