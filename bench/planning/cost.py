"""What a launch will cost, roughly: enough to choose between a coffee and a night. Every number here is an estimate."""

import math

from bench.plan import Configuration, Workload

_START_S = {"cpu": 5.0, "cuda": 12.0, "mps": 6.0}  # import torch, join the group, build the model
_PIXEL_S = {"cpu": 1e-6, "cuda": 3e-8, "mps": 1e-7}  # forward and backward, per pixel of a batch: LeNet to ResNet-18
_PIXELS = {"digits": 32 * 32, "cifar10": 32 * 32, "cifar100": 32 * 32, "synthetic": 32 * 32}
_PIXELS_ELSE = 224 * 224
_EPOCH_SAMPLES = {"digits": 1_500, "cifar10": 50_000, "cifar100": 50_000}
_EPOCH_SAMPLES_ELSE = 10_000
_LAUNCH_BYTES, _STEP_BYTES = 40_000, 20  # small tables and logs; a row of a step in compressed parquet


def launch_s(workload: Workload, row: Configuration) -> float:
    """Seconds from start to end: start-up, warm-up and window."""
    warmup_s = workload.warmup_steps * _step_s(workload, row)
    if workload.seconds is not None:
        window_s = workload.seconds
    else:
        window_s = _window_steps(workload, row) * _step_s(workload, row)
    return _START_S[row.device] + warmup_s + window_s


def launch_bytes(workload: Workload, row: Configuration) -> int:
    """Bytes that one launch leaves in the store."""
    steps = workload.warmup_steps + _window_steps(workload, row)
    return _LAUNCH_BYTES + row.processes * steps * _STEP_BYTES


def _step_s(workload: Workload, row: Configuration) -> float:
    shape = workload.input_shape
    pixels = shape[1] * shape[2] if shape is not None else _PIXELS.get(workload.data, _PIXELS_ELSE)
    return row.batch_per_rank * pixels * _PIXEL_S[row.device]


def _window_steps(workload: Workload, row: Configuration) -> int:
    if workload.steps is not None:
        return workload.steps
    if workload.epochs is not None:
        samples = _EPOCH_SAMPLES.get(workload.data, _EPOCH_SAMPLES_ELSE)
        return workload.epochs * math.ceil(samples / row.batch_global)
    return math.ceil((workload.seconds or 0) / _step_s(workload, row))
