"""A rank's first act, in real processes: no torch, so each starts in 0.1 s."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

# Locked twice, a mutex sleeps in C for ever, without the interpreter's lock and without coming back at a signal: what a
# collective does whose peer is gone.
STUCK = """
import ctypes, threading
library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(256)
library.pthread_mutex_init(mutex, None)
library.pthread_mutex_lock(mutex)
threading.Timer(0.3, print, ["ready"], {"flush": True}).start()
library.pthread_mutex_lock(mutex)
"""
START = "from bench.worker import bootstrap; rank = bootstrap.start()\n"
PLACE = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "0"}


@pytest.fixture
def begin(tmp_path):
    """Start a script as rank 1 of 4 and wait until it prints."""
    begun = []

    def begin(body: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            (sys.executable, "-P", "-c", body),
            env={**os.environ, **PLACE, "BENCH_RUN_FOLDER": str(tmp_path), **environment},
            stdout=subprocess.PIPE,
            stderr=(tmp_path / "log").open("wb"),
            text=True,
        )
        begun.append(process)
        return process, process.stdout.readline().strip()

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def ended_within(process: subprocess.Popen[str], timeout_s: float) -> int | None:
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None


def test_a_rank_knows_its_place_and_shows_that_it_lives(begin, tmp_path):
    text = "print(rank.rank, rank.world_size, rank.local_rank, rank.folder, flush=True)"
    process, said = begin(START + text)
    assert process.wait(30) == 0
    assert said == f"1 4 0 {tmp_path}"
    assert (tmp_path / "rank1.heartbeat").stat().st_size == 40


def test_the_bootstrap_does_not_import_torch(begin):
    _, said = begin(START + "import sys; print('torch' in sys.modules or 'numpy' in sys.modules)")
    assert said == "False"


def test_sigterm_ends_a_rank_that_is_stuck_in_native_code(begin):
    process, said = begin(START + STUCK)
    assert said == "ready"
    process.send_signal(signal.SIGTERM)
    assert ended_within(process, 30) == 128 + signal.SIGTERM


def test_a_python_handler_alone_would_not_end_it(begin):
    process, said = begin("import os, signal; signal.signal(signal.SIGTERM, lambda *_: os._exit(143))\n" + STUCK)
    assert said == "ready"
    process.send_signal(signal.SIGTERM)
    assert ended_within(process, 1) is None


def test_a_data_loader_worker_that_is_told_to_end_does_not_take_the_rank_with_it(begin):
    body = """
import os, signal, time
child = os.fork()
if child == 0:
    time.sleep(600)
time.sleep(0.1)
os.kill(child, signal.SIGTERM)
_, status = os.waitpid(child, 0)
time.sleep(0.2)
print("child ended by", os.WTERMSIG(status), flush=True)
time.sleep(600)
"""
    process, said = begin(START + body)
    assert said == f"child ended by {int(signal.SIGTERM)}"
    assert process.poll() is None


def test_other_signals_with_a_handler_do_not_end_the_rank(begin):
    process, said = begin(
        START + "import subprocess, signal, time; signal.signal(signal.SIGCHLD, lambda *_: None); "
        "subprocess.run(['true']); time.sleep(0.2); print('alive', flush=True)"
    )
    assert said == "alive"
    assert process.wait(30) == 0


def test_a_stuck_rank_tells_where_it_is_when_asked(begin, tmp_path):
    process, said = begin(START + STUCK)
    assert said == "ready"
    process.send_signal(signal.SIGUSR1)
    until_s = time.monotonic() + 30
    while "line 8" not in (log := (tmp_path / "log").read_text()) and time.monotonic() < until_s:
        time.sleep(0.01)
    assert "most recent call first" in log
    assert '"<string>", line 8' in log
    assert process.poll() is None


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no parent-death signal; the launcher's guard covers it")
def test_a_rank_dies_with_its_supervisor_even_when_it_is_stopped_and_there_is_no_guard(begin, tmp_path):
    script = tmp_path / "rank.py"
    script.write_text(START + "import os, signal; print(os.getpid(), flush=True); os.kill(os.getpid(), signal.SIGSTOP)")
    supervisor, pid = begin(
        "import os, subprocess, sys; os.environ['BENCH_SUPERVISOR_PID'] = str(os.getpid()); "
        f"subprocess.run([sys.executable, '-P', {str(script)!r}])"
    )
    rank = psutil.Process(int(pid))
    supervisor.kill()
    until_s = time.monotonic() + 30
    while rank.is_running() and rank.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until_s:
        time.sleep(0.01)
    assert not rank.is_running() or rank.status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no parent-death signal; the launcher's guard covers it")
def test_a_rank_whose_supervisor_is_already_gone_does_not_begin(begin, tmp_path):
    process, said = begin(START + "print('began', flush=True)", BENCH_SUPERVISOR_PID="1")
    assert said == ""
    assert process.wait(30) == 128 + signal.SIGTERM
    assert not Path(tmp_path / "rank1.heartbeat").exists()


@pytest.mark.parametrize(
    "taken",
    [
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "signal.signal(signal.SIGTERM, signal.SIG_DFL); signal.signal(signal.SIGTERM, lambda *_: None)",
        "signal.set_wakeup_fd(-1)",
    ],
)
def test_a_stuck_rank_is_ended_whatever_a_models_code_did_to_the_signals(begin, taken):
    process, _ = begin(START + f"import signal\n{taken}\nbootstrap.arm_again()\n" + STUCK)
    process.terminate()
    assert ended_within(process, 30) == 128 + signal.SIGTERM


def test_a_handler_of_the_models_own_for_asking_gives_way(begin, tmp_path):
    theirs = "import signal\nsignal.signal(signal.SIGUSR1, lambda *_: None)\nbootstrap.arm_again()\n"
    process, _ = begin(START + theirs + STUCK)
    process.send_signal(signal.SIGUSR1)
    until_s = time.monotonic() + 30
    while "most recent call first" not in (log := (tmp_path / "log").read_text()) and time.monotonic() < until_s:
        time.sleep(0.01)
    assert "most recent call first" in log
    assert process.poll() is None


@pytest.mark.parametrize(
    "taken", ["sys.stdout.close(); sys.stderr.close()", "sys.stdout = sys.stderr = None", "sys.stderr.detach()"]
)
def test_a_rank_without_streams_still_has_its_last_words_in_the_log(begin, tmp_path, taken):
    body = f"import sys\n{taken}\nbootstrap.say('before ')\nbootstrap.flush()\nbootstrap.arm_again()\n"
    process, _ = begin(START + body + "print('after', file=sys.stderr)\n")
    assert process.wait(30) == 0
    assert (tmp_path / "log").read_text() == "before after\n"


def test_a_rank_leaves_its_result_where_it_began_whatever_the_working_folder(begin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process, said = begin(START + "import os\nos.chdir('/')\nprint(rank.folder, flush=True)\n", BENCH_RUN_FOLDER=".")
    assert process.wait(30) == 0
    assert Path(said).resolve() == tmp_path.resolve()
