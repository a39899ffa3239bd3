"""What each row learned: its curve epoch by epoch, and its classes after the last one. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bench.analysis.ended import by_row
from bench.analysis.learning.accuracy import by_launch
from bench.analysis.result import Classes, ClassResult, EpochPoint, Learned, Study
from bench.analysis.statistics.intervals import share_estimate
from bench.store.schema import ClassScore, Epoch, Launch


def curves(study: Study, launches: Sequence[Launch], epochs: Sequence[Epoch]) -> tuple[Learned, ...]:
    """The learning curve of every row that was evaluated: means over its launches, epoch by epoch.

    The curve ends with the epoch that the shortest launch trained, so that each of its points has all launches in it;
    the result is that of each launch's own last epoch, as in the table.
    """
    trained = by_launch(epochs)
    found = []
    finals: dict[str, dict[int, float]] = {}  # row -> round -> top-1 after the last epoch
    for key, mine in by_row(study, [each for each in launches if each.launch_id in trained]).items():
        curves = [trained[each.launch_id] for each in mine]
        points = _points(curves)
        if not points:
            continue
        tops = [curve[-1].top1 for curve in curves]
        finals[key] = {launch.round: top1 for launch, top1 in zip(mine, tops, strict=True)}
        best = max(points, key=lambda point: point.top1)
        found.append(
            Learned(
                configuration=key,
                launches=len(curves),
                points=points,
                train_s=float(np.mean([sum(each.train_s for each in curve) for curve in curves])),
                final_top1=share_estimate(tops, "t interval over launches"),
                best_top1=best.top1,
                best_epoch=best.epoch,
                gap=None,
            )
        )
    return tuple(_with_gap(each, finals, study) for each in found)


def classes(study: Study, launches: Sequence[Launch], scores: Sequence[ClassScore]) -> tuple[Classes, ...]:
    """The classes of each row after each launch's last epoch: their confusion matrices added up, and what follows."""
    by_launch: dict[str, list[ClassScore]] = defaultdict(list)
    for score in scores:
        by_launch[score.launch_id].append(score)
    found = []
    for key, mine in by_row(study, [each for each in launches if each.launch_id in by_launch]).items():
        if not mine:
            continue
        sets = [_last_epoch(by_launch[each.launch_id]) for each in mine]
        matrix = np.sum([[score.confusion for score in each] for each in sets], axis=0)
        names = [score.name for score in sets[0]]
        found.append(
            Classes(
                configuration=key,
                epoch=max(each[0].epoch for each in sets) + 1,
                launches=len(sets),
                classes=tuple(_class(name, matrix, number) for number, name in enumerate(names)),
                confusion=tuple(tuple(int(count) for count in line) for line in matrix),
            )
        )
    return tuple(found)


def _last_epoch(scores: Sequence[ClassScore]) -> list[ClassScore]:
    last = max(score.epoch for score in scores)
    return sorted((score for score in scores if score.epoch == last), key=lambda score: score.label)


def _points(curves: Sequence[Sequence[Epoch]]) -> tuple[EpochPoint, ...]:
    """Means over the curves, of the epochs that all of them have."""
    common = sorted(set.intersection(*({each.epoch for each in curve} for curve in curves))) if curves else []
    reached = [_so_far(curve) for curve in curves]
    found = []
    for number in common:
        mine = [next(each for each in curve if each.epoch == number) for curve in curves]
        top5 = [each.top5 for each in mine if each.top5 is not None]
        found.append(
            EpochPoint(
                epoch=number + 1,
                samples=float(np.mean([samples[number] for samples, _ in reached])),
                seconds=float(np.mean([seconds[number] for _, seconds in reached])),
                learning_rate=mine[0].learning_rate,
                train_loss=float(np.mean([each.train_loss for each in mine])),
                train_top1=float(np.mean([each.train_top1 for each in mine])),
                validation_loss=float(np.mean([each.validation_loss for each in mine])),
                top1=float(np.mean([each.top1 for each in mine])),
                top5=float(np.mean(top5)) if len(top5) == len(mine) else None,
            )
        )
    return tuple(found)


def _so_far(curve: Sequence[Epoch]) -> tuple[dict[int, int], dict[int, float]]:
    """Samples and seconds of training at the end of each epoch of one launch."""
    numbers = [each.epoch for each in curve]
    samples, seconds = (np.cumsum(each) for each in ([one.samples for one in curve], [one.train_s for one in curve]))
    return dict(zip(numbers, samples.tolist(), strict=True)), dict(zip(numbers, seconds.tolist(), strict=True))


def _with_gap(found: Learned, finals: Mapping[str, Mapping[int, float]], study: Study) -> Learned:
    """The difference of the final top-1 from the baseline's, paired by round."""
    base = study.baseline
    if base is None or base.key == found.configuration or base.key not in finals:
        return found
    mine, theirs = finals[found.configuration], finals[base.key]
    differences = [mine[number] - theirs[number] for number in sorted(mine.keys() & theirs.keys())]
    if not differences:
        return found
    return replace(found, gap=share_estimate(differences, "t interval over rounds"))


def _class(name: str, matrix: npt.NDArray[np.int64], number: int) -> ClassResult:
    right, support, called = int(matrix[number, number]), int(matrix[number].sum()), int(matrix[:, number].sum())
    precision = right / called if called else None
    recall = right / support if support else None
    f1 = 2 * right / (called + support) if support else None
    return ClassResult(name=name, support=support, precision=precision, recall=recall, f1=f1)
