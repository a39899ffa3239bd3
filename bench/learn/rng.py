"""The state of every random number generator that training draws from, as plain values that `weights_only` loads."""

import random
from typing import Any

import numpy as np
import torch


def seed(number: int) -> None:
    """Have every generator start from one number; the model of a user may draw from any."""
    random.seed(number)
    np.random.seed(number % 2**32)  # noqa: NPY002
    torch.manual_seed(number)


def state(device: torch.device) -> dict[str, Any]:
    """Python's, numpy's and torch's own generators, and the device's."""
    numbers: Any = np.random.get_state(legacy=False)  # noqa: NPY002 - the global one is what a user's model draws from
    internal = numbers["state"]
    return {
        "python": random.getstate(),
        "numpy": {
            **{name: value for name, value in numbers.items() if name != "state"},
            "key": torch.from_numpy(internal["key"].astype(np.int64)),
            "pos": int(internal["pos"]),
        },
        "torch": torch.get_rng_state(),
        "device": _of_device(device),
    }


def restore(kept: dict[str, Any], device: torch.device) -> None:
    """The inverse of `state`; the device's is left alone where the checkpoint is of another kind of device."""
    random.setstate(kept["python"])
    numbers = dict(kept["numpy"])
    key, pos = numbers.pop("key").numpy().astype(np.uint32), numbers.pop("pos")
    np.random.set_state({**numbers, "state": {"key": key, "pos": pos}})  # noqa: NPY002
    torch.set_rng_state(kept["torch"])
    if kept["device"] is None:
        return
    if device.type == "cuda":
        torch.cuda.set_rng_state(kept["device"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(kept["device"])


def _of_device(device: torch.device) -> torch.Tensor | None:
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None
