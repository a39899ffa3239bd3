"""What a study learned, beside what others published: a table, and the sentences under it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.analysis.digits import significant
from bench.analysis.result import PublishedComparison, Row, Study, Target, TimeTo
from bench.plan import PERCENT
from reports.text import fmt, names
from reports.text.columns import Column
from reports.text.plain import estimate

_NAMES = {
    "top1": "top-1",
    "top5": "top-5",
    "best_top1": "top-1 of the best epoch",
    "validation_loss": "validation loss",
    "train_top1": "training top-1",
    "train_loss": "training loss",
    "worst_recall": "recall of the worst class",
    "throughput": "samples/s",
    "epoch_s": "an epoch's training",
    "training_s": "the whole training",
    "params": "parameters",
    "f1": "F1",
}
HARDWARE, APART = "published on", "apart"  # headers
_DECIMALS = {"params": 0, "validation_loss": 3, "train_loss": 3}


def headline(study: Study) -> tuple[PublishedComparison, ...]:
    """Of the end of the run and of all classes; the rest is in `bench show`."""
    return tuple(each for each in study.published if each.published.epoch is None and each.published.class_name is None)


def columns(found: Sequence[PublishedComparison]) -> tuple[Column, ...]:
    """Measured beside published, a line each."""

    def column(key: str, header: str, cell: Callable[[PublishedComparison], str], **more: Any) -> Column:
        return Column(key=key, header=header, cells=tuple(cell(each) for each in found), **more)

    columns = (
        column("metric", "published beside measured", _what, align="left"),
        column("measured", "measured", _measured),
        column("published", "published", _published),
        column("difference", "difference", _difference, drop=3, narrower=column("difference", "differs by", _differs)),
        column("hardware", HARDWARE, _hardware, align="left", drop=1),
        column("apart", APART, _apart, align="left", drop=2),
    )
    return tuple(each for each in columns if any(each.cells))


def instead(found: Sequence[PublishedComparison], gone: Sequence[str]) -> Iterator[str]:
    """What columns that had to go would have said: two runs that differ must not look alike."""
    if HARDWARE in gone:
        yield f"Published on: {'; '.join(dict.fromkeys(filter(None, map(_hardware, found))))}."
    if APART in gone:
        apart: dict[str, list[str]] = {}
        for each in found:
            if each.apart:
                apart.setdefault(_apart(each), []).append(_what(each))
        yield from (f"{why[0].upper()}{why[1:]}: {'; '.join(of)}." for why, of in apart.items())


def closing(study: Study) -> tuple[str, ...]:
    """The sentences of a study that is about learning; of one about speed the table says enough."""
    about = study.published or study.targets or len(study.title.seeds) > 1
    return tuple(sentences(study)) if about else ()


def sentences(study: Study) -> Iterator[str]:
    """What each row came to: last and best epoch, the gap, how long the target took, and what was wanted."""
    for row in study.rows:
        if row.accuracy is None:
            continue
        parts = [*_learned(row), *(time(each) for each in row.times_to)]
        parts += [_target(each) for each in study.targets if each.configuration == row.key]
        yield f"{names.phrase(row, study.rows)}: {'; '.join(parts)}."


def missed(study: Study) -> Iterator[str]:
    """The targets that a row did not reach or did not measure."""
    for each in study.targets:
        if each.missed_by != 0:
            yield f"accuracy: {_target(each)} ({each.configuration})"


def document(study: Study) -> dict[str, Any]:
    """For the JSON document of a study; additive."""
    return {
        "published": [
            {
                **vars(each.published),
                "configuration": each.configuration,
                "measured": estimate(each.measured),
                "difference": estimate(each.difference),
                "ratio": each.ratio,
                "apart": each.apart,
                "reason": each.reason,
            }
            for each in study.published
        ],
        "targets": study.targets,
    }


def _learned(row: Row) -> Iterator[str]:
    found = row.accuracy
    if found is None:
        return
    spread = f" [{_percent(found.low)}, {_percent(found.high)}]" if found.low is not None else ""
    over = f", mean of {found.seeds} seeds" if found.seeds > 1 else ""
    top5 = f", top-5 {fmt.percent(found.top5, 2)}" if found.top5 is not None else ""
    after = fmt.count(found.epoch, "epoch")
    yield f"top-1 {fmt.percent(found.top1, 2)}{spread}{over}{top5}, loss {fmt.number(found.loss, 3)} after {after}"
    if found.best_epoch is not None and found.best_epoch != found.epoch:
        yield (
            f"its best epoch, {found.best_epoch}, had {fmt.percent(found.best_top1, 2)}, "
            "which was picked on the validation set and flatters"
        )
    if found.gap is not None:
        gap = f"a generalisation gap of {100 * found.gap:+.1f} points"
        yield f"training top-1 {fmt.percent(found.train_top1, 2)}, {gap}"


def time(found: TimeTo) -> str:
    target = fmt.percent(found.top1, 1)
    if not found.reached or found.epochs is None:
        return f"{target} was not reached"
    some = "" if found.reached == found.launches else f" by {found.reached} of {found.launches} launches"
    how = [
        f"{fmt.number(seconds)}{fmt.NARROW}s {since}"
        for seconds, since in (
            (found.cold_s, "from the start of the processes"),
            (found.warm_s, "from the first step"),
            (found.train_s, "of training steps"),
        )
        if seconds is not None
    ]
    after = f"{significant(found.epochs, 3)} epoch{'s' * (found.epochs != 1)}"
    return f"{target} was reached{some} after {after}: {', '.join(how)}"


def _target(found: Target) -> str:
    name = _NAMES.get(found.metric, found.metric)
    if found.at_most:
        wanted, lacking = f"at most {significant(found.wanted, 6)}", f"{found.missed_by or 0:.3f}"
    else:
        wanted, lacking = f"at least {fmt.percent(found.wanted, 1)}", f"{100 * (found.missed_by or 0):.2f} points"
    if found.missed_by is None:
        return f"{name} was to be {wanted} and was not measured"
    return f"{name} was to be {wanted}: " + (f"missed by {lacking}" if found.missed_by else "reached")


def _what(each: PublishedComparison) -> str:
    published = each.published
    name = _NAMES.get(published.metric, published.metric)
    of = f" of {published.class_name}" if published.class_name else ""
    after = published.epoch if published.epoch is not None else published.epochs
    when = (
        f", {fmt.count(after, 'epoch')}"
        if after is not None and published.metric not in {"params", "epoch_s", "throughput"}
        else ""
    )
    when = f", epoch {published.epoch}" if published.epoch is not None else when
    ranks = f", {fmt.count(published.ranks, 'rank')}" if published.ranks is not None else ""
    return f"{name}{of}{ranks}{when}"


def _measured(each: PublishedComparison) -> str:
    if each.measured is None:
        return fmt.MISSING
    if fmt.has_interval(each.measured):
        return fmt.with_interval(each.measured) + _unit(each)
    return fmt.number(each.measured.estimate, _decimals(each)) + _unit(each)


def _published(each: PublishedComparison) -> str:
    published = each.published
    if published.low is not None and published.high is not None:
        return f"{_plain(published.low)} to {_plain(published.high)}{_unit(each)}"
    return f"{_plain(published.value)}{_unit(each)}"


def _difference(each: PublishedComparison) -> str:
    found = each.difference
    if each.ratio is not None or found is None or found.low is None or found.high is None:
        return _differs(each)
    if each.published.unit != PERCENT:
        return _differs(each)
    return f"{found.estimate:+.2f} [{found.low:+.1f}, {found.high:+.1f}] points"


def _differs(each: PublishedComparison) -> str:
    """Without its interval."""
    if each.difference is None:
        return each.reason or fmt.MISSING
    if each.ratio is not None:
        return f"x{fmt.NARROW}{fmt.number(each.ratio)}"
    if not each.difference.estimate:
        return "none"
    decimals = _decimals(each)
    points = " points" if each.published.unit == PERCENT else ""
    return f"{each.difference.estimate:+,.{2 if decimals is None else decimals}f}{points}".replace(",", fmt.NARROW)


def _hardware(each: PublishedComparison) -> str:
    published = each.published
    where = [part for part in (published.hardware, published.device) if part]
    return ", ".join(map(fmt.clean, where))


def _apart(each: PublishedComparison) -> str:
    return "; ".join(each.apart)


def _unit(each: PublishedComparison) -> str:
    unit = each.published.unit
    return f"{fmt.NARROW}{unit}" if unit and unit != "samples/s" else ""


def _decimals(each: PublishedComparison) -> int | None:
    metric, unit = each.published.metric, each.published.unit
    if unit == PERCENT:
        return 2
    return _DECIMALS.get(metric, None if unit else 3)


def _plain(value: float) -> str:
    return fmt.number(int(value)) if float(value).is_integer() else f"{value:,}".replace(",", fmt.NARROW)


def _percent(share: float | None) -> str:
    return fmt.MISSING if share is None else f"{100 * share:.2f}"
