"""How well a row learned: at its last epoch and its best, over seeds and over classes, how soon, or whether not at all.

Over seeds, not over launches: launches that repeat a seed say how far rounding carries, not how far luck does.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.analysis.result import Accuracy, Estimate, Target, TimeTo
from bench.analysis.statistics.intervals import share_mean
from bench.plan import TARGETS
from bench.store.schema import ClassScore, Epoch, Launch

AT_MOST = ("validation_loss",)  # the targets that are ceilings


@dataclass(frozen=True, kw_only=True)
class Macro:
    """Means over all classes that have samples; a class that was never called counts as 0, and is counted."""

    precision: float | None  # None: no class has samples
    recall: float | None
    f1: float | None
    classes: int  # that have samples
    never_called: int  # of those: their precision is not defined


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """Of one launch."""

    epoch: int  # from 1
    is_nan: bool  # else infinite
    in_training: bool  # else in the evaluation alone: the training went on with finite losses

    def __str__(self) -> str:
        which = "loss" if self.in_training else "validation loss"
        return f"diverged: {which} {'NaN' if self.is_nan else 'infinite'} from epoch {self.epoch} on"


def over_seeds(values: Mapping[int, Sequence[float]], what: str) -> Estimate | None:
    """The mean over seeds of a share that each launch ends with; None without launches.

    A seed's own launches are averaged first: they are no replicates of its luck. t interval on the shares themselves,
    from three seeds on.

    Args:
        values: what the launches of each seed came to, by seed.
        what: its name, for the method.
    """
    means = [float(np.mean(each)) for each in values.values() if each]
    return share_mean(means, f"t interval on {what} over seeds") if means else None


def by_launch(epochs: Iterable[Epoch]) -> dict[str, list[Epoch]]:
    """The epochs of every launch, in order."""
    found: dict[str, list[Epoch]] = {}
    for epoch in sorted(epochs, key=lambda each: each.epoch):
        found.setdefault(epoch.launch_id, []).append(epoch)
    return found


def last_epochs(epochs: Iterable[Epoch]) -> list[Epoch]:
    """The last epoch of every launch: one that stopped early ends with its own."""
    last: dict[str, Epoch] = {}
    for epoch in epochs:
        if epoch.launch_id not in last or epoch.epoch > last[epoch.launch_id].epoch:
            last[epoch.launch_id] = epoch
    return list(last.values())


def last_top1(launches: Iterable[Launch], epochs: Iterable[Epoch]) -> dict[str, dict[int, float]]:
    """Top-1 after each launch's last epoch, by configuration and seed: the mean over a seed's launches, shares."""
    by_id = {launch.launch_id: launch for launch in launches}
    found: dict[str, dict[int, list[float]]] = {}
    for epoch in last_epochs(epochs):
        if launch := by_id.get(epoch.launch_id):
            found.setdefault(launch.configuration, {}).setdefault(launch.seed, []).append(epoch.top1)
    return {row: {seed: float(np.mean(each)) for seed, each in seeds.items()} for row, seeds in found.items()}


def accuracy(launches: Sequence[Launch], epochs: Sequence[Epoch]) -> Accuracy | None:
    """The last epoch of a row's launches, and beside it the best; None where nothing was evaluated.

    The last is the result. The best is picked by looking at the validation set, so it flatters: by 0.1 to 0.5 points in
    a run that ended well, by more in one whose schedule did not end.

    Args:
        launches: of one row.
        epochs: of these launches.
    """
    if not epochs:
        return None
    last = last_epochs(epochs)
    seeds = by_seed(launches, last, lambda each: each.top1)
    top1 = over_seeds(seeds, "top-1")
    top5 = [each.top5 for each in last if each.top5 is not None]
    curve = _curve(epochs)
    best = max(curve, key=lambda number: (curve[number], -number))
    shown, trained = _mean(each.top1 for each in last), _mean(each.train_top1 for each in last)
    return Accuracy(
        top1=shown,
        top5=_mean(top5) if len(top5) == len(last) else None,
        loss=_mean(each.validation_loss for each in last),
        epoch=max(each.epoch for each in last) + 1,
        seeds=len(seeds),
        low=top1.low if top1 else None,
        high=top1.high if top1 else None,
        best_top1=curve[best],
        best_epoch=best + 1,
        train_top1=trained,
        gap=trained - shown,
    )


def time_to(target: float, epochs: Iterable[Epoch]) -> TimeTo | None:
    """How long until the validation accuracy first reached `target`; None where nothing was evaluated.

    Cold is what a user waits: from the start of the processes, imports and data included, to the end of the evaluation
    that showed it. Warm is from the first step, evaluations included. The last counts training steps alone.
    """
    launches = by_launch(epochs)
    if not launches:
        return None
    firsts = [
        (trained, place)
        for trained in launches.values()
        if (place := next((at for at, each in enumerate(trained) if each.top1 >= target), None)) is not None
    ]
    there = [trained[place] for trained, place in firsts]
    return TimeTo(
        top1=target,
        reached=len(there),
        launches=len(launches),
        epochs=_mean(each.epoch + 1 for each in there) if there else None,
        cold_s=_mean_of_all([each.cold_s for each in there]),
        warm_s=_mean_of_all([each.warm_s for each in there]),
        train_s=_mean(sum(each.train_s for each in trained[: place + 1]) for trained, place in firsts)
        if firsts
        else None,
    )


def targets(
    wanted: Mapping[str, float], configuration: str, found: Accuracy | None, classes: Iterable[ClassScore]
) -> tuple[Target, ...]:
    """What a profile wants of the last epoch, compared with one row.

    Args:
        wanted: of `plan.TARGETS` -> the least share, or the highest loss.
        configuration: the row.
        found: what it learned.
        classes: the class scores of its launches.
    """
    worst = worst_recall(classes)
    measured = {"worst_recall": worst}
    if found is not None:
        measured |= {"top1": found.top1, "top5": found.top5, "validation_loss": found.loss}
    reached = []
    for metric in TARGETS:
        if metric not in wanted:
            continue
        value, limit = measured.get(metric), wanted[metric]
        short = None if value is None else (value - limit if metric in AT_MOST else limit - value)
        reached.append(
            Target(
                metric=metric,
                wanted=limit,
                at_most=metric in AT_MOST,
                configuration=configuration,
                measured=value,
                missed_by=None if short is None else max(0.0, short),
            )
        )
    return tuple(reached)


def worst_recall(classes: Iterable[ClassScore]) -> float | None:
    """The lowest share of a class called by its name after the last epoch; each class's mean over launches first."""
    rows = list(classes)
    last = {
        launch_id: max(each.epoch for each in rows if each.launch_id == launch_id)
        for launch_id in {each.launch_id for each in rows}
    }
    recalls: dict[int, list[float]] = {}
    for each in rows:
        if each.epoch == last[each.launch_id] and each.recall is not None:
            recalls.setdefault(each.label, []).append(each.recall)
    return min((_mean(values) for values in recalls.values()), default=None)


def by_seed(
    launches: Sequence[Launch], epochs: Iterable[Epoch], value: Callable[[Epoch], float | None]
) -> dict[int, list[float]]:
    """A value of epochs, gathered by the seed of their launch; those without the value are left out."""
    seeds = {launch.launch_id: launch.seed for launch in launches}
    found: dict[int, list[float]] = {}
    for epoch in epochs:
        seen = value(epoch)
        if seen is not None and epoch.launch_id in seeds:
            found.setdefault(seeds[epoch.launch_id], []).append(seen)
    return found


def scored(classes: Sequence[ClassScore]) -> tuple[ClassScore, ...]:
    """The classes of one evaluation with the F1 of their confusion: older stores have none for a class never called."""
    if any(len(each.confusion) != len(classes) for each in classes):
        return tuple(classes)  # only some of the classes of an evaluation
    called = [sum(column) for column in zip(*(each.confusion for each in classes), strict=True)]
    return tuple(replace(each, f1=_f1(each, place, called)) for place, each in enumerate(classes))


def macro_means(classes: Sequence[ClassScore]) -> Macro:
    """The macro means of one evaluation.

    F1 of a class is `2 TP / (2 TP + FP + FN)`, defined for every class that has samples; a class that was never called
    has no precision and counts as 0 there, as in scikit-learn: left out, a model that knows three classes of nine would
    look three times as good as it is.

    Args:
        classes: of one evaluation, in order of labels.
    """
    there = [each for each in scored(classes) if each.support]
    return Macro(
        precision=_mean_or_zero([each.precision for each in there]),
        recall=_mean_or_zero([each.recall for each in there]),
        f1=_mean_or_zero([each.f1 for each in there]),
        classes=len(there),
        never_called=sum(each.precision is None for each in there),
    )


def divergences(epochs: Iterable[Epoch]) -> dict[str, Divergence]:
    """Every launch with a loss that is no number, by its id.

    The training's loss tells more than the validation's, which averaged weights or running statistics may spoil as
    well; so it is named wherever it is broken, and the validation's only where it alone is.
    """
    firsts = {launch_id: _first_divergence(mine) for launch_id, mine in by_launch(epochs).items()}
    return {launch_id: first for launch_id, first in firsts.items() if first is not None}


def _first_divergence(epochs: Sequence[Epoch]) -> Divergence | None:
    for in_training in (True, False):
        for each in epochs:
            loss = each.train_loss if in_training else each.validation_loss
            if not math.isfinite(loss):
                return Divergence(epoch=each.epoch + 1, is_nan=math.isnan(loss), in_training=in_training)
    return None


def _curve(epochs: Sequence[Epoch]) -> dict[int, float]:
    """Mean top-1 after each epoch, over all launches: one that stopped early stays where it stopped.

    Otherwise the later epochs would be those of the launches that went on, which are not like the others.
    """
    launches = by_launch(epochs).values()
    reached = {
        number: [[each.top1 for each in trained if each.epoch <= number] for trained in launches]
        for number in {each.epoch for each in epochs}
    }
    return {number: _mean(so_far[-1] for so_far in all_of_them if so_far) for number, all_of_them in reached.items()}


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _mean_of_all(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return _mean(known) if known and len(known) == len(values) else None


def _f1(score: ClassScore, place: int, called: Sequence[int]) -> float | None:
    return 2 * score.confusion[place] / (score.support + called[place]) if score.support else None


def _mean_or_zero(values: Sequence[float | None]) -> float | None:
    return sum(each or 0.0 for each in values) / len(values) if values else None
