"""Runs one launch to its end: starts the ranks, watches them, and leaves nothing behind.

A rank pool owns the processes, a `Watchdog` listens for silence, `findings` judges. This file is the order of things,
the same whether the ranks are on this host or on many.
"""

import signal
import time
from collections.abc import Callable

from launchers import Command, LaunchEnd, findings, flight_recorder
from launchers.findings import LaunchFinding
from launchers.heartbeat import Beat
from launchers.rank_pool import Death, RankPool, StartError, wait_for_all
from launchers.watchdog import Patience, Watchdog


def supervise(
    pool: RankPool, command: Command, watch: Callable[[list[Beat]], None], patience: Patience | None = None
) -> LaunchEnd:
    """Run a launch to its end and say how it ended; afterwards none of its processes is left.

    An exception out of `watch`, a KeyboardInterrupt and whatever a signal handler raises end all ranks too, and are
    then raised again.

    Args:
        pool: who starts the ranks and can reach them.
        command: what to start, and for how long. Its folder receives `rankN.log` beside what the ranks write.
        watch: called a few times a second with every rank's last beat.
        patience: of the supervisor.

    Returns:
        The ending. A rank says its own in `rankN.json`, an object with "status", "reason" and, to tell who failed
        first, "monotonic_ns"; one that ends without having said "ok" has failed, whatever its exit code. Where all
        have said it the launch is ok, whatever ends them afterwards. One that
        beats its heart must bear SIGUSR1: it is asked for its stacks before a hang is ended.
    """
    began_s, cpu_s = time.monotonic(), time.process_time()
    patience = patience or Patience()
    undead: list[int] = []
    try:
        finding = _watched(pool, command, watch, patience)
    finally:
        undead = pool.end(patience.polite_s)
    if all(findings.rank_result(command.folder, rank).get("status") == "ok" for rank in range(command.ranks)):
        finding = LaunchFinding(status="ok")  # the work was done: what ended them came after, and takes nothing away
    reason = finding.reason
    if undead:
        reason = f"{reason}; rank {undead[0]} waits inside the kernel and cannot be ended"
    return LaunchEnd(
        status=finding.status,
        reason=reason,
        failed_rank=finding.rank,
        exit_codes=pool.codes,
        duration_s=time.monotonic() - began_s,
        supervisor_cpu_s=time.process_time() - cpu_s,
        log_tail=finding.log_tail(command.folder),
    )


def _watched(
    pool: RankPool, command: Command, watch: Callable[[list[Beat]], None], patience: Patience
) -> LaunchFinding:
    """Start and watch until all has ended well or anything has not."""
    try:
        pool.start()
    except StartError as error:
        return LaunchFinding(status="crash", reason=str(error), rank=error.rank)
    now_s = time.monotonic()
    until_s = now_s + command.timeout_s
    watchdog = Watchdog(command.ranks, command.stall_s, patience, now_s)
    deaths: list[Death] = []
    while True:
        died = pool.wait(max(0.0, min(patience.look_s, until_s - time.monotonic())))
        deaths += died
        beats = pool.beats()
        watch(beats)
        if any(findings.has_failed(command.folder, death) for death in died):
            states = pool.states(pool.living)
            if any(state in findings.STOPPED for state in states.values()):  # a peer lost patience before we did
                return findings.hang(beats, watchdog.quiet_s, states)
            deaths += wait_for_all(pool, patience.peers_s)
            break
        if not pool.living:
            break
        now_s = time.monotonic()
        finding = None
        states = pool.states(watchdog.look(beats, pool.living, now_s))
        # A rank may wait for another that is busy and says so; it hangs only when nobody moves, or when it cannot.
        if states and (len(states) == len(pool.living) or any(state in findings.STOPPED for state in states.values())):
            finding = findings.hang(beats, watchdog.quiet_s, states)
        elif now_s >= until_s:
            finding = findings.timeout(beats, pool.living, command.timeout_s)
        if finding is not None:
            over_nccl = flight_recorder.is_wanted(command.environment)
            _ask_for_stacks(pool, beats, flight_recorder.DUMP_S if over_nccl else patience.stacks_s)
            return finding if over_nccl else findings.by_stacks(command.folder, finding)
    # The last beats of those that died while we waited for their peers, too.
    return findings.from_deaths(command.folder, deaths, pool.beats()) or LaunchFinding(status="ok")


def _ask_for_stacks(pool: RankPool, beats: list[Beat], wait_s: float) -> None:
    """Have the ranks write where they are into their logs; one that has never spoken is not ready to, and would die."""
    pool.signal([rank for rank in pool.living if beats[rank].monotonic_ns], signal.SIGUSR1)
    wait_for_all(pool, wait_s)
