"""What is told of a row beyond the table: its launches step by step, where its time goes, its energy, its ceilings."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.analysis.ended import by_row, ended, why_null
from bench.analysis.result import Ceiling, Energy, Part, Reached, Row, StepParts, Study, Trace, Traces
from bench.analysis.scaling.rows import utilisation
from bench.analysis.statistics import intervals, steady
from bench.analysis.statistics.steady import Steps
from bench.plan import Configuration
from bench.store.schema import Dna, Launch

WAIT, COMPUTE, EXPOSED = "data wait", "compute and rest", "communication"
_ENERGY = next(iter(dict(energy_j=None)))  # the column's name, as a keyword that is checked
LAUNCHES_OF_A_ROW = 8  # told step by step at most: more lines in one panel cannot be distinguished


def step_parts(study: Study) -> tuple[StepParts, ...]:
    """The median step of each row, divided by the shares that were measured.

    What is timed apart is the wait for data and the all-reduce outside compute; the rest is forward, backward, the
    optimizer and the copies between them, which bench does not distinguish.
    """
    found = []
    for row in study.rows:
        if row.step_ms is None or row.is_invalid:
            continue
        taken = (row.communication or 0.0) + (row.data_wait or 0.0)
        rest = max(0.0, 1 - taken)
        shares = {WAIT: row.data_wait, COMPUTE: rest, EXPOSED: row.communication}
        scale = row.step_ms.p50 / max(taken + rest, 1.0)
        parts = tuple(Part(name=name, ms=share * scale) for name, share in shares.items() if share is not None)
        found.append(StepParts(configuration=row.key, total_ms=row.step_ms.p50, parts=parts))
    return tuple(found)


def energy(study: Study, launches: Sequence[Launch]) -> tuple[Energy, ...]:
    """Joules per sample of each row over its launches, and its mean power; or the reason that was given."""
    found = []
    for row in study.rows:
        mine = [each for each in ended(launches, row.key) if each.energy_j is not None and each.energy_j > 0]
        mine = [each for each in mine if each.window_samples and each.window_ns]
        if not mine:
            reason = why_null(ended(launches, row.key), _ENERGY) or ("not measured" if row.launches else row.status)
            found.append(Energy(configuration=row.key, per_sample_j=None, mean_w=None, reason=reason))
            continue
        joules = intervals.rate_interval([(each.energy_j or 0.0) / (each.window_samples or 1) for each in mine])
        watts = intervals.rate_interval([(each.energy_j or 0.0) / (each.window_ns or 1) * 1e9 for each in mine])
        found.append(Energy(configuration=row.key, per_sample_j=joules, mean_w=watts.estimate, reason=None))
    return tuple(found)


def reached(
    study: Study, launches: Sequence[Launch], dna: Sequence[Dna], peaks: Mapping[str, Any] | None
) -> tuple[Reached, ...]:
    """Floating point operations per second of each row, beneath the peaks that are published or were measured.

    Counted operations are those of convolutions, products of matrices and attention, forward and backward. A measured
    ceiling is that of the whole machine at its number of threads, so it is compared with rows that use all of it alone.
    """
    found = []
    for row in study.rows:
        first = next(iter(ended(launches, row.key)), None)
        if first is None or row.throughput is None or first.flop_per_sample is None or row.is_invalid:
            continue
        done = row.throughput.estimate * first.flop_per_sample
        ceilings = (*_published(row, first, done, peaks), *_measured(row.configuration, first, dna))
        if ceilings:
            found.append(Reached(configuration=row.key, flop_per_s=done, ceilings=ceilings))
    return tuple(found)


def traces(study: Study, launches: Sequence[Launch], steps: Mapping[str, Steps]) -> tuple[Traces, ...]:
    """The step times of each row's launches; where a row has many, of some that are evenly spread over its rounds."""
    found = by_row(study, [each for each in launches if each.launch_id in steps])
    cuts = {row.key: row.cut_steps for row in study.rows}
    return tuple(
        Traces(
            configuration=key,
            traces=tuple(_trace(each, steps[each.launch_id], cuts[key]) for each in _spread(mine, LAUNCHES_OF_A_ROW)),
            launches=len(mine),
        )
        for key, mine in found.items()
        if mine
    )


def _published(row: Row, launch: Launch, done: float, peaks: Mapping[str, Any] | None) -> tuple[Ceiling, ...]:
    used = utilisation(
        rate_sps=row.throughput.estimate if row.throughput else 0.0,
        flop_per_sample=launch.flop_per_sample,
        device_names=launch.device_names,
        devices=row.configuration.ranks,
        precision=launch.precision,
        peaks=peaks,
    )
    if not used.value:
        return ()
    name, source = f"published peak, {launch.precision}", "profiles/hardware/peaks.toml"
    return (Ceiling(name=name, flop_per_s=done / used.value, source=source),)


def _measured(row: Configuration, launch: Launch, dna: Sequence[Dna]) -> tuple[Ceiling, ...]:
    card = next((each for each in dna if each.launch_id == launch.launch_id), None)
    ceilings: Mapping[str, Any] = json.loads(card.measured) if card is not None and card.measured else {}
    products: Mapping[str, Any] = ceilings.get("gemm_flop_per_s", {})
    if launch.precision not in products or ceilings.get("device") != row.device:
        return ()
    if row.device == "cpu" and row.ranks * (row.cores_per_rank or 0) != ceilings.get("threads"):
        return ()
    devices = 1 if row.device == "cpu" else row.ranks
    is_disturbed = any(str(flag).startswith("gemm_flop_per_s") for flag in ceilings.get("flags", ()))
    return (
        Ceiling(
            name=f"measured product of matrices, {launch.precision}" + ", disturbed" * is_disturbed,
            flop_per_s=devices * float(products[launch.precision]["median"]),
            source="bench dna --measure",
        ),
    )


def _spread(launches: list[Launch], at_most: int) -> list[Launch]:
    if len(launches) <= at_most:
        return launches
    places = np.unique(np.linspace(0, len(launches) - 1, at_most).round().astype(int))
    return [launches[place] for place in places]


def _trace(launch: Launch, steps: Steps, cut: int) -> Trace:
    times = steady.slowest_rank(steps) / 1e6
    return Trace(
        configuration=launch.configuration,
        round=launch.round,
        step_ms=tuple(times.tolist()),
        warmup_steps=len(times) - len(steady.slowest_rank(steady.kept(steps, 0))),
        cut_steps=cut,
    )
