"""Loss and accuracy against samples and against seconds, and the learning rate."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from reports.figures import data
from reports.figures.svg import marks
from reports.figures.svg.palette import MOST
from reports.text import fmt

_MARKED = 12  # markers on a line, however many epochs


def learning(figure: Figure, chart: data.Learning) -> None:
    """Validation as lines; training beside it, dotted, where there is a single run."""
    figure.set_figheight(figure.get_figwidth() * 0.86)
    panels = figure.subplots(2, 2, sharex="col", sharey="row")
    for number, curve in enumerate(chart.curves[:MOST]):
        for column, along in enumerate((curve.samples, curve.seconds)):
            _curve(panels[0][column], along, curve.validation_loss, number, f"{curve.label}, validation loss")
            _curve(panels[1][column], along, curve.validation_accuracy, number, f"{curve.label}, validation accuracy")
            if len(chart.curves) == 1:
                for row, values in ((0, curve.train_loss), (1, curve.train_accuracy)):
                    panels[row][column].plot(along, values, color=marks.colour(1), dashes=(1.5, 1.5), linewidth=1.2)
    if chart.published_accuracy is not None:
        for panel in panels[1]:
            panel.axhline(chart.published_accuracy, color=marks.ink(), linewidth=1, linestyle=(0, (4, 3)))
    for panel in panels.flat:
        marks.plain_axes(panel)
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.set_xlim(0)
    panels[0][0].set_ylim(0)
    panels[1][0].set_ylim(0, 1)
    marks.percent_ticks(panels[1][0].yaxis)
    panels[0][0].set_ylabel("loss")
    panels[1][0].set_ylabel("accuracy")
    most = max((max(curve.samples, default=0) for curve in chart.curves), default=0)
    if most >= 1_000_000:
        panels[1][0].xaxis.set_major_formatter(lambda value, _: marks.tick(value / 1_000_000))
    panels[1][0].set_xlabel("million samples" if most >= 1_000_000 else "samples")
    panels[1][1].set_xlabel("seconds of training")
    _legend(figure, chart)


def _curve(axes: Axes, along: Sequence[float], values: Sequence[float], number: int, told: str) -> None:
    looks = marks.series(number)
    axes.plot(
        along,
        values,
        color=looks["color"],
        marker=looks["marker"],
        dashes=looks["dashes"],
        markersize=3.5,
        markevery=max(1, len(values) // _MARKED),
        linewidth=1.4,
        gid=marks.tip(told),
    )


def _legend(figure: Figure, chart: data.Learning) -> None:
    """Four panels share their series, so they are named once, above all."""
    if len(chart.curves) == 1:
        handles = [_handle(0, "validation"), Line2D([], [], color=marks.colour(1), dashes=(1.5, 1.5), label="training")]
    else:
        handles = [_handle(number, curve.label) for number, curve in enumerate(chart.curves[:MOST])]
    if chart.published_accuracy is not None:
        label = f"published, {fmt.percent(chart.published_accuracy)}"
        handles.append(Line2D([], [], color=marks.ink(), linewidth=1, linestyle=(0, (4, 3)), label=label))
    if handles:
        figure.legend(handles=handles, loc="outside upper left", ncols=2, borderpad=0.1, columnspacing=1.2)


def _handle(number: int, label: str) -> Line2D:
    looks = marks.series(number)
    return Line2D([], [], label=label, markersize=4, **looks)


def rate(figure: Figure, chart: data.LearningRate) -> None:
    """A line a run, named at its end."""
    axes: Axes = figure.add_subplot()
    ends = []
    for number, line in enumerate(chart.lines[:MOST]):
        looks = marks.series(number)
        axes.plot(
            line.epochs,
            line.learning_rate,
            color=looks["color"],
            marker=looks["marker"],
            dashes=looks["dashes"],
            markersize=3.5,
            markevery=max(1, len(line.epochs) // _MARKED),
        )
        if line.epochs:
            ends.append((line.epochs[-1], line.learning_rate[-1], line.label))
    marks.plain_axes(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(0, 1.08 * max((max(line.learning_rate, default=0) for line in chart.lines), default=1) or 1)
    axes.set_xlim(0, max((max(line.epochs, default=0) for line in chart.lines), default=1) or 1)
    axes.set_xlabel("epoch")
    axes.set_ylabel("learning rate")
    if len(ends) > 1:
        marks.label_ends(axes, ends)
