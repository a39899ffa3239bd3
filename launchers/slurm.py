"""The Slurm launcher: one job for the whole study, and in it one step for each launch, with an agent at each node.

`bench` leads on the first node of the job. A fresh step for each launch means that Slurm, too, knows when all processes
of the one before have ended, and that a launch of fewer nodes goes on when a node of the job is lost.
"""

import os
import re
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Self

from launchers import LEAD, SUBMIT, Command, LaunchEnd, Request, hosts, module_argv
from launchers.agent_listener import AgentListener, NotAllHereError
from launchers.heartbeat import Beat
from launchers.sbatch import SlurmError, answer, run, script, submit
from launchers.wire import KEY_NAME, key_of

__all__ = ["SlurmError", "open", "role", "script", "submit"]

_BUSY_S = 30  # for what an earlier step held to be free again
_REPORT_S = 180.0  # for all agents of a step to report, from file systems that may be slow
_GOODBYE_S = 10.0  # for the agents to leave
_KILL_S = 10.0

# A label is written before each line of a task: its number, which is that of the node.
_TASK = re.compile(r"^\s*(\d+): on (\S+)$", re.MULTILINE)
_TOO_MANY = re.compile(r"count of allocated nodes \(0\+\d+>(\d+)\)")
_NODE_FAILURE = re.compile(r"Node failure on (\S+)")


def role(environ: Mapping[str, str]) -> str:
    """Inside a job, ours or one of `salloc`, this process leads; outside it submits."""
    return LEAD if "SLURM_JOB_ID" in environ else SUBMIT


def open(request: Request) -> "Slurm":  # noqa: A001, ARG001 - every launcher is opened alike
    """Who starts launches inside this job.

    Raises:
        SlurmError: no way from this node to the others of the job.
    """
    return Slurm(job=os.environ["SLURM_JOB_ID"], address=address_of(os.environ))


@dataclass(frozen=True, kw_only=True)
class Slurm:
    """Starts each launch as a step of the job that this process is in."""

    job: str
    address: str  # of this node, as the others reach it

    def launch(self, command: Command, watch: Callable[[list[Beat]], None]) -> LaunchEnd:
        """Run a launch to its end; see `launchers.supervise.supervise`.

        A node that Slurm gives up, or that it no longer has, ends the launch as `lost`, in Slurm's words. The folder
        receives `srun.log` beside what the ranks write.
        """
        began_s, cpu_s = time.monotonic(), time.process_time()
        key = secrets.token_hex()
        listener = AgentListener(key=key_of({KEY_NAME: key}))
        # In this order: an agent that has been told goodbye leaves, and then its step is over.
        with _Step(self, command, port=listener.address[1], key=key) as step, closing(listener):
            try:
                ending = hosts.launch(command, listener.wait_for(command.nodes, _REPORT_S, step.failure), watch)
            except NotAllHereError as error:
                ending = LaunchEnd(
                    status="lost",
                    reason=step.too_many() or str(error),
                    failed_rank=None,
                    exit_codes=(None,) * command.ranks,
                    duration_s=time.monotonic() - began_s,
                    supervisor_cpu_s=time.process_time() - cpu_s,
                    log_tail="",
                )
        return ending if ending.status == "ok" else step.explained(ending)

    def close(self) -> None:
        """Nobody waits: the agents of a launch leave with it."""


class _Step:
    """A step of the job that runs one agent a node."""

    def __init__(self, slurm: Slurm, command: Command, *, port: int, key: str) -> None:
        self._job, self._command = slurm.job, command
        self._name = f"bench-{secrets.token_hex(4)}"
        self._log = command.folder / "srun.log"
        with self._log.open("wb") as log:
            self._srun = subprocess.Popen(
                srun(command, name=self._name, leader=f"{slurm.address}:{port}"),
                env={**os.environ, KEY_NAME: key},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C in an salloc is for us, who let the launch end first
            )

    def failure(self) -> str | None:
        """Why no more agents will come; None while some may."""
        return None if self._srun.poll() is None else self._words() or f"srun ended with code {self._srun.returncode}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the agents, who have been told, to leave; a step that is not over by then is ended."""
        with suppress(subprocess.TimeoutExpired):
            self._srun.wait(_GOODBYE_S)
            return
        self._srun.terminate()  # of which srun makes a SIGKILL for all its tasks
        with suppress(subprocess.TimeoutExpired):
            self._srun.wait(_KILL_S)
            return
        with suppress(SlurmError):
            self._cancel()
        self._srun.kill()
        self._srun.wait()

    def too_many(self) -> str | None:
        """What to say when the job has lost so many nodes that this step cannot be."""
        left = _TOO_MANY.search(self._text())
        return f"the job has {left[1]} nodes left, and this launch needs {self._command.nodes}" if left else None

    def explained(self, ending: LaunchEnd) -> LaunchEnd:
        """The ending of a launch that failed, with what Slurm says of it.

        When a node fails Slurm ends the others' tasks too, and the leader may hear of those first: Slurm knows better.
        """
        text = self._text()
        if (failed := _NODE_FAILURE.search(text)) is not None:
            numbers = {name: int(number) for number, name in _TASK.findall(text)}
            node = numbers.get(failed[1])
            return replace(
                ending,
                status="lost",
                reason=f"Slurm has lost node {failed[1]}; {ending.reason}",
                failed_rank=ending.failed_rank if node is None else node * self._command.ranks_per_node,
            )
        if ending.status == "lost" and self.too_many() is None and (words := self._words()) not in str(ending.reason):
            return replace(ending, reason=f"{ending.reason}; srun: {words}")
        return ending

    def _text(self) -> str:
        return self._log.read_text(errors="replace")

    def _words(self) -> str:
        """What srun complained of."""
        errors = (line.partition("srun: error: ")[2].strip() for line in self._text().splitlines())
        return "; ".join(error for error in errors if error)

    def _cancel(self) -> None:
        listed = ("squeue", "--steps", "--noheader", f"--jobs={self._job}", "--format=%i %j")
        steps = (line.split() for line in run(*listed, patience_s=_KILL_S).stdout.splitlines())
        for number in (words[0] for words in steps if words[1:] == [self._name]):
            run("scancel", number, patience_s=_KILL_S)


def srun(command: Command, *, name: str, leader: str) -> tuple[str, ...]:
    """The step that runs one agent at each node of a launch.

    Args:
        command: the launch.
        name: of the step.
        leader: host and port where the agents report.
    """
    return (
        "srun",
        f"--job-name={name}",
        f"--nodes={command.nodes}",
        f"--ntasks={command.nodes}",
        "--ntasks-per-node=1",
        "--relative=0",  # always the first nodes that the job has: rows differ in their number and in nothing else
        # Without --cpus-per-task the step has all that the job has on these nodes, and the agent places the ranks.
        "--cpu-bind=none",
        "--mpi=none",
        f"--immediate={_BUSY_S}",
        "--kill-on-bad-exit=1",
        "--export=ALL",
        "--input=none",
        "--label",
        # It says where it is, in srun's log: that is how a node's name becomes a number.
        *("sh", "-c", 'echo "on $SLURMD_NODENAME"; exec "$@" --node "$SLURM_PROCID"', "sh"),
        *module_argv("launchers.agent", leader),
    )


def address_of(environ: Mapping[str, str]) -> str:
    """The address of this node from which a route to another one of the job leaves; the loopback when there is none.

    A host's own name will not do: on many systems it is an address of the loopback.

    Raises:
        SlurmError: another node cannot be found.
    """
    try:
        names = answer("scontrol", "show", "hostnames", environ["SLURM_JOB_NODELIST"])
    except SlurmError as error:
        raise SlurmError(f"the nodes of this job cannot be told: {error}") from error
    own = environ.get("SLURMD_NODENAME", socket.gethostname().partition(".")[0])
    others = [name for name in names.split() if name != own]
    if not others:
        return "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((others[0], 9))  # sends nothing
        except OSError as error:
            raise SlurmError(f"no way from node {own} to node {others[0]}: {error}") from error
        return str(probe.getsockname()[0])
