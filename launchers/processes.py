"""The processes of one launch on this host: started, waited for, and ended together with whatever they started."""

import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from launchers import Command, control_groups, flight_recorder, guard, heartbeat
from launchers.environment import environment
from launchers.findings import log_file
from launchers.heartbeat import Beat
from launchers.rank_pool import Death, StartError, wait_for_all

_BLIND_POLL_S = 0.05  # where the system cannot wake us at a death
_KILLED_S = 1.0  # SIGKILL takes no longer, but for a process that waits inside the kernel
_REACHED_S = 5.0  # one's own address answers at once, or not at all
_PR_SET_CHILD_SUBREAPER = 36
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class NodeSpec:
    """The part of a launch that runs on this host."""

    command: Command
    node: int = 0
    cores: tuple[tuple[int, ...], ...] | None  # CPU ids of each rank of this host; None: not pinned
    settings: Mapping[str, str] = field(default_factory=dict)  # for every rank of this host, beside the launch's own

    @property
    def ranks(self) -> range:
        """Their numbers among those of all nodes."""
        count = self.command.ranks_per_node
        return range(self.node * count, (self.node + 1) * count)


def listen(address: str) -> socket.socket:
    """A socket on which the ranks will meet; an OSError where it cannot be reached, and ranks would wait for long.

    Bound here and handed over: a port that was only looked up can be taken by another before it is used.
    """
    try:
        with socket.create_server((address, 0)) as probe:  # not the real one, which would take this for a rank
            socket.create_connection(probe.getsockname(), timeout=_REACHED_S).close()
    except OSError as error:
        raise OSError(f"{address} cannot be reached: {error.strerror or error}") from error
    return socket.create_server((address, 0), backlog=1024)


class LocalRankPool:
    """The ranks of one host; see `launchers.rank_pool.RankPool`."""

    def __init__(self, spec: NodeSpec, meeting: tuple[str, int] | None = None) -> None:
        """Nothing is started yet.

        Args:
            spec: what to start here.
            meeting: host and port where rank 0 listens, for ranks on several nodes; None: all are here, and meet on
                the loopback.
        """
        self._spec, self._command, self._meeting = spec, spec.command, meeting
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._living: dict[int, subprocess.Popen[bytes]] = {}
        self._pidfds: dict[int, int] = {}
        self._wakes = select.poll()
        self._guard: subprocess.Popen[bytes] | None = None
        self._oom_kills: int | None = None

    @property
    def living(self) -> list[int]:
        return sorted(self._living)

    @property
    def codes(self) -> tuple[int | None, ...]:
        """Exit code of each rank of this host, negative for a signal; None: never started, or cannot be ended."""
        return tuple(self._started[rank].returncode if rank in self._started else None for rank in self._spec.ranks)

    def start(self, listener: socket.socket | None = None) -> None:
        """Start every rank of this host; with a listener that is already bound, it is the one rank 0 is handed.

        Raises:
            StartError: a rank cannot be started, or not on its cores. Those before it are running.
        """
        _adopt_orphans()
        self._oom_kills = control_groups.oom_kills()
        # Isolated and without site-packages: it must not depend on what is installed, and starts in 10 ms.
        self._guard = subprocess.Popen(
            (sys.executable, "-I", "-S", guard.__file__, str(self._command.folder), str(os.getpid())),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        rank = self._spec.ranks[0]
        try:
            if listener is None and self._meeting is None and self._command.ranks > 1:
                listener = listen(LOOPBACK)
            meeting = self._meeting or (LOOPBACK, listener.getsockname()[1] if listener is not None else 0)
            for rank in self._spec.ranks:
                self._start(rank, meeting, listener)
        except OSError as error:
            raise StartError(rank, error) from error
        finally:
            if listener is not None:
                listener.close()  # rank 0 holds it now; ours would keep it open to others after rank 0 has died

    def _start(self, rank: int, meeting: tuple[str, int], listener: socket.socket | None) -> None:
        spec, command = self._spec, self._command
        local_rank = rank - spec.ranks[0]
        own = {
            **flight_recorder.settings(command.folder),
            **spec.settings,
            "RANK": str(rank),
            "WORLD_SIZE": str(command.ranks),
            "LOCAL_RANK": str(local_rank),
            "LOCAL_WORLD_SIZE": str(command.ranks_per_node),
            "GROUP_RANK": str(spec.node),  # torchrun's name for the number of a node
            "MASTER_ADDR": meeting[0],
            "MASTER_PORT": str(meeting[1]),
            "BENCH_RUN_FOLDER": str(command.folder),
            "BENCH_SUPERVISOR_PID": str(os.getpid()),
        }
        handed: tuple[int, ...] = ()
        if rank == 0 and listener is not None:
            handed = (listener.fileno(),)
            own["BENCH_LISTEN_FD"] = str(listener.fileno())
        cores = spec.cores[local_rank] if spec.cores is not None else None
        # A file for each: a pipe that nobody empties would block a rank in the middle of a step.
        with log_file(command.folder, rank).open("wb") as log, _on_cores(cores):
            process = subprocess.Popen(
                command.argv,
                env=environment({**command.environment, **own}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=handed,
            )
        self._started[rank] = process
        self._living[rank] = process
        self._notify_guard(process.pid)
        if sys.platform == "linux":
            with suppress(OSError):  # an old kernel or a strict container: we look instead of being woken
                self._pidfds[rank] = os.pidfd_open(process.pid)
                self._wakes.register(self._pidfds[rank], select.POLLIN)

    def wait(self, timeout_s: float) -> list[Death]:
        until_s = time.monotonic() + timeout_s
        while True:
            deaths = [self._reap(rank) for rank in self.living if _has_ended(self._living[rank])]
            left_s = until_s - time.monotonic()
            if deaths or not self._living or left_s <= 0:
                return deaths
            if self._pidfds.keys() == self._living.keys():
                self._wakes.poll(left_s * 1000)
            else:
                time.sleep(min(left_s, _BLIND_POLL_S))

    def beats(self) -> list[Beat]:
        return [heartbeat.read(self._command.folder, rank) for rank in self._spec.ranks]

    def signal(self, ranks: Collection[int], number: signal.Signals) -> None:
        """Signal living ranks; a pid is its rank's own until that is reaped."""
        for rank in ranks:
            if number == signal.SIGUSR1:  # the question where it is
                flight_recorder.ask(self._command.folder, rank)
            os.kill(self._living[rank].pid, number)

    def states(self, ranks: Collection[int]) -> dict[int, str]:
        return {rank: _state(self._living[rank].pid) for rank in ranks}

    def end(self, polite_s: float) -> list[int]:
        """End everything: SIGTERM to the ranks, then SIGKILL to their process groups.

        Bounded by `polite_s` and a second, also when called again or interrupted. Returns the ranks that even SIGKILL
        did not end, because they wait inside the kernel.
        """
        try:
            self.signal(self.living, signal.SIGTERM)
            wait_for_all(self, polite_s)
        finally:
            for process in self._living.values():
                _kill_group(process.pid)
            until_s = time.monotonic() + _KILLED_S
            wait_for_all(self, _KILLED_S)
            for process in self._started.values():
                while process.returncode is not None and not _group_is_gone(process.pid) and time.monotonic() < until_s:
                    time.sleep(0.005)
            self._end_strays(until_s)
            for descriptor in self._pidfds.values():
                os.close(descriptor)
            self._pidfds.clear()
            if self._guard is not None:
                self._guard.kill()
                self._guard.communicate()
        return self.living

    def _end_strays(self, until_s: float) -> None:
        """End what has left its rank's process group, as daemons do, and collect it."""
        strays: list[int] = []
        while (found := guard.end_strays(str(self._command.folder), os.getpid())) and time.monotonic() < until_s:
            strays += found
            time.sleep(0.005)
        for pid in strays:  # ours by now, where we adopt orphans: whoever started it is dead
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    def _reap(self, rank: int) -> Death:
        """Take a dead rank off the list, and its helpers with it."""
        seen_ns = time.monotonic_ns()
        process = self._living.pop(rank)
        _kill_group(process.pid)
        code = process.wait()
        self._notify_guard(-process.pid)
        if rank in self._pidfds:
            descriptor = self._pidfds.pop(rank)
            self._wakes.unregister(descriptor)
            os.close(descriptor)
        return Death(
            rank=rank,
            code=code,
            seen_ns=seen_ns,
            node=self._spec.node,
            oom_killed=code == -signal.SIGKILL and control_groups.oom_kills() != self._oom_kills,
        )

    def _notify_guard(self, group: int) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            with suppress(BrokenPipeError):  # somebody killed the guard; the ranks' own parent-death signal is left
                self._guard.stdin.write(f"{group}\n".encode())


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


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        asked = subprocess.run(("ps", "-o", "state=", "-p", str(pid)), capture_output=True, text=True, check=False)
        return asked.stdout.strip()[:1] or "?"


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    if sys.platform == "linux":
        # Without collecting it: until that is done its pid, and so its group's, cannot become a stranger's.
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return process.poll() is not None


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS says "not permitted" of a group of dead processes
        os.killpg(group, signal.SIGKILL)


def _group_is_gone(group: int) -> bool:
    """Whether nothing of a reaped rank's group is left; collects those of it that became our children."""
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return True
    return False
