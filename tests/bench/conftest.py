"""A small study that never ran, for the store and the verbs that read one."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from bench.dna import numbers
from bench.plan import Configuration, Plan, Unrunnable, Workload, in_rounds, to_json
from bench.store import schema
from bench.store.commit import Store
from bench.store.schema import LaunchRows

SINGLE = Configuration(
    strategy="single", ranks=1, device="cpu", backend=None, cores_per_rank=1, batch_per_rank=64, batch_global=64
)
PAIR = Configuration(
    strategy="ddp", ranks=2, device="cpu", backend="gloo", cores_per_rank=1, batch_per_rank=64, batch_global=128
)
GPU = Configuration(
    strategy="ddp", ranks=4, device="cuda", backend="nccl", cores_per_rank=1, batch_per_rank=64, batch_global=256
)


class _Answered:
    """Stands in for a process of the canaries."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def answer(self, timeout_s: float) -> Any:
        return self._answer()


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], list[int]]:
    """Have the canaries answer what this gives, or raise what it raises; gives the thread count of each process."""

    def give(answer: Callable[[], Any]) -> list[int]:
        begun: list[int] = []

        def begin(threads: int) -> _Answered:
            begun.append(threads)
            return _Answered(answer)

        monkeypatch.setattr(numbers, "begin", begin)
        return begun

    return give


@pytest.fixture(scope="session")
def a_plan() -> Callable[..., Plan]:
    def make(study_id: str = "2611220824-lenet-0a1b", **changes: Any) -> Plan:
        document = {
            "study_id": study_id,
            "created_at": "2026-11-22T08:24:00+00:00",
            "command": "bench scale --model lenet --ranks 1,2 --order-seed 7",
            "workload": Workload(model="lenet", data="digits", seconds=2.0),
            "scaling": "weak",
            "baseline": SINGLE,
            "configurations": (SINGLE, PAIR),
            "unrunnable": (Unrunnable(configuration=GPU, reason="this machine shows 0 CUDA devices"),),
            "launches": in_rounds(study_id, (SINGLE, PAIR), rounds=2, order_seed=7),
            "rounds": 2,
            "order_seed": 7,
            "quick": True,
            "margin": 0.02,
            "timeout_s": 600.0,
            "stall_s": 60.0,
            "budget_s": None,
            "oversubscribed": False,
            "origins": {"model.name": "--model", "measure.warmup": "default", "recipe.learning_rate": "profile demo"},
            "settings": {"model.name": "lenet", "measure.warmup": 10, "recipe.learning_rate": 0.05},
            "estimated_s": 30.0,
            "estimated_bytes": 1000,
        }
        return Plan(**{**document, **changes})

    return make


@pytest.fixture(scope="session")
def a_launch() -> Callable[..., schema.Launch]:
    def make(plan: Plan, index: int, **changes: Any) -> schema.Launch:
        planned = plan.launches[index]
        row = planned.configuration
        document = {
            "study_id": plan.study_id,
            "launch_id": planned.launch_id,
            "model": plan.workload.model,
            "data": plan.workload.data,
            "precision": plan.workload.precision,
            "memory_format": plan.workload.memory_format,
            "scaling": plan.scaling,
            "seed": plan.workload.seed,
            "configuration": row.key,
            "strategy": row.strategy,
            "device": row.device,
            "backend": row.backend,
            "ranks": row.ranks,
            "cores_per_rank": row.cores_per_rank,
            "batch_per_rank": row.batch_per_rank,
            "batch_global": row.batch_global,
            "round": planned.round,
            "position": planned.position,
            "status": schema.OK,
            "started_at": "2026-11-22T08:24:05+00:00",
            "window_ns": 2_000_000_001,
            "throughput_sps": 320.5,
            "unavailable": json.dumps({"energy_j": "energy is not read by this version"}),
        }
        return schema.Launch(**{**document, **changes})

    return make


@pytest.fixture(scope="session")
def a_dna() -> Callable[[schema.Launch], schema.Dna]:
    def make(launch: schema.Launch) -> schema.Dna:
        return schema.Dna(
            study_id=launch.study_id,
            launch_id=launch.launch_id,
            hw_id="00112233445566aa",
            sw_id="ffeeddccbbaa9988",
            identity=json.dumps({"cpu_label": "A CPU", "cpu_cores": 2, "memory_gib": 24}),
            conditions=json.dumps({"load_1m": 0.1}),
            software=json.dumps({"torch": "2.15.0"}),
            unavailable=json.dumps({"num_id": "the canaries were not run"}),
        )

    return make


@pytest.fixture(scope="session")
def some_steps() -> Callable[..., Any]:
    """Arrow table of a launch's steps: `count` per rank, the first two of them warm-up."""

    def make(launch: schema.Launch, count: int = 5) -> Any:
        rank = {
            "epoch": [0] * count,
            "step": list(range(count)),
            "in_window": [int(step >= 2) for step in range(count)],
            "start_ns": [step * 1_000_003 for step in range(count)],
            "step_ns": [1_000_003] * count,
            "data_wait_ns": [17] * count,
            "samples": [64] * count,
            "steps": [1] * count,
        }
        return schema.steps_of_ranks(launch.study_id, launch.launch_id, [rank] * launch.ranks)

    return make


@pytest.fixture
def filled(tmp_path: Path, _filled_once: Path) -> Store:
    """A store with two studies: an older finished one with a failed launch, and a newer one that lacks a launch."""
    return Store(Path(shutil.copytree(_filled_once, tmp_path / "results")))


@pytest.fixture(scope="session")
def _filled_once(
    tmp_path_factory: pytest.TempPathFactory,
    a_plan: Callable[..., Plan],
    a_launch: Callable[..., schema.Launch],
    a_dna: Callable[[schema.Launch], schema.Dna],
    some_steps: Callable[..., Any],
) -> Path:
    """Written once: a commit waits for the disk many times."""
    store = Store.open(tmp_path_factory.mktemp("filled"))
    old = a_plan("2611220824-lenet-0a1b")
    new = a_plan("2611230900-lenet-77ff", created_at="2026-11-23T09:00:00+00:00")
    for plan, count in ((new, 3), (old, 4)):
        store.create_study(to_json(plan))
        for index in range(count):
            launch = a_launch(plan, index)
            if plan is old and index == 3:
                why = {"throughput_sps": "the launch ended as crash"}
                launch = a_launch(
                    plan,
                    index,
                    status="crash",
                    reason="rank 0 died: exit code 1",
                    failed_rank=0,
                    window_ns=None,
                    throughput_sps=None,
                    unavailable=json.dumps(why),
                )
            steps = some_steps(launch) if launch.status == schema.OK else None
            store.commit(LaunchRows(launch=launch, steps=steps, dna=a_dna(launch)))
    return store.path
