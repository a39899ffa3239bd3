"""Weights & Biases: an offline run for each launch and one for its study, for `wandb sync` to upload when you say so.

Written by wandb itself in its offline mode. The id of a run is the launch's or the study's, so a second upload renews
the run. An offline run that has the same content stays as it is; another of the same id gives way when the new one is
complete. Tables of wandb are not used: offline it keeps them as artifacts outside the run's folder.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import CannotError
from bench.exporting import tables
from bench.exporting.files import staging, write_texts
from bench.exporting.record import Record, Run, digest, ids
from bench.printable import first_line
from reports.text.plain import as_csv

NEEDS: Mapping[str, str] = {"wandb": "wandb>=0.31"}

PUBLIC = True  # it is made to be uploaded
PROJECT = "bench"
_DIGEST = "bench-digest.txt"
_HOMES = ("WANDB_DATA_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR")


def write(record: Record, folder: Path, progress: Callable[[str], None]) -> list[Path]:
    """`folder/offline-run-…-ID/`, one a launch, and one for a whole study; returns them in that order."""
    found: list[Path] = []
    wanted: list[tuple[str, str, Callable[[Any], None], dict[str, Any]]] = [
        (run.launch.launch_id, digest(run), partial(_launch, run), _about_launch(record, run)) for run in record.runs
    ]
    if record.only is None:
        wanted.append((record.plan.study_id, digest(record), partial(_study, record), _about_study(record)))
    with staging(folder) as draft:
        for identity, content, fill, about in wanted:
            progress(identity)
            earlier = sorted(folder.glob(f"offline-run-*-{identity}"))
            same = next((each for each in earlier if _content(each) == content), None)
            if same is None:
                with _session(draft, identity, about) as session:
                    fill(session)
                    _keep(session, {_DIGEST: content})
                same = _moved(draft, identity, folder)
            for each in earlier:
                if each != same:
                    shutil.rmtree(each)
            found.append(same)
    return found


def opened(_: Record, folder: Path) -> str:
    return f"wandb sync {folder}/offline-run-*"


def _content(run: Path) -> str | None:
    try:
        return (run / "files" / _DIGEST).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _moved(draft: Path, identity: str, folder: Path) -> Path:
    """The finished run in its place, without wandb's logs of this process, which name this machine's folders."""
    (made,) = (draft / "wandb").glob(f"offline-run-*-{identity}")
    for part in ("logs", "tmp"):
        shutil.rmtree(made / part, ignore_errors=True)
    final = folder / made.name
    made.rename(final)
    return final


@contextmanager
def _session(draft: Path, identity: str, about: Mapping[str, Any]) -> Any:
    """One run of wandb's, which writes below `draft` and asks nothing of this machine."""
    os.environ["WANDB_ERROR_REPORTING"] = "false"  # before the import: nothing is to leave this machine
    for home in _HOMES:
        os.environ[home] = str(draft.absolute() / home.lower())
    import wandb  # noqa: PLC0415 - an extra

    settings = wandb.Settings(
        mode="offline",
        root_dir=str(draft),
        silent=True,
        console="off",
        disable_code=True,
        disable_git=True,
        save_code=False,
        disable_job_creation=True,
        host="",
        username="",
        program="",
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )
    kept = {name: value for name, value in about.items() if name != "failed"}
    try:
        session = wandb.init(project=PROJECT, id=identity, settings=settings, **kept)
    except wandb.Error as error:
        first = first_line(error, "no reason given")
        raise CannotError(f"wandb cannot write an offline run: {first[:200]}", "see: wandb status") from error
    try:
        yield session
    except BaseException:
        session.finish(exit_code=1)
        raise
    session.finish(exit_code=int(about.get("failed", False)))


def _about_launch(record: Record, run: Run) -> dict[str, Any]:
    launch = run.launch
    return {
        "name": run.name,
        "group": launch.study_id,
        "job_type": launch.configuration,
        "tags": [launch.strategy, launch.device, launch.status],
        "notes": launch.reason,
        "failed": run.failed,
        "config": {
            **record.configuration,
            "launch": run.texts,
            "configuration": launch.configuration,
            "ranks": launch.ranks,
            "round": launch.round,
            "evaluated": record.evaluated,
            "dna": tables.fingerprint(run),
        },
    }


def _about_study(record: Record) -> dict[str, Any]:
    study_id = record.plan.study_id
    config = {**record.configuration, "command": record.plan.command, "created_at": record.plan.created_at}
    return {"name": study_id, "group": study_id, "job_type": "study", "config": config}


def _launch(run: Run, session: Any) -> None:
    for axis in ("epoch", "step", "samples", "seconds"):
        session.define_metric(axis, hidden=True)
    session.define_metric("epochs/*", step_metric="epoch")
    session.define_metric("steps/*", step_metric="step")
    for point in run.steps:
        session.log({"step": point.index, **_named("steps", point.numbers.items())})
    for point in run.epochs:
        axes = {"epoch": point.index, "samples": point.samples, "seconds": point.seconds}
        session.log({**axes, **_named("epochs", point.values.items())})
    session.summary.update(_named("launch", run.numbers.items()))
    for label, score in zip(tables.labels(run.classes), run.classes, strict=True):
        session.summary.update(_named(f"classes/{label}", tables.scores(score).items()))
    if run.dna:
        session.summary.update(_named("dna", ids(run.dna).items()))
    if run.classes:
        _keep(session, tables.class_files(run))


def _study(record: Record, session: Any) -> None:
    session.summary.update(record.estimates)
    for row in record.study.rows:
        if row.verdict is not None:
            session.summary.update({f"verdict/{row.key}": row.verdict.word})
    _keep(session, {"report.md": record.report, "settings.csv": as_csv(tables.settings(record))})


def _named(room: str, values: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {f"{room}/{name}": value for name, value in values if value is not None}


def _keep(session: Any, texts: Mapping[str, str]) -> None:
    """Files of the run; they lie in its folder, so that it can be moved."""
    write_texts(Path(session.dir), texts)
    for name in texts:
        session.save(str(Path(session.dir) / name), base_path=session.dir, policy="now")
