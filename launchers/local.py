"""The local launcher: a supervisor on this host that starts the ranks, watches them, and leaves nothing behind.

`processes` owns the processes, `watchdog` listens for silence, `findings` judges. This file is the order of things.
"""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from launchers import Command, Ending, findings, heartbeat, oom
from launchers.environment import environment
from launchers.findings import Finding
from launchers.heartbeat import Beat
from launchers.processes import Crew, Death
from launchers.watchdog import Watchdog

__all__ = ["Limits", "environment", "launch"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How patient the supervisor is, beyond what a `Command` says."""

    look_s: float = 0.25  # between two looks at the heartbeats; a death is seen at once
    startup_s: float = 180.0  # silence allowed before the first step and after the last
    finish_s: float = 60.0  # silence allowed once another rank has ended well
    stacks_s: float = 0.2  # for ranks that hang, to write their stacks into their logs
    peers_s: float = 0.5  # for the others to see that a peer is gone, and say so
    polite_s: float = 0.5  # from SIGTERM to SIGKILL


def launch(command: Command, watch: Callable[[list[Beat]], None], limits: Limits | None = None) -> Ending:
    """Run a launch to its end and say how it ended; afterwards none of its processes is left.

    An exception out of `watch`, a KeyboardInterrupt and whatever a signal handler raises end all ranks too, and are
    then raised again.

    Args:
        command: what to start, and for how long. Its folder receives `rankN.log` beside what the ranks write.
        watch: called a few times a second with every rank's last beat.
        limits: patience of the supervisor.

    Returns:
        The ending. A rank says its own in `rankN.json`, an object with "status", "reason" and, to tell who failed
        first, "monotonic_ns"; one that ends without having said "ok" has failed, whatever its exit code. One that
        beats its heart must bear SIGUSR1: it is asked for its stacks before a hang is ended.
    """
    began_s, cpu_s = time.monotonic(), time.process_time()
    crew = Crew(command)
    limits = limits or Limits()
    undead: list[int] = []
    try:
        finding = _supervise(crew, command, watch, limits)
    finally:
        undead = crew.end(limits.polite_s)
    reason = finding.reason
    if undead:
        reason = f"{reason}; rank {undead[0]} waits inside the kernel and cannot be ended"
    return Ending(
        status=finding.status,
        reason=reason,
        failed_rank=finding.rank,
        exit_codes=crew.codes,
        duration_s=time.monotonic() - began_s,
        supervisor_cpu_s=time.process_time() - cpu_s,
        log_tail=findings.log_tail(command.folder, finding.look_at),
    )


def _supervise(crew: Crew, command: Command, watch: Callable[[list[Beat]], None], limits: Limits) -> Finding:
    """Start and watch until all has ended well or anything has not."""
    oom_kills = oom.kills()
    try:
        crew.start()
    except OSError as error:
        return Finding(status="crash", reason=f"rank {crew.started} could not be started: {error}", rank=crew.started)
    now_s = time.monotonic()
    until_s = now_s + command.timeout_s
    watchdog = Watchdog(
        command.ranks,
        now_s=now_s,
        stall_s=command.stall_s,
        startup_s=limits.startup_s,
        finish_s=limits.finish_s,
    )
    deaths: list[Death] = []
    while True:
        died = crew.wait(max(0.0, min(limits.look_s, until_s - time.monotonic())))
        deaths += died
        beats = [heartbeat.read(command.folder, rank) for rank in range(command.ranks)]
        watch(beats)
        if any(findings.has_failed(command.folder, death) for death in died):
            states = {rank: crew.state(rank) for rank in crew.living}
            if any(state in findings.STOPPED for state in states.values()):  # a peer lost patience before we did
                return findings.hang(beats, watchdog.quiet_s, states)
            deaths += crew.wait_for_all(limits.peers_s)
            break
        if not crew.living:
            break
        now_s = time.monotonic()
        finding = None
        states = {rank: crew.state(rank) for rank in watchdog.look(beats, crew.living, now_s)}
        # A rank may wait for another that is busy and says so; it hangs only when nobody moves, or when it cannot.
        if states and (len(states) == len(crew.living) or any(state in findings.STOPPED for state in states.values())):
            finding = findings.hang(beats, watchdog.quiet_s, states)
        elif now_s >= until_s:
            finding = findings.timeout(beats, crew.living, command.timeout_s)
        if finding is not None:
            _ask_for_stacks(crew, beats, limits.stacks_s)
            return finding
    return findings.from_deaths(command.folder, deaths, beats, oom_killed=oom.kills() != oom_kills) or Finding(
        status="ok"
    )


def _ask_for_stacks(crew: Crew, beats: list[Beat], wait_s: float) -> None:
    """Have the ranks write where they are into their logs; one that has never spoken is not ready to, and would die."""
    for rank in crew.living:
        if beats[rank].monotonic_ns:
            crew.signal(rank, signal.SIGUSR1)
    crew.wait_for_all(wait_s)
