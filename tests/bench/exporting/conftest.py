"""A store whose studies learned something, written once."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.exporting.gather import record
from bench.exporting.record import Record
from bench.plan import Plan, Workload, to_json
from bench.store import schema
from bench.store.commit import Store
from bench.store.schema import LaunchRows
from bench.study import analyse

STUDY = "2611241200-lenet-c0de"
THROUGHPUT_ONLY = "2611230900-lenet-77ff"
NAMES = ("cat", "dog|wolf")  # a name that a table could trip over


@pytest.fixture(scope="session")
def _learned_once(
    tmp_path_factory, a_plan: Callable[..., Plan], a_launch, a_dna, some_steps: Callable[..., object]
) -> Path:
    store = Store.open(tmp_path_factory.mktemp("learned"))
    plan = a_plan(
        STUDY,
        created_at="2026-11-24T12:00:00+00:00",
        workload=Workload(model="lenet", data="cifar10", epochs=2, input_shape=(3, 32, 32)),
    )
    store.create_study(to_json(plan))
    for number in range(3):  # the fourth is for a test to add
        commit(store, plan, number, a_launch, a_dna, some_steps)
    speed = a_plan(THROUGHPUT_ONLY, created_at="2026-11-23T09:00:00+00:00")
    store.create_study(to_json(speed))
    store.commit(
        LaunchRows(launch=a_launch(speed, 0), steps=some_steps(a_launch(speed, 0)), dna=a_dna(a_launch(speed, 0)))
    )
    return store.path


def commit(store: Store, plan: Plan, number: int, a_launch, a_dna, some_steps) -> None:
    """A launch of two epochs; the third of a study dies."""
    launch = a_launch(plan, number, startup_s=1.5, total_s=30.25)
    if number == 2:
        launch = a_launch(plan, number, status="crash", reason="rank 0 died: exit code 1", throughput_sps=None)
    ids = {"study_id": launch.study_id, "launch_id": launch.launch_id}
    epochs = [
        schema.Epoch(
            **ids,
            epoch=epoch,
            train_s=10.0 + epoch,
            evaluate_s=0.5,
            samples=640,
            learning_rate=0.05,
            train_loss=2.0 - epoch - 0.1 * number,
            train_top1=0.25 + 0.25 * epoch,
            validation_loss=1.75 - epoch,
            top1=0.5 + 0.125 * epoch,
            validation_samples=8,
        )
        for epoch in range(2)
    ]
    classes = [
        schema.ClassScore(
            **ids,
            epoch=epoch,
            label=label,
            name=NAMES[label],
            support=4,
            precision=0.75 if epoch else None,
            recall=0.75,
            f1=0.75 if epoch else None,
            confusion=(3, 1) if label == 0 else (1, 3),
        )
        for epoch in range(2)
        for label in range(2)
    ]
    if launch.status != schema.OK:
        epochs, classes = [], []
    steps = some_steps(launch) if launch.status == schema.OK else None
    store.commit(LaunchRows(launch=launch, steps=steps, epochs=epochs, classes=classes, dna=a_dna(launch)))


@pytest.fixture
def learned(tmp_path: Path, _learned_once: Path) -> Path:
    """A store with a study of three launches in four, two of which trained for two epochs, and one of speed alone."""
    return Path(shutil.copytree(_learned_once, tmp_path / "results"))


@pytest.fixture
def grown(learned: Path, a_plan, a_launch, a_dna, some_steps) -> Callable[[], None]:
    """Commit the launch that the study lacks."""

    def grow() -> None:
        from bench.store import index

        commit(Store.open(learned), index.plan(learned, STUDY), 3, a_launch, a_dna, some_steps)

    return grow


@pytest.fixture
def of(learned: Path) -> Callable[..., Record]:
    """The record of a study, or of a launch of it."""

    def make(study_id: str = STUDY, only: str | None = None) -> Record:
        return record(learned, analyse(learned, study_id), only)

    return make


@pytest.fixture
def a_checkpoint(learned: Path) -> Callable[..., SimpleNamespace]:
    """Leave a checkpoint of a launch as the worker does: its file, and the name that points to it."""

    def leave(launch_id: str, tensors: dict, *, averaged: dict | None = None, steps: int = 0) -> SimpleNamespace:
        import torch

        from bench.store.layout import Layout

        folder = Layout(learned).checkpoints(STUDY, launch_id)
        folder.mkdir(parents=True)
        file = folder / (f"epoch0002-step{steps:06d}.pt" if steps else "epoch0002.pt")
        content = {"schema": "bench.checkpoint/1", "epoch": 2, "step": steps, "model": tensors, "optimizer": {}}
        content["ema"] = {"module": averaged, "updates": 9} if averaged else None
        torch.save(content, file)
        (folder / "last.pt").symlink_to(file.name)
        return SimpleNamespace(file=file)

    return leave
