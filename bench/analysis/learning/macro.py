"""Plain means over classes, of what a confusion matrix says of each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.store.schema import ClassScore


@dataclass(frozen=True, kw_only=True)
class Macro:
    """Means over all classes that have samples; a class that was never called counts as 0, and is counted."""

    precision: float | None  # None: no class has samples
    recall: float | None
    f1: float | None
    classes: int  # that have samples
    never_called: int  # of those: their precision is not defined


def scored(classes: Sequence[ClassScore]) -> tuple[ClassScore, ...]:
    """The classes of one evaluation with the F1 of their confusion: older stores have none for a class never called."""
    if any(len(each.confusion) != len(classes) for each in classes):
        return tuple(classes)  # only some of the classes of an evaluation
    called = [sum(column) for column in zip(*(each.confusion for each in classes), strict=True)]
    return tuple(replace(each, f1=_f1(each, place, called)) for place, each in enumerate(classes))


def mean(classes: Sequence[ClassScore]) -> Macro:
    """The macro means of one evaluation.

    F1 of a class is `2 TP / (2 TP + FP + FN)`, defined for every class that has samples; a class that was never called
    has no precision and counts as 0 there, as in scikit-learn: left out, a model that knows three classes of nine would
    look three times as good as it is.

    Args:
        classes: of one evaluation, in order of labels.
    """
    there = [each for each in scored(classes) if each.support]
    return Macro(
        precision=_mean([each.precision for each in there]),
        recall=_mean([each.recall for each in there]),
        f1=_mean([each.f1 for each in there]),
        classes=len(there),
        never_called=sum(each.precision is None for each in there),
    )


def _f1(score: ClassScore, place: int, called: Sequence[int]) -> float | None:
    return 2 * score.confusion[place] / (score.support + called[place]) if score.support else None


def _mean(values: Sequence[float | None]) -> float | None:
    return sum(each or 0.0 for each in values) / len(values) if values else None
