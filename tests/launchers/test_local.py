import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from launchers import control_groups, heartbeat, local
from launchers.local import launch
from launchers.watchdog import Patience
from tests.launchers.scripted_ranks import alive, command_for, nobody_watches

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc or sets CPU affinity, which Linux has")

IMPATIENT = Patience(look_s=0.05, startup_s=2, finish_s=1)
STEPS = """
peers = join()
heart.enter("window", 0, 100)
for step in range(100):
    {fault}
    collective(peers)
    heart.beat(step + 1)
say("ok")
"""


def steps_with(fault: str) -> str:
    """A hundred steps, with a statement before each."""
    return STEPS.format(fault=fault)


def wait_for(condition, *, timeout_s: float = 30) -> bool:
    """Whether the condition came true in time; the limit only keeps a broken build from hanging."""
    until_s = time.monotonic() + timeout_s
    while not (held := condition()) and time.monotonic() < until_s:
        time.sleep(0.01)
    return bool(held)


def test_ranks_that_all_say_ok_end_ok(run_ranks):
    launched = run_ranks(steps_with("pass"), ranks=3)
    assert launched.ending.status == "ok"
    assert launched.ending.reason is None
    assert launched.ending.failed_rank is None
    assert launched.ending.exit_codes == (0, 0, 0)
    assert launched.ending.log_tail == ""


def test_a_rank_that_crashes_is_named_though_its_peer_fails_after_it(run_ranks):
    body = steps_with("if rank == 1 and step == 20: raise ValueError('no such shape')")
    launched = run_ranks(body, patience=Patience(peers_s=30))
    ending = launched.ending
    assert (ending.status, ending.failed_rank) == ("crash", 1)
    assert ending.reason == "rank 1 ended with code 1 in the window at step 20 of 100: ValueError: no such shape"
    assert "Traceback" in ending.log_tail
    assert ending.exit_codes == (1, 1)  # the peer did end by its own error, which is a consequence
    assert "connection closed by peer" in (launched.folder / "rank0.log").read_text()


def test_a_ranks_own_words_pass_through(run_ranks):
    ending = run_ranks("if rank: say('oom_device', 'the batch is too large'); os._exit(1)\ntime.sleep(600)").ending
    assert (ending.status, ending.failed_rank, ending.reason) == ("oom_device", 1, "the batch is too large")


def test_a_rank_that_is_killed_is_named_with_the_step_it_had_reached(run_ranks):
    ending = run_ranks(steps_with("if rank == 1 and step == 20: os.kill(os.getpid(), signal.SIGKILL)")).ending
    assert (ending.status, ending.failed_rank) == ("killed", 1)
    assert ending.reason == "rank 1 was ended by SIGKILL in the window at step 20 of 100"
    assert ending.exit_codes[1] == -signal.SIGKILL


def test_a_kill_for_want_of_memory_is_told_from_any_other(run_ranks, monkeypatch):
    counter = iter((3, 4))
    monkeypatch.setattr(control_groups, "oom_kills", lambda: next(counter))
    ending = run_ranks("os.kill(os.getpid(), signal.SIGKILL)", ranks=1).ending
    assert (ending.status, ending.failed_rank) == ("oom_kill", 0)


def test_a_crash_in_native_code_is_a_crash_and_not_a_kill(run_ranks):
    ending = run_ranks("faulthandler.enable(); heart.enter('preparing'); faulthandler._sigsegv()", ranks=1).ending
    assert (ending.status, ending.reason) == ("crash", "rank 0 crashed with SIGSEGV while preparing")
    assert "Segmentation fault" in ending.log_tail


def test_exit_code_zero_without_a_result_is_no_success(run_ranks):
    ending = run_ranks("if rank == 0: say('ok')").ending
    assert (ending.status, ending.failed_rank, ending.exit_codes) == ("crash", 1, (0, 0))
    assert "ended without a result" in ending.reason


def test_half_a_result_is_no_result(run_ranks):
    ending = run_ranks("(folder / 'rank0.json').write_text('{\"status\": \"o')", ranks=1).ending
    assert "ended without a result" in ending.reason


def test_a_stopped_rank_is_the_culprit_of_the_hang_and_not_the_rank_that_waits_for_it(run_ranks):
    launched = run_ranks(
        steps_with("if rank == 1 and step == 20: os.kill(os.getpid(), signal.SIGSTOP)"),
        stall_s=1,
        patience=Patience(look_s=0.05),
    )
    ending = launched.ending
    assert (ending.status, ending.failed_rank) == ("hang", 1)
    assert ending.reason == "rank 1 has been stopped in the window at step 20 of 100, and the others wait for it"
    assert "in hear" in (launched.folder / "rank0.log").read_text()  # the stack of the one that waits was collected
    assert launched.survivors == []


def test_a_peer_that_loses_patience_first_does_not_take_the_blame_of_a_stopped_rank(run_ranks):
    body = "[peer.settimeout(0.5) for peer in peers]; rank == 1 and step == 20 and os.kill(os.getpid(), signal.SIGSTOP)"
    ending = run_ranks(steps_with(body)).ending
    assert (ending.status, ending.failed_rank) == ("hang", 1)


def test_a_rank_that_never_gets_where_the_others_are_is_the_culprit(run_ranks):
    ending = run_ranks(
        "heart.enter('joining' if rank else 'preparing'); time.sleep(600)", patience=IMPATIENT, stall_s=0.1
    ).ending
    assert (ending.status, ending.failed_rank) == ("hang", 1)
    assert ending.reason.endswith("rank 1 is furthest behind, while joining")
    assert "rank.py" in ending.log_tail  # where it was


def test_nobody_is_blamed_for_a_hang_where_nobody_is_behind(run_ranks):
    ending = run_ranks(steps_with("step == 20 and time.sleep(600)"), patience=Patience(look_s=0.05), stall_s=1).ending
    assert (ending.status, ending.failed_rank) == ("hang", None)
    assert ending.reason.endswith("ranks 0, 1 are all in the window at step 20 of 100")
    assert ending.log_tail != ""


def test_a_rank_that_cannot_bear_being_asked_for_its_stack_changes_nothing(run_ranks):
    body = "signal.signal(signal.SIGUSR1, signal.SIG_DFL); heart.enter('window'); heart.beat(7); time.sleep(600)"
    ending = run_ranks(body, ranks=1, patience=Patience(look_s=0.05), stall_s=0.5).ending
    assert (ending.status, ending.failed_rank, ending.exit_codes) == ("hang", 0, (-signal.SIGUSR1,))


def test_waiting_for_a_busy_peer_is_no_hang(run_ranks):
    body = """
if rank == 0:
    heart.enter("evaluating")
    for step in range(60):
        time.sleep(0.05)
        heart.beat(step + 1)
    collective(join())
else:
    heart.enter("finishing")
    collective(join())
say("ok")
"""
    assert run_ranks(body, patience=IMPATIENT, stall_s=0.1).ending.status == "ok"


def test_a_rank_that_stays_when_its_peer_has_ended_well_hangs(run_ranks):
    body = "heart.enter('finishing'); rank or say('ok'); rank and time.sleep(600)"
    ending = run_ranks(body, patience=IMPATIENT).ending
    assert (ending.status, ending.failed_rank) == ("hang", 1)


@pytest.mark.parametrize("end", ["time.sleep(600)", "os.kill(os.getpid(), signal.SIGSEGV)", "os._exit(3)"])
def test_what_comes_after_all_have_said_ok_takes_nothing_away(run_ranks, end):
    body = f"import os, signal\nheart.enter('finishing'); say('ok'); collective(join())\nif rank: {end}"
    ending = run_ranks(body, patience=IMPATIENT).ending
    assert (ending.status, ending.reason, ending.failed_rank) == ("ok", None, None)


def test_a_launch_that_takes_too_long_is_ended_and_blames_nobody(run_ranks):
    body = "heart.enter('window', 0, 99)\nfor step in range(100000): time.sleep(0.01); heart.beat(step)"
    launched = run_ranks(body, timeout_s=0.6)
    assert (launched.ending.status, launched.ending.failed_rank) == ("timeout", None)
    assert launched.ending.reason.startswith("not finished after 0.6 s; rank ")
    assert launched.survivors == []


def test_a_death_is_seen_at_once_and_not_at_the_next_look(run_ranks):
    ending = run_ranks("rank and os._exit(1); time.sleep(600)", patience=Patience(look_s=60)).ending
    assert ending.failed_rank == 1
    assert ending.duration_s < 30


def test_a_system_that_cannot_wake_us_is_polled(run_ranks, monkeypatch):
    def refuse(pid: int) -> int:
        raise PermissionError("a strict container")

    monkeypatch.setattr(os, "pidfd_open", refuse, raising=False)
    ending = run_ranks(steps_with("if rank == 1 and step == 20: os.kill(os.getpid(), signal.SIGKILL)")).ending
    assert (ending.status, ending.failed_rank) == ("killed", 1)


def test_what_a_rank_started_goes_with_it_also_when_it_ignores_every_polite_signal(run_ranks):
    helper = (
        "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (signal.SIGTERM, signal.SIGHUP)]; "
        "print('ready', flush=True); time.sleep(600)"
    )
    body = f"""
helper = subprocess.Popen([sys.executable, "-c", {helper!r}], stdout=subprocess.PIPE)
note_pid(f"helper{{rank}}", helper.pid)
helper.stdout.readline()
rank and os._exit(3)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(600)
"""
    launched = run_ranks(body)
    assert launched.ending.exit_codes == (-signal.SIGKILL, 3)
    assert len(launched.pids) == 4
    assert launched.survivors == []


def test_eight_launches_at_once_do_not_disturb_each_other(run_ranks, tmp_path):
    with ThreadPoolExecutor(8) as threads:
        launches = [threads.submit(run_ranks, steps_with("pass"), folder=tmp_path / str(n)) for n in range(8)]
    assert [each.result().ending.status for each in launches] == ["ok"] * 8


def test_a_rank_gets_its_own_place_and_nothing_of_the_shells(run_ranks, monkeypatch):
    for name in (
        "RANK",
        "OMP_NUM_THREADS",
        "OMP_PROC_BIND",
        "KMP_AFFINITY",
        "SLURM_JOB_ID",
        "MASTER_PORT",
        "BENCH_LISTEN_FD",
    ):
        monkeypatch.setenv(name, "77")
    launched = run_ranks("(folder / f'env{rank}').write_text(json.dumps(dict(os.environ))); say('ok')")
    first, second = (json.loads((launched.folder / f"env{rank}").read_text()) for rank in range(2))
    assert (first["RANK"], second["RANK"], second["LOCAL_RANK"], second["WORLD_SIZE"]) == ("0", "1", "1", "2")
    assert second["LOCAL_WORLD_SIZE"] == "2"
    assert first["MASTER_PORT"] == second["MASTER_PORT"] != "77"
    assert first["BENCH_LISTEN_FD"] != "77"
    assert not {"OMP_NUM_THREADS", "OMP_PROC_BIND", "KMP_AFFINITY", "SLURM_JOB_ID", "BENCH_LISTEN_FD"} & second.keys()


@linux_only
def test_a_rank_is_on_its_cores_from_its_first_instruction_and_the_supervisor_stays_where_it_was(run_ranks):
    before = os.sched_getaffinity(0)
    if len(before) < 2:
        pytest.skip("needs two cores")
    first, second = sorted(before)[:2]
    launched = run_ranks(
        "(folder / f'cores{rank}').write_text(str(sorted(os.sched_getaffinity(0)))); say('ok')",
        cores=((second,), (first,)),
    )
    assert [(launched.folder / f"cores{rank}").read_text() for rank in range(2)] == [f"[{second}]", f"[{first}]"]
    assert os.sched_getaffinity(0) == before


@linux_only
def test_cores_that_may_not_be_used_are_a_failed_launch_with_a_reason(run_ranks):
    usable = os.sched_getaffinity(0)
    ending = run_ranks("time.sleep(600)", cores=((min(usable),), (min(usable), 1023))).ending
    assert (ending.status, ending.failed_rank) == ("crash", 1)
    assert f"cores [{min(usable)}, 1023] are not all free to use" in ending.reason
    assert ending.exit_codes[1] is None
    assert os.sched_getaffinity(0) == usable


def test_a_command_that_does_not_exist_is_a_failed_launch_with_a_reason(tmp_path):
    command = dataclasses.replace(command_for(tmp_path, "", ranks=2), argv=("/no/such/python",))
    ending = launch(command, nobody_watches)
    assert (ending.status, ending.exit_codes) == ("crash", (None, None))
    assert "rank 0 could not be started" in ending.reason
    assert "/no/such/python" in ending.reason


@linux_only
def test_no_file_stays_open(run_ranks):
    run_ranks("say('ok')")
    before = {file.name for file in Path("/proc/self/fd").iterdir()}
    run_ranks("say('ok')")
    run_ranks("rank and os._exit(1); time.sleep(600)")
    assert {file.name for file in Path("/proc/self/fd").iterdir()} == before


def test_the_supervisor_uses_less_than_a_twentieth_of_a_core(run_ranks):
    ending = run_ranks("time.sleep(2); say('ok')").ending
    assert 0 < ending.supervisor_cpu_s < 0.05 * ending.duration_s


def test_every_look_is_told_every_ranks_beat(run_ranks):
    seen = []
    run_ranks(
        "heart.enter('window', 0, 9); heart.beat(rank + 3); time.sleep(0.5); say('ok')",
        watch=seen.append,
        patience=Patience(look_s=0.05),
    )
    assert {len(beats) for beats in seen} == {2}
    assert [(beat.rank, beat.phase, beat.step, beat.steps) for beat in seen[-1]] == [
        (0, "window", 3, 9),
        (1, "window", 4, 9),
    ]


def test_an_error_of_the_watcher_ends_the_ranks_and_is_raised_again(run_ranks, tmp_path):
    def fail(beats):
        if all(beat.monotonic_ns for beat in beats):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_ranks("heart.enter('window'); time.sleep(600)", watch=fail)
    pids = [int(file.read_text()) for file in tmp_path.glob("*.pid")]
    assert len(pids) == 2
    assert not any(map(alive, pids))


SUPERVISOR = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `make test &` has it ignored
for each in (signal.SIGHUP, signal.SIGTERM):  # and nohup this one; a test sends both
    signal.signal(each, signal.SIG_DFL)
from tests.launchers.conftest import command_for, nobody_watches
from launchers.local import launch
try:
    launch(command_for(Path({folder!r}), {body!r}, ranks=2), nobody_watches)
except KeyboardInterrupt:
    sys.exit(130)
"""
# Rank 1 has stopped itself, and both have a helper: the hardest to end.
LASTING = """
note_pid(f"helper{rank}", subprocess.Popen(["sleep", "600"]).pid)
heart.enter("window")
rank and os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(600)
"""


@pytest.fixture
def supervisor(tmp_path):
    """A supervisor in a process of its own with two ranks that last, and the pids of the ranks and their helpers."""
    script = SUPERVISOR.format(folder=str(tmp_path), body=LASTING)
    process = subprocess.Popen((sys.executable, "-c", script), stderr=subprocess.PIPE)

    def has_begun() -> bool:
        return len(list(tmp_path.glob("*.pid"))) == 4 and all(
            heartbeat.read(tmp_path, rank).monotonic_ns for rank in (0, 1)
        )

    assert wait_for(has_begun)
    yield process, [int(file.read_text()) for file in tmp_path.glob("*.pid")]
    process.kill()
    process.communicate()


def test_ctrl_c_ends_the_ranks_and_comes_back_as_an_interrupt(supervisor):
    process, pids = supervisor
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert not any(map(alive, pids))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_outlives_a_supervisor_that_is_ended_from_outside(supervisor, number):
    process, pids = supervisor
    process.send_signal(number)
    assert process.wait(30) == -number
    assert wait_for(lambda: not any(map(alive, pids)))


def test_the_launcher_needs_no_torch_and_nothing_of_bench():
    script = (
        "import sys, launchers.local; print([m for m in sys.modules if m.split('.')[0] in ('torch', 'numpy', 'bench')])"
    )
    asked = subprocess.run((sys.executable, "-P", "-c", script), capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "[]"


def test_the_local_launcher_is_found_by_its_name():
    import launchers

    assert launchers.find("local") is local
