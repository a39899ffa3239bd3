"""Random faults at random steps of random ranks: each is told for what it was and of whom, and leaves nothing."""

import os
import random
import sys

import pytest

pytestmark = pytest.mark.faults

FAULTS = {
    "os.kill(os.getpid(), signal.SIGKILL)": "killed",
    "os.kill(os.getpid(), signal.SIGTERM)": "killed",
    "os.kill(os.getpid(), signal.SIGSTOP)": "hang",
    "os.kill(os.getpid(), signal.SIGSEGV)": "crash",
    "os.abort()": "crash",
    "os._exit(0)": "crash",
    "os._exit(7)": "crash",
    "1 / 0": "crash",
    "(say('crash', 'no such shape'), os._exit(1))": "crash",
    "(say('oom_device', 'the batch is too large'), os._exit(1))": "oom_device",
}
STEPS = """
peers = join()
note_pid(f"helper{{rank}}", subprocess.Popen(["sleep", "600"]).pid)
heart.enter("window", 0, 100)
for step in range(100):
    rank == {rank} and step == {step} and {fault}
    collective(peers)
    heart.beat(step + 1)
say("ok")
"""


def test_forty_random_faults_are_told_for_what_they_were_and_leave_nothing(run_ranks, tmp_path):
    seed = int(os.environ.get("BENCH_TEST_SEED", random.randrange(10**9)))
    print(f"repeat with BENCH_TEST_SEED={seed}", file=sys.stderr)
    dice = random.Random(seed)
    for number in range(40):
        fault, ranks = dice.choice(sorted(FAULTS)), dice.randint(2, 4)
        culprit, step = dice.randrange(ranks), dice.randrange(1, 100)
        body = STEPS.format(rank=culprit, step=step, fault=fault)
        launched = run_ranks(body, ranks=ranks, stall_s=1.5, folder=tmp_path / str(number))
        told = launched.ending
        assert (told.status, told.failed_rank) == (FAULTS[fault], culprit), f"{fault} in rank {culprit}: {told}"
        assert len(launched.pids) == 2 * ranks
        assert launched.survivors == []
