"""From what was learned to charts. Numbers are passed on, never changed."""

from collections.abc import Sequence

from bench.analysis.report import StudyReport
from bench.plan import PERCENT, Published
from reports.figures import data
from reports.figures.selecting import row_names, setup_of
from reports.page import opening
from reports.text import fmt


def share_of(published: Published) -> float:
    """A published accuracy as a share of 1, whichever way it is quoted."""
    return published.value / 100 if published.unit == PERCENT else published.value


def learning(
    reports: Sequence[StudyReport],
    key: str,
    published: float | None = None,
    *,
    among: Sequence[StudyReport] = (),
) -> data.Learning | None:
    """The curves of every row that was evaluated; of several studies `among` which they stand, under their names."""
    curves = tuple(
        data.LearningCurve(
            label=_curve_label(told, each.configuration, among),
            samples=tuple(point.samples for point in each.points),
            seconds=tuple(point.seconds for point in each.points),
            train_loss=tuple(point.train_loss for point in each.points),
            validation_loss=tuple(point.validation_loss for point in each.points),
            train_accuracy=tuple(point.train_top1 for point in each.points),
            validation_accuracy=tuple(point.top1 for point in each.points),
            launches=each.launches,
        )
        for told in reports
        for each in told.learned
    )
    if not curves:
        return None
    return data.Learning(
        key=f"learning{key}",
        title="Loss and accuracy",
        setup="; ".join(dict.fromkeys(setup_of(told.study) for told in reports if told.learned)),
        curves=curves,
        published_accuracy=published,
    )


def learning_rate(told: StudyReport, key: str) -> data.LearningRate | None:
    """One line for each schedule that differs: rows that share one are drawn once."""
    named = row_names(told.study)
    lines: dict[tuple[tuple[int, float], ...], list[str]] = {}
    for each in told.learned:
        schedule = tuple((point.epoch, point.learning_rate) for point in each.points)
        lines.setdefault(schedule, []).append(named[each.configuration])
    if not lines:
        return None
    return data.LearningRate(
        key=f"rate{key}",
        title="Learning rate",
        setup=setup_of(told.study),
        lines=tuple(
            data.RateLine(
                label=fmt.listed(labels),
                epochs=tuple(float(epoch) for epoch, _ in schedule),
                learning_rate=tuple(rate for _, rate in schedule),
            )
            for schedule, labels in lines.items()
        ),
    )


def classes(told: StudyReport, key: str, *, place: int = 0) -> data.Classes | None:
    if len(told.classes) <= place:
        return None
    each = told.classes[place]
    published = {
        one.published.class_name.lower(): share_of(one.published)
        for one in told.study.published
        if one.published.metric == "recall" and one.published.class_name is not None
    }
    return data.Classes(
        key=f"classes{key}",
        title="Accuracy of each class",
        setup=f"{setup_of(told.study)}; {row_names(told.study)[each.configuration]} after epoch {each.epoch}",
        classes=tuple(
            data.ClassBar(
                name=fmt.clean(one.name),
                support=one.support,
                recall=one.recall,
                precision=one.precision,
                f1=one.f1,
                published=published.get(one.name.lower()),
            )
            for one in each.classes
        ),
    )


def confusion(told: StudyReport, key: str, *, normalised: bool, place: int = 0) -> data.Confusion | None:
    if len(told.classes) <= place:
        return None
    each = told.classes[place]
    return data.Confusion(
        key=f"confusion{'-shares' if normalised else ''}{key}",
        title="Confusion matrix, shares of each class" if normalised else "Confusion matrix, counts",
        setup=f"{setup_of(told.study)}; {row_names(told.study)[each.configuration]} after epoch {each.epoch}",
        names=tuple(fmt.clean(one.name) for one in each.classes),
        counts=each.confusion,
        normalised=normalised,
    )


def _curve_label(told: StudyReport, configuration: str, among: Sequence[StudyReport]) -> str:
    name = row_names(told.study)[configuration]
    if not among:
        return name
    study = opening.short_heading(told, among)
    return study if len(told.learned) == 1 else f"{study}: {name}"
