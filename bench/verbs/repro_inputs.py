"""What `bench repro` runs and repeats: flags, capsules and plans of others into what this machine can do."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bench import plan as nouns
from bench import planning
from bench.dna.machine import Machine
from bench.errors import CannotError, UsageError
from bench.plan import Configuration, Plan
from bench.repro.capsule import ReproRun
from bench.verbs.study_request import account_of, new_study_id, settings_of

STEPS = 50


def asked(flags: Mapping[str, Any], profile: str | None, machine: Machine) -> tuple[ReproRun, tuple[int, ...], str]:
    """What is to be recorded, the numbers of ranks to compare with it, and what to do beside another study.

    Raises:
        UsageError: there is no repro run of what is asked for.
    """
    said = {"steps": STEPS, **flags}
    settings = settings_of(said, profile)
    ranks = settings.scale.ranks if "ranks" in flags and isinstance(settings.scale.ranks, tuple) else ()
    several = len(set(ranks)) > 1
    if several:
        said |= {"scaling": "strong", "strategy": "single,ddp", "allow_oversubscribe": True}
        if settings.origins["scale.batch"] == "default":  # the next one that all of them can share out
            shared = math.lcm(*ranks)
            said["batch"] = shared * math.ceil(settings.scale.batch / shared)
        settings = settings_of(said, profile)
    plan = planning.build(
        settings,
        machine,
        study_id="repro",
        created_at="",
        command="",
        order_seed=0,
        one_row=not several,
        data=account_of(settings),
    )
    row = plan.baseline if several else plan.configurations[0]
    if row.strategy == "dp":
        raise UsageError("DataParallel cannot be rehearsed: its replicas live for one step", "--strategy single or ddp")
    workload = replace(plan.workload, steps=settings.measure.steps, seconds=None, epochs=None, warmup_steps=0)
    repro_run = ReproRun(workload=workload, configuration=row)
    return repro_run, tuple(sorted(set(ranks))) if several else (), settings.study.when_busy


def placed(
    repro_run: ReproRun, machine: Machine, device: str | None, cores_per_rank: int | None, data_dir: str | None
) -> ReproRun:
    """The capsule's run on this machine.

    Raises:
        CannotError: it needs a device that is not here.
    """
    theirs = repro_run.configuration
    kind = device or theirs.device
    there_are = {"cpu": len(machine.cpu_ids), "cuda": machine.cuda_devices, "mps": int(machine.mps)}[kind]
    if kind != "cpu" and there_are < theirs.processes:
        hint = "rehearse it on another kind, which is then named as the cause: --device cpu"
        raise CannotError(f"the rehearsal needs {theirs.processes} {kind} devices; this machine has {there_are}", hint)
    cores = cores_per_rank or (theirs.cores_per_rank if kind == theirs.device else None)
    if kind == "cpu":
        cores = min(cores or there_are, there_are)
    backend = ("nccl" if kind == "cuda" else "gloo") if theirs.backend else None
    configuration = replace(theirs, device=kind, backend=backend, cores_per_rank=cores)
    return replace(repro_run, configuration=configuration, workload=replace(repro_run.workload, data_dir=data_dir))


def here(found: Plan, machine: Machine, data_dir: str | None) -> Plan:
    """Somebody's plan under a new name, with the rows that this machine can run.

    Raises:
        CannotError: there is none.
    """
    study_id = new_study_id(found.workload.model)
    rows = tuple(row for row in found.configurations if _fits(row, machine, oversubscribed=found.oversubscribed))
    left_out = tuple(
        nouns.Unrunnable(configuration=row, reason="this machine has too little for it")
        for row in found.configurations
        if row not in rows
    )
    if not rows:
        raise CannotError(
            f"no row of {found.study_id} can run on this machine", "see what it needs: bench show STUDY --store BUNDLE"
        )
    return replace(
        found,
        study_id=study_id,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        workload=replace(found.workload, data_dir=data_dir),
        configurations=rows,
        unrunnable=(*found.unrunnable, *left_out),
        launches=nouns.in_rounds(study_id, rows, found.rounds, found.order_seed, found.seeds),
        launcher="local",
    )


def _fits(row: Configuration, machine: Machine, *, oversubscribed: bool) -> bool:
    if row.nodes > 1:
        return False
    if row.device == "cpu":
        return oversubscribed or row.processes * (row.cores_per_rank or 1) <= len(machine.cpu_ids)
    return row.ranks <= (machine.cuda_devices if row.device == "cuda" else int(machine.mps))
