"""What belongs to the whole process, and what a user's code may change there: read when nothing is timed, and compared.

The code of a model runs in the rank's own process. It may set the threads to one as it is imported, move the rank to
another core in its first forward, or let products of float32 be rounded to bfloat16; the plan knows nothing of it.
"""

import gc
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from bench.learn.batches import Batches

# Names that threads, devices and kernels are chosen by; where a compiler keeps its files is no matter.
_VARIABLES = (
    *("OMP_*", "KMP_*", "GOMP_*", "MKL_*", "OPENBLAS_*", "ONEDNN_*", "DNNL_*", "ATEN_*", "MALLOC_*"),
    *("CUDA_*", "CUDNN_*", "NVIDIA_*", "NCCL_*", "GLOO_*", "TORCH_*", "PYTORCH_*"),
)
_ROUNDED = (
    ("fp32", 2e-5),
    ("tf32", 1.5e-3),
)  # relative error of a product of 128 terms: up to there it is of this kind
_SWITCHES = {"cpu": ("mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn"), "cuda": ("cuda.matmul", "cudnn.conv", "cudnn.rnn")}


def _read(device: torch.device, model: nn.Module | None, variables: Mapping[str, str]) -> dict[str, Any]:
    """What holds now; of the calling thread, where a system keeps it by thread.

    `variables`: the environment that the process began with.
    """
    return {
        "threads": torch.get_num_threads(),  # within an operation
        "interop_threads": torch.get_num_interop_threads(),
        # That this rank may run on, as "0-3,8"; empty where the system does not tell.
        "cores": spans(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else "",
        "float32_precision": _switches(device),  # of the libraries that multiply on this device
        "weights": _dtypes(model) if model is not None else "float32",
        "default_dtype": _name(torch.get_default_dtype()),
        "default_device": torch.get_default_device().type,
        # The dtype it casts to everywhere.
        "autocast": _name(torch.get_autocast_dtype(device.type)) if torch.is_autocast_enabled(device.type) else "off",
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        # Libraries of them that are off.
        "kernels": ", ".join(name for name in ("cudnn", "mkldnn") if not getattr(torch.backends, name).enabled),
        "autotuner": torch.backends.cudnn.benchmark,
        "anomaly_detection": torch.is_anomaly_enabled(),
        "denormals": "kept" if float("5e-324") * torch.get_num_threads() else "flushed to zero",
        "collector": f"on, thresholds {', '.join(map(str, gc.get_threshold()))}" if gc.isenabled() else "off",
        # A profiler or a debugger is called for every line or function.
        "traced": sys.gettrace() is not None or sys.getprofile() is not None,
        "priority": os.getpriority(os.PRIO_PROCESS, 0),
        "seed": torch.initial_seed(),  # that torch's generator was last started from
        "variables": ", ".join(
            sorted(_changed_variables(variables))
        ),  # of the environment, set since the process began
    }


class Watch:
    """One rank's process, from when it was as planned until its results are written."""

    def __init__(self, device: torch.device, precision: str, seed: int) -> None:
        """`precision`: as asked for, and set; `seed`: that random numbers are started from, before the first look."""
        self._device, self._precision, self._variables = device, precision, dict(os.environ)
        self.model: nn.Module | None = None
        self._cores = ""
        self._seen = {name: [value] for name, value in _read(device, None, self._variables).items()}
        self._seen["seed"] = [seed]
        self._seen["products"] = ["tf32" if precision == "tf32" and device.type == "cuda" else "fp32"]

    def look(self) -> None:
        """Note what has another value than before. Not to be called while anything is timed."""
        now = _read(self._device, self.model, self._variables)
        self._cores = now["cores"]
        if now["float32_precision"] != self._seen["float32_precision"][0]:
            now["products"] = rounding(self._device)
        for name, value in now.items():
            if value not in self._seen[name]:
                self._seen[name].append(value)

    def look_at_input(self, batches: Batches, *, after_window: bool) -> None:
        """Note that the model writes into its batches; the window trained on what is first seen after it."""
        known = batches.written
        if batches.look_for_writes():
            seen = self._seen.setdefault("input", ["as given"])
            found = "written to, unseen" if after_window and not known else "written to"
            if found not in seen:
                seen.append(found)

    def look_into_forward(self, dtypes: Iterable[str], threads: Iterable[int]) -> dict[str, list[Any]]:
        """Note what a forward pass computes in, where float32 was asked for, and with how many threads; all changes."""
        self._seen["threads"] += [each for each in sorted(threads) if each not in self._seen["threads"]]
        if self._precision in {"fp32", "tf32"} and (found := ", ".join(sorted(dtypes))):
            self._seen["computed"] = list(dict.fromkeys(("float32", found)))
        return self.changed

    @property
    def cores(self) -> str | None:
        """That the rank might run on when it was last looked at; None where the system does not tell."""
        return self._cores or None

    @property
    def changed(self) -> dict[str, list[Any]]:
        """What has had more than one value, and all of them in the order in which they were seen."""
        return {name: values for name, values in self._seen.items() if len(values) > 1}


@torch.no_grad()
def rounding(device: torch.device) -> str:
    """How products of float32 are rounded on this device: a small one of each kind, against float64.

    A switch alone does not tell: many processors multiply in float32 whatever it allows.
    """
    rng = torch.Generator().manual_seed(0)
    matrix, image, kernel = (
        torch.rand(shape, generator=rng, dtype=torch.float64, device="cpu") - 0.5
        for shape in ((128, 128), (2, 16, 16, 16), (16, 16, 3, 3))
    )
    worst = 0.0
    for product, one, other in ((torch.mm, matrix, matrix), (functional.conv2d, image, kernel)):
        exact = product(one, other)
        with torch.autocast(device.type, enabled=False):
            found = product(one.float().to(device), other.float().to(device)).cpu().double()
        worst = max(worst, float((found - exact).abs().max() / exact.abs().max()))
    return next((word for word, most in _ROUNDED if worst < most), "bf16")


def spans(cores: set[int]) -> str:
    """Numbers as the kernel writes them: {0, 1, 2, 5} as `0-2,5`."""
    runs: list[list[int]] = []
    for core in sorted(cores):
        if runs and core == runs[-1][1] + 1:
            runs[-1][1] = core
        else:
            runs.append([core, core])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _switches(device: torch.device) -> str:
    """One word where all of them say the same."""
    found = {}
    for name in _SWITCHES.get(device.type, ()):
        library, operation = name.split(".")
        found[name] = str(getattr(getattr(torch.backends, library), operation).fp32_precision)
    words = set(found.values())
    return words.pop() if len(words) == 1 else ", ".join(f"{name} {word}" for name, word in found.items())


def _dtypes(model: nn.Module) -> str:
    return ", ".join(sorted({_name(each.dtype) for each in model.parameters() if each.is_floating_point()}))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _changed_variables(before: Mapping[str, str]) -> Iterator[str]:
    for name in {*before, *os.environ}:
        if before.get(name) != os.environ.get(name) and any(fnmatchcase(name, each) for each in _VARIABLES):
            yield name
