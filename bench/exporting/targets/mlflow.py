"""MLflow: a run for each launch below one for its study, in a SQLite store with its artifacts beside it.

MLflow gives runs ids of its own, so a run is found again by its tags. One whose content is the same stays as it is; one
that has changed, or was broken off while it was written, is deleted as MLflow deletes (`mlflow gc` frees the room) and
written anew.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import CannotError
from bench.exporting import tables
from bench.exporting.record import Record, Run, digest, ids
from bench.printable import first_line
from reports.text.plain import as_csv

NEEDS: Mapping[str, str] = {
    "mlflow": "mlflow-skinny>=3.17",
    "sqlalchemy": "sqlalchemy>=2",  # with alembic, what the small distribution needs for a store of its own
    "alembic": "alembic>=1.13",
}

EXPERIMENT = "bench"
_OF, _DIGEST = "bench.id", "bench.digest"
_VALUE_CHARACTERS = 5000  # MLflow takes 6000
_NAME = 200  # characters of a metric's name; MLflow takes 250
_AT_ONCE = 500  # metrics in a call; MLflow takes 1000
_ENDINGS = {"ok": "FINISHED", "suspect": "FINISHED", "cancelled": "KILLED", "lost": "KILLED"}


def write(record: Record, folder: Path, progress: Callable[[str], None]) -> list[Path]:
    """`folder/mlflow.db` and `folder/artifacts/`; returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    with _client(folder) as client:
        store = _Store(client, folder)
        parent = None
        if record.only is None:
            progress("study")
            parent = store.run_of(record.plan.study_id, digest(record), partial(_study, store, record))
        for each in record.runs:
            progress(each.name)
            store.run_of(each.launch.launch_id, digest(each), partial(_launch, store, record, each))
            if parent is not None:
                store.put_below(parent, each.launch.launch_id)
    return [_database(folder)]


def opened(_: Record, folder: Path) -> str:
    return f"mlflow ui --backend-store-uri {_uri(folder)}"


def _database(folder: Path) -> Path:
    return folder / "mlflow.db"


def _uri(folder: Path) -> str:
    return f"sqlite:///{_database(folder).absolute()}"


@contextmanager
def _client(folder: Path) -> Iterator[Any]:
    """A client of the store in this folder; what its database refuses is raised as that."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # before the import: nothing is to leave this machine
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - an extra
    from mlflow.tracking import MlflowClient  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    try:
        yield MlflowClient(tracking_uri=_uri(folder))
    except (MlflowException, SQLAlchemyError) as error:
        first = first_line(error, "no reason given")
        raise CannotError(
            f"MLflow cannot write to {_database(folder)}: {first[:200]}",
            hint="choose another folder with -o; runs that were complete are as they were",
        ) from error


class _Store:
    """Runs of our one experiment, found by what they are of."""

    def __init__(self, client: Any, folder: Path) -> None:
        self.client = client
        known = client.get_experiment_by_name(EXPERIMENT)
        artifacts = (folder / "artifacts").absolute().as_uri()
        self.experiment = (
            known.experiment_id if known else client.create_experiment(EXPERIMENT, artifact_location=artifacts)
        )

    def run_of(self, identity: str, content: str, fill: Callable[[Any], None]) -> str:
        """The id of the run that has this content; `fill` is called for one that has to be written."""
        for each in self._runs_of(identity):
            if each.data.tags.get(_DIGEST) == content:
                return str(each.info.run_id)
            self.client.delete_run(each.info.run_id)
        run = self.client.create_run(self.experiment, tags={_OF: identity})
        fill(run.info.run_id)
        self.client.set_tag(run.info.run_id, _DIGEST, content)  # last: without it the run counts as broken off
        return str(run.info.run_id)

    def put_below(self, parent: str, identity: str) -> None:
        for each in self._runs_of(identity):
            if each.data.tags.get("mlflow.parentRunId") != parent:
                self.client.set_tag(each.info.run_id, "mlflow.parentRunId", parent)

    def _runs_of(self, identity: str) -> list[Any]:
        return list(self.client.search_runs([self.experiment], f"tags.`{_OF}` = '{identity}'"))

    def annotate(self, run: str, params: Mapping[str, Any], tags: Mapping[str, Any]) -> None:
        from mlflow.entities import Param, RunTag  # noqa: PLC0415

        entries = [Param(name, _short(value)) for name, value in params.items()]
        for start in range(0, len(entries), 100):
            self.client.log_batch(run, params=entries[start : start + 100])
        self.client.log_batch(run, tags=[RunTag(name, _short(value)) for name, value in tags.items()])

    def measure(self, run: str, metrics: list[Any]) -> None:
        for start in range(0, len(metrics), _AT_ONCE):
            self.client.log_batch(run, metrics=metrics[start : start + _AT_ONCE])


def _study(store: _Store, record: Record, run: str) -> None:
    from mlflow.entities import Metric  # noqa: PLC0415

    at = round(record.ended_at * 1000)
    store.annotate(
        run,
        record.scalars,
        {
            "mlflow.runName": record.plan.study_id,
            "mlflow.note.content": record.report[:_VALUE_CHARACTERS],
            "bench.command": record.plan.command,
            "bench.began": record.plan.created_at,
            **{f"origin.{each.name}": each.origin for each in record.settings},
        },
    )
    store.measure(run, [Metric(_key(name), value, at, 0) for name, value in record.estimates.items()])
    store.client.log_text(run, record.report, "report.md")
    store.client.log_text(run, as_csv(tables.settings(record)), "settings.csv")
    store.client.set_terminated(run, "FINISHED", at)


def _launch(store: _Store, record: Record, each: Run, run: str) -> None:
    from mlflow.entities import Metric  # noqa: PLC0415

    launch, began = each.launch, each.began_at
    store.annotate(
        run,
        record.scalars | {"configuration": launch.configuration, "ranks": launch.ranks, "round": launch.round},
        {
            "mlflow.runName": each.name,
            "bench.study": launch.study_id,
            "bench.evaluated": record.evaluated,
            **{f"origin.{setting.name}": setting.origin for setting in record.settings},
            **{f"launch.{name}": value for name, value in each.texts.items()},
            **{f"dna.{name}": value for name, value in ids(each.dna).items()},
        },
    )

    def at(seconds: float) -> int:
        return round((began + seconds) * 1000)

    metrics = [Metric(_key(f"launch/{name}"), value, at(0), 0) for name, value in each.numbers.items()]
    for axis, points in (("steps", each.steps), ("epochs", each.epochs)):
        metrics += [
            Metric(f"{axis}/{name}", value, at(point.seconds), point.index)
            for point in points
            for name, value in point.numbers.items()
        ]
    metrics += [
        Metric(f"by_samples/{name}", value, at(point.seconds), point.samples)
        for point in each.epochs
        for name, value in point.values.items()
    ]
    for name, value in tables.class_metrics(each.classes, _key).items():
        metrics.append(Metric(name, value, at(0), each.classes[0].epoch + 1))
    store.measure(run, metrics)
    for name, text in tables.class_files(each).items():
        store.client.log_text(run, text, name)
    if each.dna:
        store.client.log_text(run, json.dumps(tables.fingerprint(each), indent=1), "dna.json")
    store.client.set_terminated(run, _ENDINGS.get(launch.status, "FAILED"), at(launch.total_s or 0))


def _short(value: Any) -> str:
    return str(value)[:_VALUE_CHARACTERS] or "-"


def _key(name: str) -> str:
    """A name as MLflow takes one: letters, digits and `_-./: `, and as a path in its shortest form."""
    bare = "".join(letter if letter.isalnum() or letter in "_-./: " else "_" for letter in name)
    return "/".join(part if part.strip(".") else part.replace(".", "_") for part in bare.split("/") if part)[:_NAME]
