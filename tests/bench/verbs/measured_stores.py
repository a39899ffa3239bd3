"""Stores with studies that might have been measured: real files, made-up rates."""

import json
import math
from dataclasses import replace

from bench.plan import Configuration, Plan, Workload, in_rounds, to_json
from bench.store import schema
from bench.store.commit import Store
from bench.store.schema import LaunchRows

SINGLE = Configuration(
    strategy="single", ranks=1, device="cpu", backend=None, cores_per_rank=1, batch_per_rank=64, batch_global=64
)
STEPS = 40


def measured(
    store: Store,
    study_id: str,
    rates,
    *,
    hw_id="hw",
    torch="2.15.0",
    created_at="",
    top1=None,
    losses=None,
    changes=None,
    **workload,
):
    """A study of one row with one launch a rate.

    `changes` are of every launch's row.

    With `top1` each trained one epoch that ended with it; with `losses`, a list for each launch, an epoch a loss.
    """
    length = {"epochs": 1} if top1 is not None else {"epochs": len(losses[0])} if losses else {"steps": STEPS}
    work = Workload(model="lenet", data="digits", **length, **workload)
    plan = Plan(
        study_id=study_id,
        created_at=created_at or f"2026-11-22T08:{int(study_id[-2:]):02d}:00+00:00",
        command="bench run",
        workload=work,
        scaling="weak",
        baseline=SINGLE,
        configurations=(SINGLE,),
        unrunnable=(),
        launches=in_rounds(study_id, (SINGLE,), len(rates), order_seed=0),
        rounds=len(rates),
        order_seed=0,
        quick=False,
        margin=0.02,
        timeout_s=60.0,
        stall_s=30.0,
        budget_s=None,
        oversubscribed=False,
        origins={},
        estimated_s=1.0,
        estimated_bytes=1,
    )
    store.create_study(to_json(plan))
    for number, (planned, rate) in enumerate(zip(plan.launches, rates, strict=True)):
        mine = losses[number] if losses else None
        commit(store, plan, planned, rate, hw_id=hw_id, torch=torch, top1=top1, losses=mine, **(changes or {}))
    return plan


def commit(store, plan, planned, rate, *, hw_id, torch="2.15.0", top1=None, losses=None, **changes):
    """One launch of a plan, at this rate."""
    launch = replace(_launch(plan, planned, hw_id), sw_id=f"sw-{torch}", **changes)
    if losses and not all(map(math.isfinite, losses)):
        launch = replace(launch, loss_finite=False, loss_last=losses[-1])
    dna = schema.Dna(
        study_id=launch.study_id,
        launch_id=launch.launch_id,
        hw_id=hw_id,
        sw_id=f"sw-{torch}",
        identity=json.dumps({"cpu_cores": 2}),
        conditions=json.dumps({"load_1m": 0.1}),
        software=json.dumps({"torch": torch}),
    )
    epochs = [_epoch(launch, top1)] if top1 is not None else []
    classes = []
    for number, loss in enumerate(losses or ()):
        epochs.append(replace(_epoch(launch, 0.5), epoch=number, train_loss=loss, validation_loss=loss))
        classes += _never_called(launch, number)
    store.commit(LaunchRows(launch=launch, steps=_steps(launch, rate), epochs=epochs, classes=classes, dna=dna))


def _launch(plan, planned, hw_id):
    work, row = plan.workload, planned.configuration
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
        ranks=1,
        cores_per_rank=row.cores_per_rank,
        batch_per_rank=64,
        batch_global=64,
        round=planned.round,
        position=planned.position,
        world_size=1,
        distinct_devices=1,
        device_names=("cpu",),
        threads_per_rank=1,
        status=schema.OK,
        started_at=plan.created_at,
        window_steps=STEPS,
        window_samples=64 * STEPS,
        closure_error=1e-4,
        clock_ns_per_step=900.0,
        params=62006,
        loss_first=2.3,
        loss_last=1.1,
        loss_finite=True,
        weights_moved=True,
        peak_memory_bytes=2**28,
        hw_id=hw_id,
    )


def _steps(launch, rate):
    step_ns = round(64 / rate * 1e9)
    rank = {
        "epoch": [0] * STEPS,
        "step": list(range(STEPS)),
        "in_window": [1] * STEPS,
        "start_ns": [number * step_ns for number in range(STEPS)],
        "step_ns": [step_ns] * STEPS,
        "data_wait_ns": [17] * STEPS,
        "samples": [64] * STEPS,
        "steps": [1] * STEPS,
    }
    return schema.steps_of_ranks(launch.study_id, launch.launch_id, [rank])


def _epoch(launch, top1):
    return schema.Epoch(
        study_id=launch.study_id,
        launch_id=launch.launch_id,
        epoch=0,
        train_s=1.0,
        evaluate_s=0.1,
        samples=1437,
        learning_rate=0.05,
        train_loss=0.5,
        train_top1=0.8,
        validation_loss=0.4,
        top1=top1,
        validation_samples=360,
    )


def _never_called(launch, epoch):
    """Two classes, of which a broken network calls everything the first."""
    scores = ((0.5, 1.0, 2 / 3), (None, 0.0, 0.0))
    return [
        schema.ClassScore(
            study_id=launch.study_id,
            launch_id=launch.launch_id,
            epoch=epoch,
            label=label,
            name=("cat", "dog")[label],
            support=180,
            precision=precision,
            recall=recall,
            f1=f1,
            confusion=(180, 0),
        )
        for label, (precision, recall, f1) in enumerate(scores)
    ]
