"""Studies made up from rates: what the analysis gets, without a clock or a process."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from bench.analysis.statistics.steady import Steps
from bench.plan import Configuration, Plan, PlannedLaunch, Unrunnable, Workload
from bench.store.schema import Epoch, Launch

BATCH = 32
STUDY = "s1"


def configuration(strategy="single", ranks=1, *, device="cpu", cores=1, batch=BATCH):
    return Configuration(
        strategy=strategy,
        ranks=ranks,
        device=device,
        backend="gloo" if strategy == "ddp" else None,
        cores_per_rank=cores,
        batch_per_rank=batch,
        batch_global=batch * ranks,
    )


SINGLE, DDP2, DDP4 = configuration(), configuration("ddp", 2), configuration("ddp", 4)


def steps(step_ms, *, ranks=1, batch=BATCH, warmup=0, epochs=1, block=1):
    """Steps one after another; `step_ms` is a number, one per step, or one row per rank; each epoch repeats them."""
    lengths = np.atleast_2d(np.asarray(step_ms, dtype=float))
    if lengths.shape[1] == 1:
        lengths = np.tile(lengths, (1, 40))
    lengths = (np.broadcast_to(lengths, (ranks, lengths.shape[1])) * 1e6).round().astype(np.int64)
    parts = []
    for rank in range(ranks):
        for epoch in range(epochs):
            count = lengths.shape[1]
            begun = 10**12 * epoch + np.cumsum(lengths[rank]) - lengths[rank]
            index = (epoch * count + np.arange(count)) * block
            inside = index >= warmup * block
            parts.append((np.full(count, rank), np.full(count, epoch), index, inside, begun, lengths[rank]))
    rank, epoch, index, inside, begun, length = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Steps(
        rank=rank,
        epoch=epoch,
        step=index,
        in_window=inside,
        start_ns=begun,
        step_ns=length,
        data_wait_ns=length // 10,
        samples=np.full(len(rank), batch * block),
        steps=np.full(len(rank), block),
    )


def launch(planned: PlannedLaunch, **changes):
    """A sound launch of this place in the plan."""
    its = planned.configuration
    defaults = {
        "study_id": STUDY,
        "launch_id": planned.launch_id,
        "model": "lenet",
        "data": "digits",
        "precision": "fp32",
        "memory_format": "contiguous",
        "scaling": "weak",
        "seed": 0,
        "configuration": its.key,
        "strategy": its.strategy,
        "device": its.device,
        "backend": its.backend,
        "ranks": its.ranks,
        "cores_per_rank": its.cores_per_rank,
        "batch_per_rank": its.batch_per_rank,
        "batch_global": its.batch_global,
        "round": planned.round,
        "position": planned.position,
        "world_size": its.processes,
        "distinct_devices": its.ranks,
        "device_names": (its.device,) * its.processes,
        "status": "ok",
        "started_at": f"2025-01-01T00:{planned.round:02d}:{planned.position:02d}",
        "window_steps": 40,
        "window_samples": 40 * its.batch_global,
        "closure_error": 0.0001,
        "clock_ns_per_step": 900.0,
        "params": 62006,
        "epoch_samples": 1437,
        "loss_first": 2.3,
        "loss_last": 1.1,
        "loss_finite": True,
        "weights_moved": True,
        "weights_equal": True if its.strategy == "ddp" else None,
        "peak_memory_bytes": 2**28,
        "load_before": 0.1,
        "supervisor_cpu": 0.002,
        "hw_id": "hw",
        "sw_id": "sw",
    }
    return Launch(**{**defaults, **changes})


def plan(configurations: Sequence[Configuration], *, rounds=6, baseline=SINGLE, unrunnable=(), **changes):
    """Rounds in the order given: the analysis must not care."""
    launches = tuple(
        PlannedLaunch(launch_id=f"{STUDY}.r{number}p{place}", round=number, position=place, configuration=each)
        for number in range(rounds)
        for place, each in enumerate(configurations)
    )
    defaults = {
        "study_id": STUDY,
        "created_at": "2025-01-01T00:00:00",
        "command": "bench scale",
        "workload": Workload(model="lenet", data="digits", steps=40),
        "scaling": "weak",
        "baseline": baseline,
        "configurations": tuple(configurations),
        "unrunnable": tuple(Unrunnable(configuration=each, reason=reason) for each, reason in unrunnable),
        "launches": launches,
        "rounds": rounds,
        "order_seed": 0,
        "quick": False,
        "margin": 0.02,
        "timeout_s": 60.0,
        "stall_s": 30.0,
        "budget_s": None,
        "oversubscribed": False,
        "origins": {},
        "estimated_s": 1.0,
        "estimated_bytes": 1,
    }
    return Plan(**{**defaults, **changes})


def study(rates: Mapping[Configuration, Sequence[float]], **changes):
    """A plan, its launches and their steps, where each configuration runs at the given samples/s, round by round.

    A rate of None is a launch that crashed.
    """
    its = plan(list(rates), rounds=max(map(len, rates.values())), **changes)
    launches, timed = [], {}
    for planned in its.launches:
        rate = rates[planned.configuration][planned.round]
        if rate is None:
            launches.append(launch(planned, status="crash", reason="RuntimeError: boom"))
            continue
        launches.append(launch(planned))
        ranks = planned.configuration.processes
        batch = planned.configuration.batch_global // ranks
        timed[planned.launch_id] = steps(1e3 * planned.configuration.batch_global / rate, ranks=ranks, batch=batch)
    return its, launches, timed


def changed(launches: Sequence[Launch], configuration: Configuration, **changes):
    """The same launches, with those of one configuration changed."""
    return [replace(each, **changes) if each.configuration == configuration.key else each for each in launches]


def epoch(launch_id, number, **changes):
    """One trained and evaluated epoch."""
    defaults = {
        "study_id": STUDY,
        "launch_id": launch_id,
        "epoch": number,
        "train_s": 10.0,
        "evaluate_s": 1.0,
        "samples": 1437,
        "learning_rate": 0.1,
        "train_loss": 0.5,
        "train_top1": 0.8,
        "validation_loss": 0.4,
        "top1": 0.9,
        "top5": 0.99,
        "validation_samples": 360,
    }
    return Epoch(**{**defaults, **changes})


def row(found, its: Configuration):
    """The row of a configuration in an analysed study."""
    return next(each for each in found.rows if each.key == its.key)
