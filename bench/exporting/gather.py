"""From the store to what is exported."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from itertools import accumulate
from pathlib import Path

import numpy as np

from bench.analysis.learning import accuracy
from bench.analysis.result import Study
from bench.analysis.statistics.steady import Steps
from bench.exporting.record import Point, Record, Run, Setting
from bench.store import index, read
from bench.store.layout import existing
from bench.store.schema import ClassScore, Epoch, Launch
from reports.formats import md
from reports.scaling.table import build

STEP_POINTS = 1000  # at most, of one launch: where it took more steps, a point is a block of them

# Of an epoch's row: ids, and what the axes say.
_NOT_A_VALUE = {"study_id", "launch_id", "schema_version", "method_version", "epoch", "samples"}


def record(store: Path, study: Study, only: str | None = None) -> Record:
    """Everything about a study that is exported.

    Args:
        store: where it is.
        study: its findings.
        only: the id of the one launch that is asked for; None: all that are committed.
    """
    study_id = study.study_id
    plan = index.plan(store, study_id)
    damaged: list[index.Damage] = []  # the study's findings have warned of them
    files = read.committed(store, study_id, damaged)
    epochs, classes, steps = files.epochs(damaged), files.classes(damaged), dict(files.steps(damaged))
    dna = {row.launch_id: row for row in files.dna(damaged)}
    runs = tuple(
        Run(
            launch=launch,
            dna=dna.get(launch.launch_id),
            epochs=after_epochs([each for each in epochs if each.launch_id == launch.launch_id]),
            steps=over_steps(Steps.from_columns(steps[launch.launch_id])) if launch.launch_id in steps else (),
            classes=_last([each for each in classes if each.launch_id == launch.launch_id]),
            weights=_weights(store, launch, [each for each in epochs if each.launch_id == launch.launch_id]),
        )
        for launch in files.launches(damaged)
        if only in {None, launch.launch_id}
    )
    settings = tuple(
        Setting(name=name, value=plan.settings.get(name), origin=origin) for name, origin in plan.origins.items()
    )
    report = md.markdown(build(study))
    return Record(plan=plan, study=study, settings=settings, runs=runs, report=report, only=only)


def after_epochs(epochs: Iterable[Epoch]) -> tuple[Point, ...]:
    """One launch's epochs along epochs, samples and seconds; seconds are those of training and evaluating."""
    rows = sorted(epochs, key=lambda each: each.epoch)
    samples = accumulate(each.samples for each in rows)
    seconds = accumulate(each.train_s + each.evaluate_s for each in rows)
    return tuple(
        Point(index=row.epoch + 1, samples=trained, seconds=passed, values=_values(row))
        for row, trained, passed in zip(rows, samples, seconds, strict=True)
    )


def over_steps(steps: Steps, most: int = STEP_POINTS) -> tuple[Point, ...]:
    """One launch's step times, warm-up included, in at most about `most` points.

    Of each step the slowest rank counts. A point stands at the first step of its block; it has the block's number of
    steps, the mean and the largest length of a step, the mean wait for a batch, and whether it is in the timed window.
    A block never reaches over the end of the warm-up.
    """
    numbers, place = np.unique(steps.step, return_inverse=True)
    if not numbers.size:
        return ()
    length, wait, end, samples, count, inside = (np.zeros(numbers.size, dtype=np.int64) for _ in range(6))
    np.maximum.at(length, place, steps.step_ns // steps.steps)
    np.maximum.at(wait, place, steps.data_wait_ns // steps.steps)
    np.maximum.at(end, place, steps.start_ns + steps.step_ns)
    np.maximum.at(count, place, steps.steps)
    np.maximum.at(inside, place, steps.in_window.astype(np.int64))
    np.add.at(samples, place, steps.samples)
    trained = np.cumsum(samples)
    width = -(-numbers.size // most)
    turns = np.flatnonzero(np.diff(inside)) + 1
    pieces = np.split(np.arange(numbers.size), turns)
    blocks = [piece[start : start + width] for piece in pieces for start in range(0, piece.size, width)]
    return tuple(
        Point(
            index=int(numbers[block[0]]),
            samples=int(trained[block[-1]]),
            seconds=float(end[block[-1]]) / 1e9,
            values={
                "step_ms": float(np.average(length[block], weights=count[block])) / 1e6,
                "step_max_ms": float(length[block].max()) / 1e6,
                "data_wait_ms": float(np.average(wait[block], weights=count[block])) / 1e6,
                "steps": int(count[block].sum()),
                "in_window": int(inside[block[0]]),
            },
        )
        for block in blocks
    )


def _values(row: Epoch) -> dict[str, float]:
    values = {item.name: getattr(row, item.name) for item in fields(row) if item.name not in _NOT_A_VALUE}
    return {
        name: value for name, value in values.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _last(classes: Sequence[ClassScore]) -> tuple[ClassScore, ...]:
    last = max((each.epoch for each in classes), default=None)
    return accuracy.scored(sorted((each for each in classes if each.epoch == last), key=lambda each: each.label))


def _weights(store: Path, launch: Launch, epochs: Sequence[Epoch]) -> Path | None:
    """The checkpoint of a launch's last evaluated epoch, else the newest that it kept: steps may have come after."""
    folder = existing(store).checkpoints(launch.study_id, launch.launch_id, launch.attempt)
    evaluated = max((each.epoch + 1 for each in epochs), default=0)
    names = (f"epoch{evaluated:04d}.pt", "last.pt")
    return next((folder / name for name in names if (folder / name).is_file()), None)
