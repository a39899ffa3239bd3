"""The processes of one launch on this host: started, waited for, and ended together with whatever they started."""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from launchers import Command

_BLIND_POLL_S = 0.05  # where the system cannot wake us at a death
_KILLED_S = 1.0  # SIGKILL takes no longer, but for a process that waits inside the kernel
_PR_SET_CHILD_SUBREAPER = 36
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Death:
    """A rank that ended by itself or by somebody else's hand."""

    rank: int
    code: int  # negative: the signal
    seen_ns: int  # monotonic


def log_file(folder: Path, rank: int) -> Path:
    return folder / f"rank{rank}.log"


class Crew:
    """All ranks of a launch. Whatever happens after `start`, call `end`."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._started: list[subprocess.Popen[bytes]] = []
        self._living: dict[int, subprocess.Popen[bytes]] = {}
        self._pidfds: dict[int, int] = {}
        self._wakes = select.poll()
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def living(self) -> list[int]:
        """Ranks that have started and not been seen to end."""
        return sorted(self._living)

    @property
    def started(self) -> int:
        """How many ranks were started."""
        return len(self._started)

    @property
    def codes(self) -> tuple[int | None, ...]:
        """Exit code of each rank, negative for a signal; None: never started, or cannot be ended."""
        codes = [process.returncode for process in self._started]
        return (*codes, *[None] * (self._command.ranks - len(codes)))

    def start(self) -> None:
        """Start every rank.

        Raises:
            OSError: a rank cannot be started, or not on its cores. Those before it are running.
        """
        _adopt_orphans()
        # Isolated and without site-packages: it must not depend on what is installed, and starts in 10 ms.
        self._guard = subprocess.Popen(
            (sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        # Bound here and handed over: a port that was only looked up can be taken by another before it is used.
        listener = socket.create_server((_LOOPBACK, 0), backlog=1024) if self._command.ranks > 1 else None
        try:
            for rank in range(self._command.ranks):
                self._start(rank, listener)
        finally:
            if listener is not None:
                listener.close()  # rank 0 holds it now; ours would keep it open to others after rank 0 has died

    def _start(self, rank: int, listener: socket.socket | None) -> None:
        command = self._command
        environment = {
            **command.environment,
            "RANK": str(rank),
            "WORLD_SIZE": str(command.ranks),
            "LOCAL_RANK": str(rank),
            "LOCAL_WORLD_SIZE": str(command.ranks),
            "MASTER_ADDR": _LOOPBACK,
            "MASTER_PORT": str(listener.getsockname()[1] if listener is not None else 0),
            "BENCH_RUN_FOLDER": str(command.folder),
            "BENCH_SUPERVISOR_PID": str(os.getpid()),
        }
        handed: tuple[int, ...] = ()
        if rank == 0 and listener is not None:
            handed = (listener.fileno(),)
            environment["BENCH_LISTEN_FD"] = str(listener.fileno())
        cores = command.cores[rank] if command.cores is not None else None
        # A file for each: a pipe that nobody empties would block a rank in the middle of a step.
        with log_file(command.folder, rank).open("wb") as log, _on_cores(cores):
            process = subprocess.Popen(
                command.argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=handed,
            )
        self._started.append(process)
        self._living[rank] = process
        self._tell_guard(process.pid)
        if sys.platform == "linux":
            with suppress(OSError):  # an old kernel or a strict container: we look instead of being woken
                self._pidfds[rank] = os.pidfd_open(process.pid)
                self._wakes.register(self._pidfds[rank], select.POLLIN)

    def wait(self, timeout_s: float) -> list[Death]:
        """Block until ranks die, at most this long; returns those that did."""
        until_s = time.monotonic() + timeout_s
        while True:
            deaths = [self._bury(rank) for rank in self.living if _has_ended(self._living[rank])]
            left_s = until_s - time.monotonic()
            if deaths or not self._living or left_s <= 0:
                return deaths
            if self._pidfds.keys() == self._living.keys():
                self._wakes.poll(left_s * 1000)
            else:
                time.sleep(min(left_s, _BLIND_POLL_S))

    def wait_for_all(self, timeout_s: float) -> list[Death]:
        """Block until every rank has ended, at most this long; returns those that did."""
        until_s = time.monotonic() + timeout_s
        deaths: list[Death] = []
        while self._living and (left_s := until_s - time.monotonic()) > 0:
            deaths += self.wait(left_s)
        return deaths

    def signal(self, rank: int, number: signal.Signals) -> None:
        """Signal a living rank; its pid is its own until it is buried."""
        os.kill(self._living[rank].pid, number)

    def state(self, rank: int) -> str:
        """What the kernel says of a living rank: R running, S waiting, T stopped, D waiting inside the kernel."""
        pid = self._living[rank].pid
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            asked = subprocess.run(("ps", "-o", "state=", "-p", str(pid)), capture_output=True, text=True, check=False)
            return asked.stdout.strip()[:1] or "?"

    def end(self, polite_s: float) -> list[int]:
        """End everything: SIGTERM to the ranks, then SIGKILL to their process groups.

        Bounded by `polite_s` and a second, also when called again or interrupted. Returns the ranks that even SIGKILL
        did not end, because they wait inside the kernel.
        """
        try:
            for rank in self.living:
                self.signal(rank, signal.SIGTERM)
            self.wait_for_all(polite_s)
        finally:
            for process in self._living.values():
                _kill_group(process.pid)
            until_s = time.monotonic() + _KILLED_S
            self.wait_for_all(_KILLED_S)
            for process in self._started:
                while process.returncode is not None and not _group_is_gone(process.pid) and time.monotonic() < until_s:
                    time.sleep(0.005)
            for descriptor in self._pidfds.values():
                os.close(descriptor)
            self._pidfds.clear()
            self._dismiss_guard()
        return self.living

    def _bury(self, rank: int) -> Death:
        """Take a dead rank off the list, and its helpers with it."""
        seen_ns = time.monotonic_ns()
        process = self._living.pop(rank)
        _kill_group(process.pid)
        code = process.wait()
        self._tell_guard(-process.pid)
        if rank in self._pidfds:
            descriptor = self._pidfds.pop(rank)
            self._wakes.unregister(descriptor)
            os.close(descriptor)
        return Death(rank=rank, code=code, seen_ns=seen_ns)

    def _tell_guard(self, group: int) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            with suppress(BrokenPipeError):  # somebody killed the guard; the ranks' own parent-death signal is left
                self._guard.stdin.write(f"{group}\n".encode())

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()


@contextmanager
def _on_cores(cores: tuple[int, ...] | None) -> Iterator[None]:
    """Be on these cores for a moment: a process that is started meanwhile is on them from its first instruction."""
    if cores is None or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        if os.sched_getaffinity(0) != set(cores):  # the kernel drops forbidden cores from the set without a word
            raise OSError(f"cores {sorted(cores)} are not all free to use; {sorted(before)} are")
        yield
    finally:
        os.sched_setaffinity(0, before)


def _adopt_orphans() -> None:
    """Become the parent of what dead ranks leave, so that it can be waited for. macOS lacks it, and init collects."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    if sys.platform == "linux":
        # Without collecting it: until that is done its pid, and so its group's, cannot become a stranger's.
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return process.poll() is not None


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS says "not permitted" of a group of dead processes
        os.killpg(group, signal.SIGKILL)


def _group_is_gone(group: int) -> bool:
    """Whether nothing of a buried rank's group is left; collects those of it that became our children."""
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return True
    return False
