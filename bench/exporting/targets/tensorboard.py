"""TensorBoard: an event file a launch, in a tree that its run selector shows as study, row and launch.

Written with TensorBoard's own record writer, so neither torch nor TensorFlow is imported. A scalar has one axis there,
its step: epochs are written once against epochs and once, as `by_samples/`, against samples. Seconds are the relative
wall time, which is the launch's own and not that of the export. TensorBoard keeps values in single precision.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.exporting import tables
from bench.exporting.files import drafted
from bench.exporting.record import Record, Run, ids

NEEDS: Mapping[str, str] = {"tensorboard": "tensorboard>=2.20"}

_HPARAMS = "_hparams_/session_start_info"


def write(record: Record, folder: Path, progress: Callable[[str], None]) -> list[Path]:
    """`folder/STUDY/ROW/LAUNCH/events.out.tfevents.…`, and `folder/STUDY/` with the report for a whole study."""
    final = folder / record.plan.study_id
    # The name is the study's alone: a later attempt of a launch takes the place of the earlier one.
    name = f"events.out.tfevents.{int(record.created_at)}.bench"
    written = []
    with drafted(final) as draft:
        for run in record.runs:
            progress(run.name)
            place = Path(run.launch.configuration) / run.short
            (draft / place).mkdir(parents=True)
            _write(draft / place / name, _of_run(record, run))
            written.append(final / place / name)
        if record.only is None:
            _write(draft / name, _of_study(record))
            written.append(final / name)
    return written


def opened(_: Record, folder: Path) -> str:
    return f"tensorboard --logdir {folder}"


def _write(file: Path, events: Iterator[Any]) -> None:
    from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415 - an extra
    from tensorboard.summary.writer.record_writer import RecordWriter  # noqa: PLC0415

    with file.open("wb") as stream:
        writer = RecordWriter(stream)
        first = True
        for event in events:
            if first:
                writer.write(Event(wall_time=event.wall_time, file_version="brain.Event:2").SerializeToString())
                first = False
            writer.write(event.SerializeToString())
        writer.flush()


def _of_run(record: Record, run: Run) -> Iterator[Any]:
    began = run.began_at
    yield _hparams(record, run, began)
    yield _text("settings", tables.settings_in_markdown(record.settings), began)
    yield _text("launch", _pairs(run.facts), began)
    yield _text("evaluated", record.evaluated, began)
    yield _text("dna", _pairs(ids(run.dna)), began)
    for name, value in run.numbers.items():
        yield _scalar(f"launch/{name}", value, 0, began)
    for point in run.steps:
        for name, value in point.values.items():
            yield _scalar(f"steps/{name}", value, point.index, began + point.seconds)
    for point in run.epochs:
        at = began + point.seconds
        for name, value in {**point.values, "samples": point.samples, "seconds": point.seconds}.items():
            yield _scalar(f"epochs/{name}", value, point.index, at)
        for name, value in point.values.items():
            yield _scalar(f"by_samples/{name}", value, point.samples, at)
    if run.classes:
        epoch, at = run.epochs[-1].index if run.epochs else 0, began + (run.epochs[-1].seconds if run.epochs else 0)
        yield _text("classification", f"```\n{tables.classification_report(run)}```", at, epoch)
        yield _text("confusion", _confusion(run), at, epoch)
        for name, value in tables.class_metrics(run.classes).items():
            yield _scalar(name, value, epoch, at)


def _of_study(record: Record) -> Iterator[Any]:
    ended = record.ended_at
    yield _text("report", record.report, ended)
    yield _text("command", f"```\n{record.plan.command}\n```", ended)
    for name, value in record.estimates.items():
        yield _scalar(name, value, 0, ended)


def _scalar(tag: str, value: float, step: int, at: float) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415
    from tensorboard.compat.proto.summary_pb2 import Summary  # noqa: PLC0415

    return Event(wall_time=at, step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))


def _text(tag: str, text: str, at: float, step: int = 0) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata  # noqa: PLC0415
    from tensorboard.compat.proto.tensor_pb2 import TensorProto  # noqa: PLC0415
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto  # noqa: PLC0415

    value = Summary.Value(
        tag=f"{tag}/text_summary",
        metadata=SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text")),
        tensor=TensorProto(
            dtype="DT_STRING",
            string_val=[text.encode()],
            tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)]),
        ),
    )
    return Event(wall_time=at, step=step, summary=Summary(value=[value]))


def _hparams(record: Record, run: Run, at: float) -> Any:
    """What the HParams page compares launches by: every setting, and the row."""
    from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata  # noqa: PLC0415
    from tensorboard.plugins.hparams.plugin_data_pb2 import (  # noqa: PLC0415
        HParamsPluginData,
        SessionStartInfo,
    )

    start = SessionStartInfo(group_name=run.launch.launch_id, start_time_secs=at)
    for name, value in {**record.scalars, "configuration": run.launch.configuration, "round": run.launch.round}.items():
        if isinstance(value, bool):
            start.hparams[name].bool_value = value
        elif isinstance(value, str):
            start.hparams[name].string_value = value
        else:
            start.hparams[name].number_value = value
    # In the order of their names: a map of protobuf's has none of its own, and the file should be the same every time.
    content = HParamsPluginData(session_start_info=start).SerializeToString(deterministic=True)
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="hparams", content=content))
    return Event(wall_time=at, summary=Summary(value=[Summary.Value(tag=_HPARAMS, metadata=metadata)]))


def _pairs(pairs: Mapping[str, Any]) -> str:
    return "\n".join(
        ["| | |", "| --- | --- |", *(f"| {name} | {tables.cell(value)} |" for name, value in pairs.items())]
    )


def _confusion(run: Run) -> str:
    names = [tables.cell(each.name) for each in run.classes]
    lines = [
        f"| {name} | {' | '.join(map(str, each.confusion))} |" for name, each in zip(names, run.classes, strict=True)
    ]
    return "\n".join([f"| is \\ called | {' | '.join(names)} |", f"| --- |{' ---: |' * len(names)}", *lines])
