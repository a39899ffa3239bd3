"""What a launch will cost, roughly: enough to choose between a coffee and a night. Every number here is an estimate."""

import math

from bench.plan import Configuration, Workload

_START_S = {"cpu": 5.0, "cuda": 12.0, "mps": 6.0}  # import torch, join the group, build the model

# Forward and backward on one core of a server, from runs of this project; right within a factor of three or so.
_SAMPLE_S = {"lenet-small": 2.5e-4, "lenet-large": 2.5e-3}  # 32x32 pixels
_PIXEL_S_SMALL, _PIXEL_S = 4e-5, 8e-6  # of a ResNet: the stem for images up to 64 pixels keeps their resolution
_CORES_OF = {"cuda": 200, "mps": 30}  # cores that the device is worth

_SIDE = {"digits": 32, "cifar10": 32, "cifar100": 32, "synthetic": 32}
_SIDE_ELSE = 224
_STEP_S = 1e-4  # of Python alone
_FEWEST_STEPS = 20  # of a window of seconds, however slow a step is
_LAUNCH_BYTES, _STEP_BYTES = 40_000, 20  # small tables and logs; a row of a step in compressed parquet


def parts_s(workload: Workload, row: Configuration, samples: int) -> tuple[float, float]:
    """Seconds until the first step, and from there to the end. `samples`: of an epoch, where epochs are trained."""
    step_s = _step_s(workload, row)
    warmup_s = 0.0 if workload.epochs else workload.warmup_steps * step_s  # of whole epochs it is a part
    window_s = max(workload.seconds or 0.0, _window_steps(workload, row, samples) * step_s)
    return _START_S[row.device], warmup_s + window_s


def launch_bytes(workload: Workload, row: Configuration, samples: int) -> int:
    """Bytes that one launch leaves in the store."""
    steps = workload.warmup_steps + _window_steps(workload, row, samples)
    return _LAUNCH_BYTES + row.processes * steps * _STEP_BYTES


def _step_s(workload: Workload, row: Configuration) -> float:
    if "sleep_ms" in workload.model_options:  # the model whose speed is known beforehand
        return max(_STEP_S, float(workload.model_options["sleep_ms"]) / 1e3)
    side = _SIDE.get(workload.data, _SIDE_ELSE)
    _, height, width = workload.input_shape or (3, side, side)
    pixels = height * width
    if workload.model in _SAMPLE_S:
        sample_s = _SAMPLE_S[workload.model] * pixels / 32**2
    else:
        sample_s = pixels * (_PIXEL_S_SMALL if max(height, width) <= 64 else _PIXEL_S)
    return max(_STEP_S, row.batch_per_rank * sample_s / _CORES_OF.get(row.device, row.cores_per_rank or 1))


def _window_steps(workload: Workload, row: Configuration, samples: int) -> int:
    if workload.steps is not None:
        return workload.steps
    if workload.epochs is not None:
        return workload.epochs * math.ceil(samples / row.batch_global)
    return max(_FEWEST_STEPS, math.ceil((workload.seconds or 0.0) / _step_s(workload, row)))
