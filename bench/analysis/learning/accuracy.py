"""What a row learned: its last epoch and its best one, distinguished, and how long an accuracy took. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from bench.analysis.learning.seeds import last_epochs, over_seeds
from bench.analysis.result import Accuracy, Target, TimeTo
from bench.plan import TARGETS
from bench.store.schema import ClassScore, Epoch, Launch

AT_MOST = ("validation_loss",)  # the targets that are ceilings


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
    by_launch: dict[str, list[Epoch]] = {}
    for epoch in sorted(epochs, key=lambda each: each.epoch):
        by_launch.setdefault(epoch.launch_id, []).append(epoch)
    if not by_launch:
        return None
    firsts = [
        (trained, place)
        for trained in by_launch.values()
        if (place := next((at for at, each in enumerate(trained) if each.top1 >= target), None)) is not None
    ]
    there = [trained[place] for trained, place in firsts]
    return TimeTo(
        top1=target,
        reached=len(there),
        launches=len(by_launch),
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


def _curve(epochs: Sequence[Epoch]) -> dict[int, float]:
    """Mean top-1 after each epoch, over all launches: one that stopped early stays where it stopped.

    Otherwise the later epochs would be those of the launches that went on, which are not like the others.
    """
    launches: dict[str, list[Epoch]] = {}
    for epoch in sorted(epochs, key=lambda each: each.epoch):
        launches.setdefault(epoch.launch_id, []).append(epoch)
    reached = {
        number: [[each.top1 for each in trained if each.epoch <= number] for trained in launches.values()]
        for number in {each.epoch for each in epochs}
    }
    return {number: _mean(so_far[-1] for so_far in all_of_them if so_far) for number, all_of_them in reached.items()}


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))


def _mean_of_all(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return _mean(known) if known and len(known) == len(values) else None
