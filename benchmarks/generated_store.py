"""A store of any size with made-up numbers, to time and to test reports on: real files, no training.

    python benchmarks/generated_store.py STORE --launches 1000

One study of 12 rows (single, ddp on 1 to 8 ranks) in as many complete rounds as the launches make. Rates follow a law
with noise from a fixed seed, so the same arguments give the same store. With --trouble one row crashes in every launch
and one misses the wall clock, which makes it INVALID; what else may befall a launch is the caller's to say (`write`).
"""

import argparse
import json
import math
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.plan import Configuration, Plan, PlannedLaunch, Unrunnable, Workload, in_rounds, to_json
from bench.store import packing, schema
from bench.store.commit import Store
from bench.store.schema import LaunchRows

BATCH, RATE_SPS, WARMUP = 64, 1300.0, 10
CLASSES = ("plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def configuration(strategy: str, ranks: int, cores: int = 1) -> Configuration:
    return Configuration(
        strategy=strategy,
        ranks=ranks,
        device="cpu",
        backend="gloo" if strategy == "ddp" else None,
        cores_per_rank=cores,
        batch_per_rank=BATCH,
        batch_global=BATCH * ranks,
    )


ROWS = (
    configuration("single", 1),
    configuration("single", 1, 8),
    *(configuration("ddp", ranks) for ranks in range(1, 9)),
    configuration("ddp", 2, 4),
    configuration("ddp", 4, 2),
)

Happening = Callable[[PlannedLaunch, schema.Launch], schema.Launch]


def halving(row: Configuration) -> float:
    """Samples per second: each doubling of the cores gives 94 % of what it should."""
    cores = row.ranks * (row.cores_per_rank or 1)
    return RATE_SPS * cores * 0.94 ** math.log2(cores)


def untroubled(_: PlannedLaunch, launch: schema.Launch) -> schema.Launch:
    return launch


def in_trouble(planned: PlannedLaunch, launch: schema.Launch) -> schema.Launch:
    """One row crashes in every launch; one misses the wall clock."""
    if planned.configuration == ROWS[9]:
        return crashed(planned, launch)
    return replace(launch, closure_error=0.2) if planned.configuration == ROWS[8] else launch


def crashed(_: PlannedLaunch, launch: schema.Launch) -> schema.Launch:
    why = "the launch ended as crash"
    return replace(
        launch,
        status="crash",
        reason="exit code 1 on rank 0: RuntimeError",
        failed_rank=0,
        window_ns=None,
        throughput_sps=None,
        unavailable=schema.unavailable(throughput_sps=why, window_ns=why),
    )


def plan_of(study_id: str, launches: int, epochs: int = 0, rows: Sequence[Configuration] = ROWS) -> Plan:
    """The plan of as many whole rounds as these launches make."""
    rounds = max(1, launches // len(rows))
    length = {"epochs": epochs} if epochs else {"seconds": 6.0}
    return Plan(
        study_id=study_id,
        created_at="2026-11-22T08:14:00+00:00",
        command="bench scale --model resnet18 --data cifar10 --processes 1-8",
        workload=Workload(model="resnet18", data="cifar10", warmup_steps=WARMUP, **length),
        scaling="weak",
        baseline=rows[0],
        configurations=tuple(rows),
        unrunnable=(Unrunnable(configuration=configuration("ddp", 16), reason="16 ranks need 16 cores; 8 are here"),),
        launches=in_rounds(study_id, rows, rounds, order_seed=0),
        rounds=rounds,
        order_seed=0,
        quick=False,
        margin=0.02,
        timeout_s=600.0,
        stall_s=60.0,
        budget_s=None,
        oversubscribed=False,
        origins={"model": "command line"},
        estimated_s=1.0,
        estimated_bytes=1,
    )


def write(
    folder: Path,
    *,
    launches: int,
    steps: int = 120,
    epochs: int = 0,
    study_id: str = "20261122-0814-generated",
    trouble: bool = False,
    seed: int = 0,
    rows: Sequence[Configuration] = ROWS,
    rate_sps: Callable[[Configuration], float] = halving,
    noise: float = 0.008,
    happens: Happening = untroubled,
) -> Plan:
    """Write the store, or one more study into it; returns the plan of the study.

    Args:
        folder: the store's; made when missing.
        launches: how many, rounded down to whole rounds.
        steps: of each launch, warm-up included.
        epochs: with evaluation and classes; 0 for none.
        study_id: of the study.
        trouble: one row crashes, one misses the wall clock.
        seed: of the noise.
        rows: the first is the baseline.
        rate_sps: what a row trains, before the noise.
        noise: of a launch, as the standard deviation of the logarithm of its rate.
        happens: what becomes of a launch that has run well; one that has no window any more has no steps either.
    """
    store = Store.open(folder)
    plan = plan_of(study_id, launches, epochs, rows)
    happens = in_trouble if trouble else happens
    store.create_study(to_json(plan))
    for number, planned in enumerate(plan.launches):
        rng = random.Random(seed * 1_000_003 + number)
        row = planned.configuration
        rate = rate_sps(row) * math.exp(rng.gauss(0, noise))
        made = replace(_launch(plan, planned, rate, steps), started_at=_started(number))
        launch = happens(planned, made)
        dna = _dna(launch)
        if launch.status not in schema.ENDED:
            store.commit(LaunchRows(launch=launch, dna=dna))
            continue
        table = schema.steps_of_ranks(plan.study_id, planned.launch_id, [_rank(row, rate, steps, rng)])
        learned = [_epoch(launch, each, epochs, rate, rng) for each in range(epochs)]
        scores = _classes(launch, epochs, rng) if epochs else []
        store.commit(LaunchRows(launch=launch, steps=table, epochs=learned, classes=scores, dna=dna))
    packing.pack(store, plan.study_id)
    return plan


def _started(number: int) -> str:
    return f"2026-11-{22 + number // 5000:02d}T{number // 250 % 20:02d}:{number // 5 % 50:02d}:00+00:00"


def _launch(plan: Plan, planned, rate: float, steps: int) -> schema.Launch:
    work, row = plan.workload, planned.configuration
    timed = steps - WARMUP
    return schema.Launch(
        study_id=plan.study_id,
        launch_id=planned.launch_id,
        model=work.model,
        data=work.data,
        precision=work.precision,
        memory_format=work.memory_format,
        scaling=plan.scaling,
        seed=work.seed,
        configuration=row.key,
        strategy=row.strategy,
        device=row.device,
        backend=row.backend,
        ranks=row.ranks,
        cores_per_rank=row.cores_per_rank,
        batch_per_rank=row.batch_per_rank,
        batch_global=row.batch_global,
        round=planned.round,
        position=planned.position,
        world_size=row.ranks,
        distinct_devices=row.ranks,
        device_names=("Example CPU",) * row.ranks,
        threads_per_rank=row.cores_per_rank,
        status=schema.OK,
        started_at=plan.created_at,
        warmup_steps=WARMUP,
        window_steps=timed,
        window_samples=row.batch_global * timed,
        window_ns=round(row.batch_global * timed / rate * 1e9),
        throughput_sps=rate,
        closure_error=1e-4,
        clock_ns_per_step=900.0,
        data_wait=0.001,
        compute_step_ns=round(row.batch_global / rate * 1e9 * 0.93) if row.strategy == "ddp" else None,
        params=11_173_962,
        flop_per_sample=3.34e9,
        epoch_samples=50_000,
        loss_first=2.3,
        loss_last=1.1,
        loss_finite=True,
        weights_moved=True,
        weights_equal=True if row.ranks > 1 else None,
        peak_memory_bytes=2**29 + row.ranks * 2**20,
        worker_cpu_s=6.0 * row.ranks,
        involuntary_switches=12,
        supervisor_cpu=0.01,
        load_before=0.1,
        hw_id="7f3c-a91e",
        sw_id="02bd-11ce",
        num_id="c0ff-ee01",
        unavailable=schema.unavailable(energy_j="no counter of energy can be read here"),
    )


def _rank(row: Configuration, rate: float, steps: int, rng: random.Random) -> dict[str, np.ndarray]:
    noise = np.random.default_rng(rng.randrange(2**32))
    length = row.batch_global / rate * 1e9
    step_ns = np.round(length * (1 + 2 * np.exp(-np.arange(steps) / 3)) * noise.normal(1, 0.01, steps)).astype(np.int64)
    return {
        "epoch": np.zeros(steps, dtype=np.int64),
        "step": np.arange(steps),
        "in_window": (np.arange(steps) >= WARMUP).astype(np.int64),
        "start_ns": np.cumsum(step_ns) - step_ns,
        "step_ns": step_ns,
        "data_wait_ns": step_ns // 900,
        # One rank's rows stand for all: the ranks of a step end together.
        "samples": np.full(steps, row.batch_global),
        "steps": np.ones(steps, dtype=np.int64),
    }


def _epoch(launch: schema.Launch, epoch: int, epochs: int, rate: float, rng: random.Random) -> schema.Epoch:
    top1 = 0.93 - 0.7 * math.exp(-4 * (epoch + 1) / epochs) + rng.gauss(0, 0.003)
    return schema.Epoch(
        study_id=launch.study_id,
        launch_id=launch.launch_id,
        epoch=epoch,
        train_s=50_000 / rate,
        evaluate_s=1.0,
        samples=50_000,
        learning_rate=0.05 * (1 + math.cos(math.pi * (epoch + 1) / epochs)),
        train_loss=2.3 * math.exp(-3 * (epoch + 1) / epochs),
        train_top1=min(1.0, top1 + 0.03),
        validation_loss=0.2 + 2.0 * math.exp(-3 * (epoch + 1) / epochs),
        top1=top1,
        top5=0.99,
        validation_samples=10_000,
    )


def _classes(launch: schema.Launch, epochs: int, rng: random.Random) -> list[schema.ClassScore]:
    found = []
    for label, name in enumerate(CLASSES):
        counts = [rng.randrange(40) if other != label else 0 for other in range(len(CLASSES))]
        counts[label] = 1000 - sum(counts)
        found.append(
            schema.ClassScore(
                study_id=launch.study_id,
                launch_id=launch.launch_id,
                epoch=epochs - 1,
                label=label,
                name=name,
                support=1000,
                precision=counts[label] / 1000,
                recall=counts[label] / 1000,
                f1=counts[label] / 1000,
                confusion=tuple(counts),
            )
        )
    return found


def _dna(launch: schema.Launch) -> schema.Dna:
    return schema.Dna(
        study_id=launch.study_id,
        launch_id=launch.launch_id,
        hw_id=launch.hw_id or "",
        sw_id=launch.sw_id or "",
        num_id=launch.num_id,
        identity=json.dumps({"cpu_model": "Example CPU", "cpu_cores": 8, "memory_bytes": 2**35}),
        conditions=json.dumps({"load_1m": 0.1}),
        software=json.dumps({"python": "3.12.1", "torch": "2.15.0"}),
        numeric=json.dumps({"matmul_fp32": "c0ffee"}),
        measured=json.dumps({"matmul_fp32_gflops": 1100.0}),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("--launches", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--epochs", type=int, default=0)
    parser.add_argument("--trouble", action="store_true")
    given = vars(parser.parse_args())
    os.fsync = lambda _: (
        None
    )  # a store to throw away need not outlive a power cut, and syncing takes nearly all the time
    began = time.monotonic()
    plan = write(given.pop("store"), **given)
    print(f"{plan.study_id}: {len(plan.launches)} launches in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
