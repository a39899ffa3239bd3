"""Accuracy (recall) of each class after the last epoch, best first; precision and F1 in the table."""

from dataclasses import dataclass
from typing import Self

from bench.analysis.report import StudyReport
from bench.analysis.result import ClassResult
from reports.figures.chart import Chart, DataTable
from reports.figures.kinds import bars
from reports.figures.svg import marks
from reports.text import fmt, names

MOST_CLASSES = 24  # more are cut to the best and the worst


@dataclass(frozen=True, kw_only=True)
class ClassRecall(Chart):
    """Of the baseline; what was published as a stroke. Of every other row the same would be said again."""

    name = "classes"
    title = "Accuracy of each class"
    section = "classes"
    place = 1

    classes: tuple[tuple[ClassResult, float | None], ...]  # with the recall that was published

    @classmethod
    def select(cls, report: StudyReport) -> Self | str:
        if not report.classes:
            return ""
        first, *others = report.classes
        published = {
            each.published.class_name.lower(): each.published.share
            for each in report.study.published
            if each.published.metric == "recall" and each.published.class_name is not None
        }
        setup = names.after_training(report.study, first)
        pooled = f", {fmt.count(first.launches, 'launch')} pooled" if first.launches > 1 else ""
        rest = f" The other {len(others)} rows are in the data below." if others else ""
        return cls(
            setup=setup,
            caption=f"Share of each class that was recognised; {setup}{pooled}.{rest}",
            classes=tuple((each, published.get(each.name.lower())) for each in first.classes),
        )

    def draw(self, figure: marks.Figure) -> None:
        shown = self._by_recall()
        if len(shown) > MOST_CLASSES:
            shown = shown[: MOST_CLASSES // 2] + shown[-MOST_CLASSES // 2 :]
        axes = bars.axes_of(figure, [name for name, *_ in shown], row=17 / 72)
        for place, (name, recall, support, published) in enumerate(shown):
            tip = f"{name}: recall {fmt.percent(recall)}, {fmt.count(support, 'sample')}"
            bars.bar(axes, place, recall, tip)
            if published is not None:
                bars.stroke(axes, published, place, 0.45, linewidth=2)
            bars.value(axes, max(recall, published or 0.0), place, fmt.percent(recall))
        axes.set_xlim(0, 1)
        marks.percent_ticks(axes.xaxis)
        strokes = "; stroke: published" if any(published is not None for *_, published in shown) else ""
        axes.set_xlabel(f"recall (accuracy of the class){strokes}")

    def table(self) -> DataTable:
        has_published = any(published is not None for _, published in self.classes)
        headers = ("class", "recall", "precision", "F1", "samples") + (("published recall",) if has_published else ())
        rows = tuple(
            (fmt.clean(each.name), *map(fmt.percent, (each.recall, each.precision, each.f1)), fmt.number(each.support))
            + ((fmt.percent(published),) if has_published else ())
            for each, published in self.classes
        )
        return DataTable(headers=headers, rows=rows)

    def sentences(self) -> list[str]:
        ordered = self._by_recall()
        if not ordered:
            return ["No class has a recall."]
        (best, high, *_), (worst, low, *_) = ordered[0], ordered[-1]
        many = f"{fmt.number(len(self.classes))} classes: best {best} {fmt.percent(high)}"
        return [f"{many}, worst {worst} {fmt.percent(low)}."]

    def _by_recall(self) -> list[tuple[str, float, int, float | None]]:
        """Name, recall, samples and published recall of those that have a recall; best first, equals by name."""
        found = [
            (fmt.clean(each.name), each.recall, each.support, published)
            for each, published in self.classes
            if each.recall is not None
        ]
        return sorted(found, key=lambda each: (-each[1], each[0]))
