"""Settings and a machine in, a plan out: which rows, on which cores, in which order, at what cost. Pure."""

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from bench.account import Account
from bench.dna.machine import Machine
from bench.errors import UsageError
from bench.plan import Configuration, Plan, Workload, in_rounds
from bench.planning import cost, placement, recipe_for_run
from bench.planning.placement import cores_of
from bench.planning.rows import rows_of
from bench.recipe import Phase
from bench.settings import Settings

__all__ = ["build", "cores_of", "new_study_id"]

MINIMUM_ROUNDS = 3  # the fewest that give an interval
VERDICT_ROUNDS = 6  # the fewest whose exact paired test can reach 5 %

_WINDOW_TIMEOUT_S = 3600.0
_TRAINING_TIMEOUT_S = 24 * 3600.0  # whole epochs may take hours; a launch that hangs is found by its missing steps


def build(
    settings: Settings,
    machine: Machine,
    *,
    study_id: str,
    created_at: str,
    command: str,
    order_seed: int,
    one_row: bool = False,
    data: Account | None = None,
) -> Plan:
    """The whole study, before anything is started.

    Args:
        settings: what is asked for.
        machine: what there is to run it on.
        study_id: its name, see `new_study_id`.
        created_at: UTC, ISO 8601.
        command: what repeats it.
        order_seed: seed of the order of launches within each round.
        one_row: for `bench run`: one configuration, without a baseline beside it.
        data: what was found of the data; None: there is nothing to find.

    Raises:
        UsageError: the request contradicts itself: a batch that cannot be shared, more cores than there are, fewer
            pictures than a batch.
        CannotError: no row that was asked for can run on this machine.
    """
    rows = rows_of(settings, machine, one_row=one_row)
    workload = _workload(settings)
    recipe_for_run.check_rows(workload.recipe, rows.runnable)
    measure, study = settings.measure, settings.study
    origins = dict(settings.origins)
    samples = sum(data.training) if data is not None else 0
    if data is not None:
        _refuse_too_few(data, rows.runnable)
    estimates = {row.key: cost.parts_s(workload, row, samples) for row in rows.runnable}
    round_s = sum(map(sum, estimates.values()))
    rounds = measure.rounds
    if study.budget is not None:
        affordable = max(MINIMUM_ROUNDS, math.floor(study.budget / round_s))
        if affordable < rounds:
            rounds = affordable
            origins["measure.rounds"] = f"{origins['study.budget']} ({measure.rounds} asked for)"
    return Plan(
        study_id=study_id,
        created_at=created_at,
        command=command,
        workload=workload,
        scaling=settings.scale.scaling,
        baseline=rows.baseline,
        configurations=rows.runnable,
        unrunnable=rows.unrunnable,
        launches=in_rounds(study_id, rows.runnable, rounds, order_seed, measure.seeds or ()),
        seeds=measure.seeds or (),
        rounds=rounds,
        order_seed=order_seed,
        # Rounds that the budget took away take the verdicts with them.
        quick=measure.quick or (rounds < measure.rounds and rounds < VERDICT_ROUNDS),
        margin=study.margin,
        timeout_s=study.timeout or (_TRAINING_TIMEOUT_S if measure.epochs else _WINDOW_TIMEOUT_S),
        stall_s=study.stall,
        budget_s=study.budget,
        oversubscribed=rows.oversubscribed,
        origins=origins,
        settings=_values(settings) | {"measure.rounds": rounds},
        launcher=study.launcher,
        profile=settings.profile,
        published=settings.published,
        targets=dict(settings.targets),
        keep=settings.keep,
        machine_notes=tuple(placement.notes(rows.runnable, machine, settings.scale.device)),
        placement=placement.words(rows.runnable, machine),
        data_notes=data.sentences if data is not None and data.found else (),
        notes=(*recipe_for_run.notes(settings, workload.recipe, rows.runnable), *_notes(workload, rows.runnable)),
        not_passed=settings.not_passed,
        estimated_s=rounds * round_s,
        estimates=estimates,
        estimated_bytes=rounds * sum(cost.launch_bytes(workload, row, samples) for row in rows.runnable),
    )


def _notes(workload: Workload, rows: Sequence[Configuration]) -> Iterator[str]:
    """What a reader would want to know before waiting for it."""
    if workload.precision == "fp16" and any(row.device == "cpu" for row in rows):
        yield "fp16: most CPUs compute it a hundred times slower than bf16, which is --precision bf16."


def _refuse_too_few(data: Account, rows: Sequence[Configuration]) -> None:
    samples, largest = sum(data.training), max(row.batch_global for row in rows)
    if samples < largest:
        raise UsageError(
            f"{data.name} has {samples:,} training images; one global batch is {largest:,}",
            "use a smaller --batch or fewer ranks",
        )


def _values(settings: Settings) -> dict[str, Any]:
    """Every setting's value, in the types that JSON gives back."""
    found = {path: getattr(getattr(settings, path.split(".")[0]), path.split(".")[1]) for path in settings.origins}
    values: dict[str, Any] = json.loads(json.dumps(found, default=_said))
    return values


def _said(phase: Phase) -> dict[str, Any]:
    return {name: value for name, value in asdict(phase).items() if value is not None}


def _workload(settings: Settings) -> Workload:
    """What is trained, the same in every row."""
    measure, data = settings.measure, settings.data
    return Workload(
        model=settings.model.name or "",
        model_options=dict(settings.model.options),
        data=data.name,
        data_dir=data.dir,
        **data.model_dump(exclude={"name", "dir"}),
        seed=measure.seeds[0] if measure.seeds else measure.seed,
        recipe=recipe_for_run.recipe_of(settings),
        warmup_steps=measure.warmup,
        **measure.model_dump(include={"precision", "memory_format", "steps", "seconds", "epochs"}),
    )


def new_study_id(model: str, now: datetime, token: int) -> str:
    """Sorts by time, says what, and differs: `2611220824-lenet-large-7f3c`. Only the token's last 16 bits count."""
    place, _, name = model.removeprefix("timm:").rpartition(":")
    named = f"{place.rpartition('/')[2].removesuffix('.py')} {name}".lower()
    slug = re.sub(r"[^a-z0-9]+", "-", named).strip("-")[:30].strip("-")
    return f"{now:%y%m%d%H%M}-{slug or 'model'}-{token % 0x10000:04x}"
