"""Random faults at random steps of random ranks of random launches: each is told for what it was, and costs one row.

Repeat a failure with BENCH_TEST_SEED; BENCH_TEST_FAULTS says how many, and BENCH_TEST_FAULTS_TORCH how many with torch.
"""

import os
import random
import statistics
import time

import pytest

from bench.store import read
from tests.faults.faulty_studies import fault, outcome, planned, processes_of, rows, study
from tests.faults.scripted_studies import STEPS, Scripted, Strike, a_plan, run
from tests.launchers.scripted_ranks import alive

pytestmark = pytest.mark.faults

# What a rank does, and how the launch must then be told.
SCRIPTED = {
    "os.kill(os.getpid(), signal.SIGKILL)": "killed",
    "os.kill(os.getpid(), signal.SIGTERM)": "killed",
    "os.kill(os.getpid(), signal.SIGSTOP)": "hang",
    "os.kill(os.getpid(), signal.SIGSEGV)": "crash",
    "os.abort()": "crash",
    "os._exit(0)": "crash",
    "os._exit(7)": "crash",
    "1 / 0": "crash",
    "say('crash', 'no such shape'), os._exit(1)": "crash",
    "say('oom_device', 'the batch is too large'), os._exit(1)": "oom_device",
    "subprocess.Popen(['sleep', '600'], start_new_session=True)\nos.kill(os.getpid(), signal.SIGKILL)": "killed",
    "os.fork() or time.sleep(600)\nos.kill(os.getpid(), signal.SIGKILL)": "killed",
}
TORCH = {
    "kill": "killed",
    "terminate": "killed",
    "stop": "hang",
    "segfault": "crash",
    "abort": "crash",
    "exit-0": "crash",
    "exit-7": "crash",
    "raise": "crash",
    "oom-device": "oom_device",
}


@pytest.fixture
def rng() -> random.Random:
    seed = int(os.environ.get("BENCH_TEST_SEED", random.randrange(10**9)))
    print(f"repeat with BENCH_TEST_SEED={seed}")  # shown when the test fails
    return random.Random(seed)


def test_random_faults_in_small_studies_lose_no_row_and_leave_no_process(rng, tmp_path) -> None:
    count, after_s = int(os.environ.get("BENCH_TEST_FAULTS", "20")), []
    began = time.monotonic()
    for number in range(count):
        sizes = tuple(rng.sample((2, 3, 4), k=rng.randint(2, 3)))
        plan = a_plan(f"2611220824-random-{number:04x}", sizes, seed=rng.randrange(10**6))
        hit = rng.choice(plan.launches)
        statement = rng.choice(sorted(SCRIPTED))
        strike = Strike(
            what=statement,
            launch=hit.launch_id.rpartition(".")[2],
            rank=rng.randrange(hit.configuration.ranks),
            step=rng.randrange(1, STEPS),
        )
        launcher = Scripted(tmp_path / f"script{number}", (strike,))
        store = run(plan, tmp_path / f"store{number}", launcher)
        ended_ns = time.monotonic_ns()
        found = {row.launch_id: outcome(row) for row in read.launches(store.path, plan.study_id)}
        expected = {each.launch_id: ("ok", None) for each in plan.launches}
        expected[hit.launch_id] = (SCRIPTED[statement], strike.rank)
        assert found == expected, f"{strike}: {launcher.endings}"
        assert len(list(store.path.glob("commits/*/*.json"))) == len(plan.launches)
        pids = [int(file.read_text()) for file in store.path.glob("studies/*/logs/*/*.pid")]
        assert len(pids) == 2 * sum(sizes)  # every rank and its helper
        assert not any(map(alive, pids))
        assert processes_of(store.path) == []  # and nothing that nobody noted down
        if plan.launches[-1] is hit and SCRIPTED[statement] != "hang":
            [struck] = store.path.glob("studies/*/logs/*/struck_ns")
            after_s.append((ended_ns - int(struck.read_text())) / 1e9)
    took_s = time.monotonic() - began
    print(f"{count} faults in {took_s:.0f} s, all told right; from a rank's end to the row, median and longest of")
    print(f"{len(after_s)}: {statistics.median(after_s):.2f} s, {max(after_s):.2f} s" if after_s else "0")


@pytest.mark.slow
def test_random_faults_in_ranks_that_train_lose_no_row_and_leave_no_process(rng, run_bench, tmp_path, store) -> None:
    """One study with a launch for each fault, and one launch more that nothing happens to."""
    count = int(os.environ.get("BENCH_TEST_FAULTS_TORCH", "3"))
    healthy = rng.randrange(count + 1)
    faults, expected = [], [("ok", None)] * (count + 1)
    for number in set(range(count + 1)) - {healthy}:
        what, culprit = rng.choice(sorted(TORCH)), rng.randrange(2)
        faults.append(fault(what, step=rng.randrange(4, 43), rank=culprit, launch=f"r{number:02d}p00"))
        expected[number] = (TORCH[what], culprit)
    print("\n".join(faults))
    words = study(tmp_path, *faults, rounds=count + 1)
    ran = run_bench(*words, "--json", BENCH_STALL="5", timeout_s=120 + 60 * count)
    assert ran.returncode == 5, ran
    found = rows(store)
    assert [row.launch_id for row in found] == planned(store)
    assert [outcome(row) for row in found] == expected
    assert processes_of(tmp_path) == []
