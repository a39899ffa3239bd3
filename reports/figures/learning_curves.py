"""Loss and accuracy against samples and against seconds: what every row, or every study, learned."""

from dataclasses import dataclass
from typing import Any, Self

from bench.analysis.report import Report, StudyReport
from bench.analysis.result import Learned
from reports.figures.chart import LISTED_EPOCHS, Chart, DataTable, spread
from reports.figures.kinds.lines import not_drawn
from reports.figures.svg import marks
from reports.figures.svg.palette import MOST
from reports.learning.table import headline
from reports.text import fmt, names

_PUBLISHED: dict[str, Any] = {"linewidth": 1, "linestyle": (0, (4, 3))}
_TRAINING: dict[str, Any] = {"dashes": (1.5, 1.5)}


@dataclass(frozen=True, kw_only=True)
class LearningCurves(Chart):
    """Validation as lines; training beside it, dotted, where there is a single run. At most six curves."""

    name = "learning"
    title = "Loss and accuracy"
    section = "learning"
    place = 2

    curves: tuple[tuple[str, Learned], ...]  # by label; means over launches
    published_accuracy: float | None = None  # a line to compare with

    @classmethod
    def select(cls, report: StudyReport) -> Self | str:
        if not report.learned:
            return "Nothing was evaluated in this study."
        study = report.study
        named, setup = names.of_rows(study), names.setup(study)
        batches = {fmt.number(row.configuration.batch_global) for row in study.rows if row.accuracy is not None}
        quoted = [each.published.share for each in headline(study) if each.published.metric == "top1"]
        return cls(
            setup=setup,
            caption=f"Loss and top-1 accuracy against samples seen and against seconds of training; {setup}; global "
            f"batch {fmt.listed(sorted(batches, key=len))}, learning rate "
            f"{report.facts.get('learning rate', 'as given')}. Means over launches.",
            curves=tuple((named[each.configuration], each) for each in report.learned),
            published_accuracy=next(iter(quoted), None),
        )

    @classmethod
    def together(cls, report: Report) -> Self | str:
        """The curves of every study under its name."""
        learned = [each for each in report.studies if each.learned]
        if len(learned) < 2:
            return ""
        setup = names.setups(learned)
        curves = []
        for study in learned:
            label, named = names.study_among(study, report.studies), names.of_rows(study.study)
            for each in study.learned:
                row = f": {named[each.configuration]}" if len(study.learned) > 1 else ""
                curves.append((f"{label}{row}", each))
        return cls(
            suffix="-together",
            setup=setup,
            caption=f"What each learned, on the validation set; {setup}. Means over launches.",
            curves=tuple(curves),
        )

    def draw(self, figure: marks.Figure) -> None:
        figure.set_figheight(figure.get_figwidth() * 0.86)
        panels = figure.subplots(2, 2, sharex="col", sharey="row")
        for number, (label, curve) in enumerate(self.curves[:MOST]):
            points = curve.points
            for column, along in enumerate(("samples", "seconds")):
                for panel, what, validation, training in (
                    (panels[0][column], "loss", "validation_loss", "train_loss"),
                    (panels[1][column], "accuracy", "top1", "train_top1"),
                ):
                    x, y, trained = ([getattr(each, of) for each in points] for of in (along, validation, training))
                    marks.line(panel, x, y, number, linewidth=1.4, gid=marks.tip(f"{label}, validation {what}"))
                    if len(self.curves) == 1:
                        panel.plot(x, trained, color=marks.colour(1), linewidth=1.2, **_TRAINING)
        if self.published_accuracy is not None:
            for panel in panels[1]:
                panel.axhline(self.published_accuracy, color=marks.ink(), **_PUBLISHED)
        for panel in panels.flat:
            marks.plain_axes(panel)
            marks.ticks_at_most(panel.xaxis, 4)
            panel.set_xlim(0)
        self._scales(panels)
        self._legend(figure)

    def _scales(self, panels: Any) -> None:
        panels[0][0].set_ylim(0)
        panels[1][0].set_ylim(0, 1)
        marks.percent_ticks(panels[1][0].yaxis)
        panels[0][0].set_ylabel("loss")
        panels[1][0].set_ylabel("accuracy")
        most = max((each.samples for _, curve in self.curves for each in curve.points), default=0)
        if most >= 1_000_000:
            panels[1][0].xaxis.set_major_formatter(lambda value, _: marks.tick(value / 1_000_000))
        panels[1][0].set_xlabel("million samples" if most >= 1_000_000 else "samples")
        panels[1][1].set_xlabel("seconds of training")

    def _legend(self, figure: marks.Figure) -> None:
        """Four panels share their series, so they are named once, above all."""
        labels = [label for label, _ in self.curves[:MOST]] if len(self.curves) != 1 else ["validation"]
        handles = [marks.stroke(label, markersize=4, **marks.series(number)) for number, label in enumerate(labels)]
        if len(self.curves) == 1:
            handles.append(marks.stroke("training", color=marks.colour(1), **_TRAINING))
        if self.published_accuracy is not None:
            label = f"published, {fmt.percent(self.published_accuracy)}"
            handles.append(marks.stroke(label, color=marks.ink(), **_PUBLISHED))
        if handles:
            figure.legend(handles=handles, loc="outside upper left", ncols=2, borderpad=0.1, columnspacing=1.2)

    def table(self) -> DataTable:
        """At most 25 epochs of each run, the first and the last among them."""
        numbers = ("samples", "seconds", "loss train", "loss valid.", "accuracy train", "accuracy valid.")
        return DataTable(
            headers=("run", "epoch", *numbers),
            rows=tuple(
                (
                    label,
                    str(each.epoch),
                    fmt.number(round(each.samples)),
                    fmt.number(each.seconds),
                    fmt.number(each.train_loss, 3),
                    fmt.number(each.validation_loss, 3),
                    fmt.percent(each.train_top1, 2),
                    fmt.percent(each.top1, 2),
                )
                for label, curve in self.curves
                for each in spread(curve.points, LISTED_EPOCHS)
            ),
        )

    def sentences(self) -> list[str]:
        found = [_sentence(label, curve) for label, curve in self.curves if curve.points]
        if self.published_accuracy is not None:
            found.append(f"Published: {fmt.percent(self.published_accuracy, 2)}.")
        return found + not_drawn([label for label, _ in self.curves])


def _sentence(label: str, curve: Learned) -> str:
    last = curve.points[-1]
    repeats = f", mean of {fmt.count(curve.launches, 'launch')}" if curve.launches > 1 else ""
    return (
        f"{label}: after {fmt.count(len(curve.points), 'epoch')}, {fmt.number(round(last.samples))} samples and "
        f"{fmt.number(last.seconds)} s, validation accuracy {fmt.percent(last.top1, 2)} and loss "
        f"{fmt.number(last.validation_loss, 3)}{repeats}."
    )
