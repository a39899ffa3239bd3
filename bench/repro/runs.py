"""Starts repro runs through the local launcher, and makes capsules of what their ranks saw."""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import launchers
from bench.analysis.repro import distance
from bench.dna.machine import Machine
from bench.errors import CannotError, UsageError
from bench.plan import Configuration
from bench.planning import cores_of
from bench.repro import capsule
from bench.repro.capsule import Capsule, Part, RanksCheck, ReproRun
from bench.worker import job
from launchers import module_argv

RANK = module_argv("bench.worker.repro")
NUDGES = 5  # runs with every weight nudged
_WHOLE = 2**40  # elements: every one of them
_TIMEOUT_S, _STALL_S = 3600.0, 600.0

# What must stand before torch is imported, and what fixes the order in which NCCL adds.
_DETERMINISTIC = {
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "PYTHONHASHSEED": "0",
    "NCCL_ALGO": "Ring",
    "NCCL_PROTO": "Simple",
    "NCCL_NVLS_ENABLE": "0",
}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where repro runs are started."""

    machine: Machine
    ids: Mapping[str, str | None]  # of its fingerprint: hw_id, sw_id, num_id
    say: Callable[[str], None]  # told what begins
    argv: tuple[str, ...] = RANK  # what a rank is; tests plant their faults here


def parts_of(repro_run: ReproRun, stage: Stage) -> tuple[Part, ...]:
    """One repro run to its end; what each rank saw, in order of ranks.

    Raises:
        CannotError: a rank failed, with its last words.
        UsageError: the workload cannot be had.
    """
    configuration = repro_run.configuration
    settings = dict(_DETERMINISTIC)
    if configuration.cores_per_rank is not None:
        settings |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(configuration.cores_per_rank))
    with tempfile.TemporaryDirectory(prefix="bench-repro-") as name:
        folder = Path(name)
        repro_run.write(folder)
        command = launchers.Command(
            argv=stage.argv,
            ranks=configuration.processes,
            folder=folder,
            environment=settings,
            cores=cores_of(configuration, stage.machine),
            timeout_s=_TIMEOUT_S,
            stall_s=_STALL_S,
        )
        ending = launchers.find("local").open().launch(command, lambda _: None)
        if ending.status != "ok":
            raise _failure(folder, ending, configuration.processes)
        return tuple(capsule.read_part(folder, rank) for rank in range(configuration.processes))


def observed(repro_run: ReproRun, stage: Stage, how: str = " here") -> Capsule:
    """What is compared with a capsule: one repro run here."""
    stage.say(f"Rehearsing {repro_run.workload.steps} steps{how}")
    return Capsule(
        parts=parts_of(repro_run, stage),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        repro_run=repro_run,
        ids=stage.ids,
    )


def recorded(
    repro_run: ReproRun, stage: Stage, *, nudges: int = NUDGES, seeds: int = 0, ranks: Sequence[int] = ()
) -> Capsule:
    """A capsule of one repro run: what it saw, how far rounding drives it, and what else was asked for.

    Args:
        repro_run: what is run.
        stage: where.
        nudges: runs with every weight nudged, for the envelope; 0 for a capsule without one.
        seeds: runs that train with other seeds, for the accuracy they come to.
        ranks: numbers of ranks to be compared with one process.
    """
    found = observed(repro_run, stage, how=", every one written down")
    if nudges:
        near, far = _envelopes(repro_run, found.parts, stage, nudges)
        found = replace(found, envelope=near, envelope_other_device=far)
    if seeds:
        first = repro_run.workload.seed
        found = replace(found, finals=accuracies(repro_run, range(first, first + seeds), stage))
    if ranks:
        found = replace(found, ranks=ranks_checks(repro_run, ranks, stage))
    return found


def accuracies(repro_run: ReproRun, seeds: Iterable[int], stage: Stage) -> dict[int, float]:
    """Test accuracy after the last step, by seed.

    Raises:
        UsageError: synthetic data, of which nothing can be learned.
    """
    if repro_run.workload.data == "synthetic":
        raise UsageError("synthetic data has no accuracy to compare over seeds", "name real data: --data digits")
    found = {}
    for seed in seeds:
        stage.say(f"Training with seed {seed}")
        seeded = replace(repro_run, workload=replace(repro_run.workload, seed=seed), evaluate=True)
        top1 = parts_of(seeded, stage)[0].top1
        if top1 is not None:
            found[seed] = top1
    return found


def ranks_checks(repro_run: ReproRun, ranks: Sequence[int], stage: Stage) -> tuple[RanksCheck, ...]:
    """Hold the step-0 gradient of each number of ranks against that of one process on the same global batch.

    Raises:
        UsageError: the global batch cannot be shared out.
    """
    total = repro_run.configuration.batch_global
    if uneven := [count for count in ranks if total % count]:
        raise UsageError(f"{uneven[0]} ranks cannot share a global batch of {total}", "say another --batch, as 48")
    one_step = replace(repro_run.workload, steps=1)

    def first_gradients(configuration: Configuration, *, backwards: bool = False) -> Part:
        first = replace(repro_run, workload=one_step, configuration=configuration, backwards=backwards)
        return parts_of(replace(first, still=True, sample=_WHOLE), stage)[0]

    single = _spread(repro_run.configuration, 1)
    stage.say("Measuring how an order of adding rounds the gradients")
    found, backwards = first_gradients(single), first_gradients(single, backwards=True)
    checks = []
    for count in sorted(set(ranks) - {1}):
        stage.say(f"Holding {count} ranks against one process")
        checks.append(distance.check_ranks(found, backwards, first_gradients(_spread(repro_run.configuration, count))))
    return tuple(checks)


def _spread(configuration: Configuration, ranks: int) -> Configuration:
    """The same global batch, over so many ranks."""
    backend = "nccl" if configuration.device == "cuda" else "gloo"
    return replace(
        configuration,
        strategy="single" if ranks == 1 else "ddp",
        ranks=ranks,
        backend=None if ranks == 1 else backend,
        batch_per_rank=configuration.batch_global // ranks,
    )


def _envelopes(
    repro_run: ReproRun, reference: Sequence[Part], stage: Stage, nudges: int
) -> tuple[capsule.Envelope, capsule.Envelope | None]:
    """For this kind of device, and for another.

    The run again with its weights nudged, and on a CPU with another number of threads; the second also has runs
    with every product rounded otherwise. How that goes in narrower types than fp32 nobody has measured: no second one.
    """

    def again(where: str, again_runs: Iterable[ReproRun]) -> dict[str, tuple[Part, ...]]:
        runs = {}
        for number, each in enumerate(again_runs, start=1):
            stage.say(f"Measuring how far rounding goes{where}: {number} of {nudges}")
            parts = parts_of(each, stage)
            runs[str(parts[0].nudge)] = parts
        return runs

    perturbed = again("", (replace(repro_run, nudged=seed) for seed in range(nudges)))
    threads = repro_run.configuration.cores_per_rank
    if repro_run.configuration.device == "cpu" and threads and len(stage.machine.cpu_ids) > 1:
        other = 1 if threads > 1 else 2
        stage.say(f"Measuring how far rounding goes: on {other} thread{'s' * (other > 1)}")
        configuration = replace(repro_run.configuration, cores_per_rank=other)
        perturbed[f"threads {other}"] = parts_of(replace(repro_run, configuration=configuration), stage)
    near = distance.measured(reference, perturbed, repro_run.workload.precision)
    if repro_run.workload.precision != "fp32":
        return near, None
    kernels = again(" on another device", (replace(repro_run, other_kernels=seed) for seed in range(nudges)))
    return near, distance.measured(reference, perturbed | kernels, "fp32", distance.OTHER_DEVICE_FACTOR)


def _failure(folder: Path, ending: launchers.LaunchEnd, processes: int) -> Exception:
    for rank in range(processes):
        result = job.read_result(folder, rank) or {}
        if result.get("status") == "refused":
            return UsageError(result["reason"], result.get("hint") or "")
    last = ending.log_tail.strip().splitlines()[-1:] or [""]
    return CannotError(f"the rehearsal ended as {ending.status}: {ending.reason}", last[0][:200])
