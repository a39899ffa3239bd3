import json
import signal
import time

import pytest

from launchers import findings
from launchers.heartbeat import Beat
from launchers.rank_pool import Death

MS = 1_000_000


def beats(ranks=2):
    return [Beat(rank=rank, phase="window", step=3, steps=9, monotonic_ns=1) for rank in range(ranks)]


def judged(folder, *deaths):
    return findings.from_deaths(folder, deaths, beats())


def say(folder, rank, **result):
    (folder / f"rank{rank}.json").write_text(json.dumps(result))


def test_no_failure_is_no_finding(tmp_path):
    say(tmp_path, 0, status="ok")
    assert judged(tmp_path, Death(rank=0, code=0, seen_ns=1)) is None


def test_the_first_to_die_is_the_one_that_failed(tmp_path):
    found = judged(tmp_path, Death(rank=0, code=1, seen_ns=9 * MS), Death(rank=1, code=1, seen_ns=8 * MS))
    assert found.rank == 1


@pytest.mark.parametrize("code", [0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM, -signal.SIGSEGV])
def test_what_cannot_be_a_consequence_comes_before_an_error_that_was_seen_first(tmp_path, code):
    (tmp_path / "rank0.log").write_text("ConnectionError: closed by peer")
    now_ns = time.monotonic_ns()
    first = Death(rank=1, code=code, seen_ns=now_ns + 20 * MS)
    assert judged(tmp_path, Death(rank=0, code=1, seen_ns=now_ns), first).rank == 1


def test_an_abort_is_no_better_than_an_error_because_libraries_abort_when_a_peer_is_lost(tmp_path):
    (tmp_path / "rank0.log").write_text("ValueError: no such shape")
    time.sleep(0.02)
    (tmp_path / "rank1.log").write_text("terminate called after throwing an instance of lost_peer")
    now_ns = time.monotonic_ns()
    aborted = Death(rank=1, code=-signal.SIGABRT, seen_ns=now_ns)
    assert judged(tmp_path, aborted, Death(rank=0, code=1, seen_ns=now_ns + 20 * MS)).rank == 0


def test_an_end_without_a_word_is_no_consequence_because_those_leave_an_error(tmp_path):
    (tmp_path / "rank0.log").write_text("ConnectionError: closed by peer")
    now_ns = time.monotonic_ns()
    silent = Death(rank=1, code=7, seen_ns=now_ns + 20 * MS)
    assert judged(tmp_path, Death(rank=0, code=1, seen_ns=now_ns), silent).rank == 1


def test_errors_go_by_when_the_ranks_said_so_and_not_by_when_they_were_seen_to_leave(tmp_path):
    say(tmp_path, 0, status="crash", reason="connection reset by peer", monotonic_ns=6 * MS)
    say(tmp_path, 1, status="crash", reason="no such shape", monotonic_ns=5 * MS)
    found = judged(tmp_path, Death(rank=0, code=1, seen_ns=10 * MS), Death(rank=1, code=1, seen_ns=900 * MS))
    assert (found.rank, found.reason) == (1, "no such shape")


def test_a_rank_that_does_not_say_when_said_it_when_its_file_was_written(tmp_path):
    say(tmp_path, 1, status="crash")
    time.sleep(0.02)
    say(tmp_path, 0, status="crash")
    later_ns = time.monotonic_ns() + 100 * MS
    assert judged(tmp_path, Death(rank=0, code=1, seen_ns=later_ns), Death(rank=1, code=1, seen_ns=later_ns)).rank == 1


def test_last_words_in_the_log_are_older_than_the_death_that_follows_them(tmp_path):
    (tmp_path / "rank1.log").write_text("ValueError: no such shape")
    time.sleep(0.02)
    (tmp_path / "rank0.log").write_text("ConnectionError: closed by peer")
    now_ns = time.monotonic_ns()
    deaths = Death(rank=0, code=1, seen_ns=now_ns), Death(rank=1, code=1, seen_ns=now_ns + 300 * MS)
    assert judged(tmp_path, *deaths).rank == 1


def test_memory_that_ran_out_in_one_rank_comes_before_the_errors_of_the_others(tmp_path):
    say(tmp_path, 0, status="crash", reason="connection reset by peer", monotonic_ns=5 * MS)
    say(tmp_path, 1, status="oom_device", reason="the batch is too large", monotonic_ns=6 * MS)
    found = judged(tmp_path, Death(rank=0, code=1, seen_ns=7 * MS), Death(rank=1, code=1, seen_ns=8 * MS))
    assert (found.status, found.rank) == ("oom_device", 1)


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
    assert judged(tmp_path, Death(rank=0, code=-signal.SIGKILL, seen_ns=1, oom_killed=True)).status == "oom_kill"
    assert judged(tmp_path, Death(rank=0, code=-signal.SIGTERM, seen_ns=1, oom_killed=True)).status == "killed"
    assert judged(tmp_path, Death(rank=0, code=-signal.SIGKILL, seen_ns=1, oom_killed=False)).status == "killed"


@pytest.mark.parametrize("words", ["", "[]", "{", "7"])
def test_words_that_cannot_be_read_are_no_words(tmp_path, words):
    (tmp_path / "rank0.json").write_text(words)
    assert findings.rank_result(tmp_path, 0) == {}


def test_the_tail_of_a_log_is_its_last_lines_whatever_its_bytes(tmp_path):
    (tmp_path / "rank0.log").write_bytes(b"\xff" * 50_000 + b"\n" + b"".join(b"line %d\n" % n for n in range(100)))
    assert findings.tail(findings.log_file(tmp_path, 0)).splitlines() == [f"line {n}" for n in range(85, 100)]


def test_a_log_that_was_never_written_has_no_tail(tmp_path):
    assert findings.tail(findings.log_file(tmp_path, 0)) == ""


@pytest.mark.parametrize(
    ("states", "rank", "words"),
    [
        ({0: "S", 1: "T"}, 1, "rank 1 has been stopped in the window at step 3 of 9, and the others wait for it"),
        (
            {0: "D", 1: "S"},
            0,
            "rank 0 waits inside the kernel in the window at step 3 of 9, and the others wait for it",
        ),
        ({0: "D", 1: "T"}, 1, "rank 1 has been stopped in the window at step 3 of 9, and the others wait for it"),
        ({0: "S", 1: "R"}, None, "nothing has moved for 61 s; ranks 0, 1 are all in the window at step 3 of 9"),
        ({1: "S"}, 1, "nothing has moved for 61 s; rank 1 is in the window at step 3 of 9"),
    ],
)
def test_a_hang_is_the_fault_of_who_cannot_move(states, rank, words):
    found = findings.hang(beats(), [61, 61], states)
    assert (found.status, found.rank, found.reason) == ("hang", rank, words)


COMPUTING = """Thread 0x00007f (most recent call first):
  File "/lib/threading.py", line 9 in wait

Current thread 0x00007f (most recent call first):
  File "/mine/model.py", line 7 in forward
  File "/lib/torch/nn/parallel/distributed.py", line 1 in forward
"""
WAITING = """Current thread 0x00007f (most recent call first):
  File "/lib/torch/autograd/graph.py", line 800 in _engine_run_backward
  File "/mine/train.py", line 3 in step
"""


@pytest.mark.parametrize(
    ("stacks", "culprit"),
    [
        ((WAITING, COMPUTING, WAITING), 1),
        ((WAITING, WAITING, WAITING), None),
        ((COMPUTING, COMPUTING, WAITING), None),  # two that do not wait: either may hold up the others
        ((WAITING, COMPUTING, ""), None),  # one did not answer
        ((WAITING, COMPUTING, "Traceback (most recent call first):\n  <no Python frame>\n"), None),
    ],
)
def test_of_ranks_that_hang_in_the_same_step_the_one_that_does_not_wait_is_to_blame(tmp_path, stacks, culprit):
    for rank, stack in enumerate(stacks):
        (tmp_path / f"rank{rank}.log").write_text(f"some words\n{stack}")
    hung = findings.hang(beats(3), [5.0] * 3, dict.fromkeys(range(3), "S"))
    found = findings.by_stacks(tmp_path, hung)
    assert (found.status, found.rank) == ("hang", culprit)
    assert ("model.py" in found.reason) == (culprit is not None)


def test_a_hang_with_one_rank_behind_needs_no_stacks(tmp_path):
    behind = [*beats(1), Beat(rank=1, phase="window", step=2, steps=9, monotonic_ns=1)]
    hung = findings.hang(behind, [5.0] * 2, {0: "S", 1: "S"})
    assert findings.by_stacks(tmp_path, hung) == hung


def test_last_words_that_name_a_peer_come_after_an_error_of_ones_own_whoever_was_heard_first(tmp_path):
    """Of two hosts, and without a word in a result: only what the logs end with can tell."""
    (tmp_path / "rank0.log").write_text("ConnectionError: connection closed by peer\n")
    (tmp_path / "rank1.log").write_text("ValueError: no such shape\n")
    now_ns = time.monotonic_ns() + 10**7
    deaths = [Death(rank=rank, code=1, node=rank, seen_ns=now_ns + rank, seen_on_host_ns=now_ns) for rank in (0, 1)]
    assert findings.from_deaths(tmp_path, deaths, beats(2)).rank == 1
