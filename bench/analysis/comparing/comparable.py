"""May these two be compared with each other at all? Whatever is not the same work gives no ratio, only the reason."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.analysis.result import Row, Study
from bench.analysis.scaling.advice import OTHERS
from bench.analysis.validity import same_work
from bench.analysis.validity.rules import MISSED, UNSTEADY
from bench.plan import SHARED_HOST, Configuration, Plan, Workload
from bench.store.schema import SUSPECT, Launch

# Where the data lie changes nothing, and what they are their digest tells; a seed changes what is learned and not how
# fast (see `bench.analysis.comparing.compare`).
_FREE = ("data_dir", "allow_empty_classes", "seed")


def workload_key(workload: Workload) -> str:
    """Short and the same for the same work on every machine: what is trained, how, and for how long; not the seed."""
    text = json.dumps(_work(workload), sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def different_work(a: Plan, b: Plan) -> Iterator[str]:
    """What of the workload differs, as `precision: fp32 against bf16`."""
    mine, theirs = _work(a.workload), _work(b.workload)
    # What only one side reads follows from what decides it (a schedule, an optimizer), and that differs and is told.
    for name in sorted(mine.keys() & theirs.keys()):
        x, y = mine[name], theirs[name]
        if x != y:
            yield f"{name.replace('_', ' ')}: {_worded(x, y)} against {_worded(y, x)}"


def obstacles(a: Study, b: Study, a_plan: Plan, b_plan: Plan) -> tuple[str, ...]:
    """Why no row of B may be compared with any row of A; empty when they may."""
    found = list(different_work(a_plan, b_plan))
    if a.method_version != b.method_version:
        found.append(
            f"method version: {a.method_version} against {b.method_version}; what is measured changed in between"
        )
    if None not in {a.title.params, b.title.params} and a.title.params != b.title.params:
        found.append(f"parameters of the model: {a.title.params} against {b.title.params}")
    return tuple(found)


def other_code(a: Sequence[Launch], b: Sequence[Launch]) -> Iterator[str]:
    """That the user's own files are not the same on both sides."""
    if names := same_work.different(a, b):
        yield f"source of the model differs ({same_work.named(names)}); --other-source compares two all the same"


def other_data(a: Sequence[Launch], b: Sequence[Launch]) -> Iterator[str]:
    """That the two were trained on other pictures, labels or classes."""
    if (apart := same_work.different_data(a, b)) is not None:
        yield f"the data differ: {apart}"


def no_number(row: Row) -> str | None:
    """Why this row has no number to compare; None when it has one."""
    if row.verdict is not None and row.is_invalid:
        return "; ".join(row.verdict.reasons)
    if row.throughput is None:
        return "; ".join(row.reasons) or row.status
    return None


def is_noise(row: Row) -> bool:
    """Whether the row was refused only for what the machine did then: measured again, it may be sound."""
    if row.verdict is None or not row.is_invalid:
        return False
    return all(any(noise in reason for noise in (UNSTEADY, MISSED)) for reason in row.verdict.reasons)


def doubts(row: Row, launches: Sequence[Launch]) -> tuple[str, ...]:
    """Why a verdict on times should not rest on this row, short of refusing it; empty when it may.

    Args:
        row: with a number.
        launches: behind that number.
    """
    shared = sum(SHARED_HOST in launch.warnings for launch in launches)
    beside = (f"{SHARED_HOST} (in {shared} of {len(launches)} launches)",) if shared else ()
    used = [launch.others_share for launch in launches if launch.others_share is not None]
    busy = sum(used) / len(used) if used else 0.0
    others = (f"other programs took {busy:.0%} of its cores while it was measured",) if busy > OTHERS else ()
    return (*(row.reasons or ("marked suspect",) if row.status == SUSPECT else ()), *beside, *others)


def unmatched(a: Sequence[Row], b: Sequence[Row]) -> Iterator[str]:
    """Rows that gave a number on one side and have no partner on the other, with what comes nearest."""
    for mine, theirs, name, other in ((a, b, "A", "B"), (b, a, "B", "A")):
        there = [row.configuration for row in theirs]
        for row in mine:
            if row.throughput is not None and row.configuration not in there:
                yield f"{row.key} of {name} has no partner: {_nearest(row.configuration, there, other)}"


def _nearest(row: Configuration, theirs: Sequence[Configuration], other: str) -> str:
    wanted = (row.strategy, row.ranks, row.nodes)
    kin = next((each for each in theirs if (each.strategy, each.ranks, each.nodes) == wanted), None)
    if kin is None:
        return f"{other} has no such row"
    if kin.device != row.device:
        return f"it runs on {row.device}, in {other} on {kin.device}"
    if kin.cores_per_rank != row.cores_per_rank:
        return f"{row.cores_per_rank or 'all'} cores per rank, in {other} {kin.cores_per_rank or 'all'}"
    if kin.backend != row.backend:
        return f"backend {row.backend}, in {other} {kin.backend}"
    if kin.ddp != row.ddp:
        return f"DDP with {row.ddp or 'no options'}, in {other} with {kin.ddp or 'none'}"
    return f"batch {row.batch_per_rank} per rank, in {other} {kin.batch_per_rank}"


def _work(workload: Workload) -> dict[str, Any]:
    """The workload as plain JSON types, each part of the recipe by its own name; nothing that it never reads."""
    work: dict[str, Any] = json.loads(json.dumps(asdict(workload)))
    recipe = work.pop("recipe")
    left_out = {*_FREE, *workload.recipe.unread}
    return {name: value for name, value in {**work, **recipe}.items() if name not in left_out}


def _worded(value: Any, other: Any) -> str:
    if isinstance(value, Mapping) and isinstance(other, Mapping):  # a model's options: only those that differ
        value = {name: each for name, each in value.items() if other.get(name) != each}
    if value is None:
        return "none"
    return json.dumps(value) if isinstance(value, list | dict) else str(value)
