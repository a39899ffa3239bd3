"""A whole study as one Slurm job: the script that is submitted, and what Slurm's own commands say of it.

The job asks for the most nodes of any row. `bench` itself leads on the first of them, and each launch is one step of
the job; see `launchers.slurm`.
"""

import shlex
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launchers import Request, bench_argv, module_argv
from launchers.findings import tail

_ASKS = ("partition", "account", "qos", "time", "constraint", "reservation", "mem")  # #SBATCH options of the same name
_OPTIONS = (*_ASKS, "exclusive", "requeue", "extra", "setup")

# Before the time limit, for what has been measured to be printed; the launch that runs then has no row.
_WARNING_S = 60
_WATCH_EVERY_S = 60
_PATIENCE_S = 60.0  # a busy controller takes many seconds


class SlurmError(RuntimeError):
    """Slurm refuses, in its own words, or is not here."""


def script(words: tuple[str, ...], request: Request) -> str:
    """The job, exactly as it is submitted.

    Args:
        words: of the command line after `bench`, which the job runs again as the leader.
        request: what to ask for. Its options are those of `[slurm]` in bench.toml; one that is None is not said.

    Raises:
        SlurmError: an unknown option, or text that would break out of its line.
    """
    options = {name: value for name, value in request.options.items() if value is not None}
    if unknown := sorted(options.keys() - set(_OPTIONS)):
        raise SlurmError(f"[slurm] has no {', '.join(unknown)}; it has {', '.join(_OPTIONS)}")
    lines = [f"#SBATCH {_one_line(line)}" for line in _asked_for(request, options)]
    return "\n".join(
        (
            "#!/bin/bash",
            *lines,
            "",
            # Not -u: what `module load` and `conda activate` run reads variables that are not set.
            "set -eo pipefail",
            *(_one_line(line) for line in options.get("setup", ())),
            *((_node_watch(),) if request.nodes > 1 else ()),
            "# A study of this name is begun once and gone on with afterwards: a requeued job repeats nothing.",
            f"export BENCH_STUDY={shlex.quote(_one_line(request.name))}",
            f"exec {shlex.join(bench_argv(*words))}",
            "",
        )
    )


def _asked_for(request: Request, options: Mapping[str, Any]) -> Iterator[str]:
    yield f"--job-name={shlex.quote(request.name)}"
    yield f"--nodes={request.nodes}"
    yield "--ntasks-per-node=1"  # the supervisor of that node's ranks
    if request.cores_per_rank is not None:
        yield f"--cpus-per-task={request.ranks_per_node * request.cores_per_rank}"
    if request.gpus_per_node:
        yield f"--gpus-per-node={request.gpus_per_node}"
    if options.get("exclusive", True):
        yield "--exclusive"
    for name in _ASKS:
        if name in options:
            yield f"--{name}={shlex.quote(str(options[name]))}"
    yield "--requeue" if options.get("requeue", True) else "--no-requeue"
    yield "--no-kill"  # a node that is lost costs one launch, and not the study
    yield f"--signal=B:TERM@{_WARNING_S}"
    yield "--open-mode=append"  # else a requeue empties the log of the first attempt
    for line in options.get("extra", ()):
        if not line.startswith("-"):
            raise SlurmError(f"extra in [slurm] takes options of sbatch, as in --mail-type=END, and not {line!r}")
        yield line


def _node_watch() -> str:
    """Has another node look after the leader's; see `launchers.node_watch`."""
    # It shares what it runs on, so that the launches' steps can have it all. What srun says when the job ends and takes
    # it along would stand below bench's own last words.
    step = "srun --overlap --relative=1 --nodes=1 --ntasks=1 --mem=0 --mpi=none --input=none"
    watch = shlex.join(module_argv("launchers.node_watch"))
    return f'{step} {watch} "$SLURMD_NODENAME" {_WATCH_EVERY_S} >/dev/null 2>&1 &'


def _one_line(text: str) -> str:
    if len(text.splitlines()) > 1:
        raise SlurmError(f"a line of a job cannot hold a line break: {text!r}")
    return text


@dataclass(frozen=True, kw_only=True)
class SlurmJob:
    """A study in Slurm's queue; see `launchers.Submitted`."""

    name: str  # its number
    log: Path  # what it writes

    def state(self) -> str:
        """As in "PENDING (Resources)" or "RUNNING"; empty once it is over."""
        asked = run("squeue", "--noheader", f"--jobs={self.name}", "--format=%T (%r)")
        if asked.returncode and "Invalid job id" not in asked.stderr:  # a job that ended long ago is forgotten
            return f"not known: {complaint(asked)}"
        return asked.stdout.strip().removesuffix(" (None)")

    def drain(self) -> None:
        """Have it end after the launch that is running; at once, when none has begun."""
        run("scancel", "--state=PENDING", self.name)
        run("scancel", "--signal=INT", "--batch", self.name)

    def cancel(self) -> None:
        """Have it end now.

        Raises:
            SlurmError: Slurm did not take it.
        """
        answer("scancel", self.name)

    def log_tail(self) -> str:
        """The last lines that it wrote, as far as they can be read from here."""
        return tail(self.log)


def submit(words: tuple[str, ...], request: Request, folder: Path) -> SlurmJob:
    """Submit the study from the current folder, in which the job runs too.

    Args:
        words: of the command line after `bench`.
        request: what to ask for.
        folder: keeps what was submitted, as `job.sh`, and what the job writes, as `slurm-NUMBER.log`.

    Raises:
        SlurmError: Slurm refuses, or is not here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    job = folder.resolve() / "job.sh"
    job.write_text(script(words, request))
    log = str(job.parent).replace("%", "%%")  # which stands for a number of Slurm's otherwise
    submitted = answer("sbatch", "--parsable", f"--output={log}/slurm-%j.log", str(job))
    name = submitted.partition(";")[0]  # NUMBER;CLUSTER where there are several clusters
    return SlurmJob(name=name, log=job.with_name(f"slurm-{name}.log"))


def run(*argv: str, patience_s: float = _PATIENCE_S) -> subprocess.CompletedProcess[str]:
    """A command that has ended, well or not.

    Raises:
        SlurmError: there is no such command, or it has not ended for `patience_s`.
    """
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=patience_s
        )
    except FileNotFoundError as error:
        raise SlurmError(f"{argv[0]} is not here: a job is submitted where Slurm's commands are") from error
    except subprocess.TimeoutExpired as error:
        raise SlurmError(f"{argv[0]} has said nothing for {patience_s:g} s") from error


def answer(*argv: str) -> str:
    """What a command that ended well printed.

    Raises:
        SlurmError: it complained, or as `run`.
    """
    ended = run(*argv)
    if ended.returncode:
        raise SlurmError(complaint(ended))
    return ended.stdout.strip()


def complaint(ended: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed said."""
    lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
    return "; ".join(line.removeprefix(f"{ended.args[0]}: ").removeprefix("error: ") for line in lines) or (
        f"{ended.args[0]} ended with code {ended.returncode}"
    )
