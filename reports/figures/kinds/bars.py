"""Horizontal bars from 0: where a step's time goes, things side by side, classes, and what the hardware can do."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from reports.figures import data
from reports.figures.facts import by_recall, flop_unit, part_names, share_of
from reports.figures.svg import marks
from reports.text import fmt

_ROW = 22 / 72  # inches for one bar
_AXIS = 42 / 72
_THICK = 0.62
MOST_CLASSES = 24  # more are cut to the best and the worst


def step_parts(figure: Figure, chart: data.StepParts) -> None:
    """Stacked; the same part has the same colour in every bar, and its place in the order."""
    names = part_names(chart)
    axes = _rows(figure, [bar.label for bar in chart.bars], extra=18 * -(-len(names) // 3) / 72)
    widest = max((bar.total_ms for bar in chart.bars), default=1)
    for place, bar in enumerate(chart.bars):
        left = 0.0
        for part in bar.parts:
            axes.barh(
                place,
                part.ms,
                _THICK,
                left=left,
                color=marks.colour(names.index(part.name)),
                edgecolor="none",
                gid=marks.tip(f"{bar.label}: {part.name} {fmt.number(part.ms)} ms"),
            )
            left += part.ms
            if left < bar.total_ms:
                axes.vlines(left, place - _THICK / 2, place + _THICK / 2, color=marks.ink(), linewidth=0.8)
        _value(axes, bar.total_ms, place, f"{fmt.number(bar.total_ms)}{fmt.NARROW}ms")
    axes.set_xlim(0, widest * 1.02)
    axes.set_xlabel("ms of a step (p50)")
    axes.legend(
        handles=[Patch(color=marks.colour(number), label=name) for number, name in enumerate(names)],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=1.2,
        borderpad=0.2,
    )


def side_by_side(figure: Figure, chart: data.Bars) -> None:
    """One colour: the label says what a bar is. Interval as a whisker, launches as dots."""
    axes = _rows(figure, [bar.label for bar in chart.bars])
    unit = f"{fmt.NARROW}{chart.unit}" if chart.unit else ""
    farthest = 0.0
    for place, bar in enumerate(chart.bars):
        estimate = bar.estimate
        told = f"{fmt.point(estimate)}{' ' * bool(bar.note)}{bar.note}"
        axes.barh(
            place,
            estimate.estimate,
            _THICK,
            color=marks.colour(0),
            gid=marks.tip(f"{bar.label}: {fmt.with_interval(estimate)}{unit}, n = {estimate.n}"),
        )
        end = estimate.estimate
        if fmt.has_interval(estimate):
            axes.hlines(place, estimate.low, estimate.high, color=marks.ink(), linewidth=1.4)  # type: ignore[arg-type]
            end = max(end, estimate.high or end)
        if bar.launches:
            level = [place + _THICK * 0.36] * len(bar.launches)
            marks.faint_dots(axes, list(zip(bar.launches, level, strict=True)), marks.ink(), 2.6)
            end = max(end, *bar.launches)
        _value(axes, end, place, told)
        farthest = max(farthest, end)
    axes.set_xlim(0, (farthest or 1) * 1.02)
    axes.set_xlabel(f"{chart.quantity}, {chart.unit}" if chart.unit else chart.quantity)


def classes(figure: Figure, chart: data.Classes) -> None:
    """Recall, best first; what was published as a stroke."""
    ordered = by_recall(chart)
    if len(ordered) > MOST_CLASSES:
        ordered = ordered[: MOST_CLASSES // 2] + ordered[-MOST_CLASSES // 2 :]
    axes = _rows(figure, [each.name for each in ordered], row=17 / 72)
    for place, each in enumerate(ordered):
        recall = each.recall or 0.0
        axes.barh(
            place,
            recall,
            _THICK,
            color=marks.colour(0),
            gid=marks.tip(f"{each.name}: recall {fmt.percent(recall)}, {fmt.count(each.support, 'sample')}"),
        )
        end = recall
        if each.published is not None:
            axes.vlines(each.published, place - 0.45, place + 0.45, color=marks.ink(), linewidth=2)
            end = max(end, each.published)
        _value(axes, end, place, fmt.percent(recall))
    axes.set_xlim(0, 1)
    marks.percent_ticks(axes.xaxis)
    strokes = "; stroke: published" if any(each.published is not None for each in ordered) else ""
    axes.set_xlabel(f"recall (accuracy of the class){strokes}")


def limits(figure: Figure, chart: data.Limits) -> None:
    """What was reached as bars; above each its ceilings, a stroke and a line of text for each."""
    unit, many = flop_unit(chart)
    lines = max((len(row.ceilings) for row in chart.rows), default=0)
    axes = _rows(figure, [row.label for row in chart.rows], row=_ROW + lines * 13 / 72)
    farthest = many * max(
        (each for row in chart.rows for each in (row.tflops, *(one.tflops for one in row.ceilings))), default=0
    )
    thick = _ROW / (_ROW + lines * 13 / 72) * _THICK
    line = (1 - thick) / (lines + 1) if lines else 0.0
    for place, row in enumerate(chart.rows):
        axes.barh(
            place,
            many * row.tflops,
            thick,
            color=marks.colour(0),
            gid=marks.tip(f"{row.label}: {fmt.number(many * row.tflops)} {unit}"),
        )
        _value(axes, many * row.tflops, place, fmt.number(many * row.tflops))
        for number, each in enumerate(sorted(row.ceilings, key=lambda each: each.tflops)):
            level = place - thick / 2 - line * (number + 0.5)
            axes.vlines(many * each.tflops, level - line / 2, place + thick / 2, color=marks.ink(), linewidth=1.6)
            is_right = many * each.tflops > farthest / 2
            axes.annotate(
                f"{each.name}: {fmt.percent(share_of(row, each))}",
                (many * each.tflops, level),
                xytext=(-4 if is_right else 4, 0),
                textcoords="offset points",
                ha="right" if is_right else "left",
                va="center",
            )
    axes.set_xlim(0, (farthest or 1) * 1.02)
    axes.set_ylim(max(1, len(chart.rows)) - 0.5, -0.5 - line * lines / 2)
    axes.set_xlabel(f"{unit} over all devices (formula FLOPs)")


def _rows(figure: Figure, labels: Sequence[str], extra: float = 0, row: float = _ROW) -> Axes:
    """Axes with a named place for each bar, first on top."""
    figure.set_figheight(_AXIS + extra + row * max(1, len(labels)))
    axes: Axes = figure.add_subplot()
    marks.plain_axes(axes, x=True, y=False)
    axes.set_yticks(range(len(labels)), [_short(label) for label in labels])
    axes.set_ylim(max(1, len(labels)) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    return axes


def _short(label: str, most: int = 26) -> str:
    """Without its middle: the end distinguishes rows, as in `ddp on 2 ranks with 4 cores`."""
    half = most // 2
    return label if len(label) <= most else f"{label[: most - half - 1].rstrip()}…{label[-half:].lstrip()}"


def _value(axes: Axes, x: float, y: float, text: str) -> None:
    """The bar's number just behind its end; it may stand outside of the axes."""
    axes.annotate(text, (x, y), xytext=(4, 0), textcoords="offset points", va="center", annotation_clip=False)
