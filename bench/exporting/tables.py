"""A record as tables of plain values, each a list of rows with the same keys; headers carry units."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.analysis.learning import accuracy
from bench.exporting.record import Point, Record, Run, Setting, ids, scalars
from bench.store.schema import ClassScore
from reports.text import fmt
from reports.text.plain import as_csv, finite

Rows = list[dict[str, Any]]

# Of a class's row: ids, and what is a table of its own.
_NOT_A_SCORE = {"study_id", "launch_id", "schema_version", "method_version", "epoch", "confusion"}


def settings(record: Record) -> Rows:
    """A row a setting: its value, and who set it."""
    return [asdict(each) for each in record.settings]


def rows(record: Record) -> Rows:
    """A row a configuration: what the study found of it."""
    return [_flat(finite(each)) for each in record.study.rows]


def launches(record: Record) -> Rows:
    """One row per launch: its columns in the store, failures included."""
    return [{**asdict(each.launch), **ids(each.dna)} for each in record.runs]


def epochs(record: Record) -> Rows:
    """A row an epoch of a launch; `epoch` counts from 1, samples and seconds add up from the first."""
    return [row for run in record.runs for row in epochs_of(run)]


def epochs_of(run: Run) -> Rows:
    """The same of one launch."""
    return [_moment(run, "epoch", point) for point in run.epochs]


def steps(record: Record) -> Rows:
    """One row per step of a launch, or per block of them, on its slowest rank."""
    return [_moment(run, "step", point) for run in record.runs for point in run.steps]


def classes(record: Record) -> Rows:
    """A row a class of a launch, after its last epoch."""
    return [{**_of(run), "epoch": score.epoch + 1, **scores(score)} for run in record.runs for score in run.classes]


def confusion(record: Record) -> Rows:
    """A row a pair of classes: how often images of one were called the other, after a launch's last epoch."""
    return [row for run in record.runs for row in confusion_of(run)]


def confusion_of(run: Run) -> Rows:
    """The same of one launch."""
    return [
        {
            **_of(run),
            "epoch": score.epoch + 1,
            "is": score.name,
            "called": run.classes[place].name if place < len(run.classes) else place,
            "images": count,
            "share": count / score.support if score.support else None,
        }
        for score in run.classes
        for place, count in enumerate(score.confusion)
    ]


def fingerprints(record: Record) -> Rows:
    """One row per launch: the ids of what it ran on, and the facts behind them."""
    return [fingerprint(run) for run in record.runs if run.dna]


def fingerprint(run: Run) -> dict[str, Any]:
    """What one launch ran on; only what is no fact itself where it has given none."""
    parts = ("identity", "conditions", "software", "numeric", "measured", "unavailable")
    return {**_of(run), **ids(run.dna), **{part: _parsed(getattr(run.dna, part, None)) for part in parts}}


def scores(score: ClassScore) -> dict[str, Any]:
    """What one class got."""
    return {name: value for name, value in asdict(score).items() if name not in _NOT_A_SCORE}


def labels(classes: Sequence[ClassScore], spelled: Callable[[str], str] = str) -> list[str]:
    """What each class is called in the name of a metric: its own name, or, if any two were one then, its number too.

    Args:
        classes: of one evaluation.
        spelled: a name in the letters that the tracker takes.
    """
    names = [spelled(fmt.clean(each.name)).strip() for each in classes]
    if all(names) and len({name.casefold() for name in names}) == len(names):
        return names
    return [f"{each.label} {name}".strip() for each, name in zip(classes, names, strict=True)]


def class_metrics(classes: Sequence[ClassScore], spelled: Callable[[str], str] = str) -> dict[str, float]:
    """The shares of every class by the name of their metric, as `class_f1/cat`; arguments as `labels` has them."""
    return {
        f"class_{name}/{label}": value
        for label, each in zip(labels(classes, spelled), classes, strict=True)
        for name, value in scores(each).items()
        if isinstance(value, float)
    }


def class_files(run: Run) -> dict[str, str]:
    """What trackers take of a launch's classes, by the names of files; empty where there are none."""
    if not run.classes:
        return {}
    return {"classification.txt": classification_report(run), "confusion.csv": as_csv(confusion_of(run))}


def classification_report(run: Run) -> str:
    """Precision, recall and F1 of every class as text, with their plain means; shares of 1."""
    names = [fmt.clean(each.name) for each in run.classes]
    width = max(12, *map(len, names))
    lines = [f"{'':{width}}  precision     recall         f1    support"]
    lines += [
        f"{name:{width}}{_share(each.precision)}{_share(each.recall)}{_share(each.f1)}{each.support:11d}"
        for name, each in zip(names, run.classes, strict=True)
    ]
    means = accuracy.macro_means(run.classes)
    images = sum(each.support for each in run.classes)
    right = sum(each.confusion[place] for place, each in enumerate(run.classes))
    lines += [
        "",
        f"{'macro mean':{width}}{_share(means.precision)}{_share(means.recall)}{_share(means.f1)}{images:11d}",
        f"{'accuracy':{width}}{'':22}{_share(right / images if images else None)}{images:11d}",
    ]
    if means.never_called:
        lines += ["", f"- {means.never_called} of these classes were never called: no precision, 0 in the macro mean"]
    if means.classes < len(run.classes):
        lines += ["", f"- {len(run.classes) - means.classes} of these classes have no samples: not in the macro mean"]
    epoch = run.classes[0].epoch + 1
    return "\n".join([f"{run.launch.launch_id}, {run.launch.configuration}, after epoch {epoch}", "", *lines, ""])


def settings_in_markdown(settings: Sequence[Setting]) -> str:
    """Settings as a table for people."""
    lines = [f"| {each.name} | {cell(scalars(each))} | {cell(each.origin)} |" for each in settings]
    return "\n".join(["| setting | value | from |", "| --- | --- | --- |", *lines])


def cell(value: Any) -> str:
    """A value in a table of Markdown."""
    return fmt.clean(str(value)).replace("|", "\\|")


def _of(run: Run) -> dict[str, Any]:
    return {"launch": run.launch.launch_id, "configuration": run.launch.configuration, "seed": run.launch.seed}


def _moment(run: Run, axis: str, point: Point) -> dict[str, Any]:
    return {**_of(run), axis: point.index, **point.numbers}


def _flat(nested: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Tables within a row as columns of their own: `throughput` with a `low` becomes `throughput_low`."""
    row: dict[str, Any] = {}
    for name, value in nested.items():
        row |= _flat(value, f"{before}{name}_") if isinstance(value, Mapping) and value else {before + name: value}
    return row


def _parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _share(value: float | None) -> str:
    return f"{'-' if value is None else f'{value:.4f}':>11}"
