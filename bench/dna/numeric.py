"""How a machine computes: every canary's bits, hashed. A process of its own.

`python -P -m bench.dna.numeric --threads 2` prints one JSON object; `bench.dna.numbers` runs it, keeps the answer, and
gives the meaning of its fields.
"""

import argparse
import hashlib
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from bench import devices
from bench.dna.canaries import ACCELERATORS, EVERYWHERE, RANDOM, SEED, Canary, inputs
from bench.dna.facts import plain
from bench.dna.numbers import METHOD, VARIABLES

_CPU = torch.device("cpu")
_REPEATS = 20  # of every canary on accelerators, where atomics may answer differently each time
_DIGITS = 4  # of a distance: the last bits of the reference are this machine's own


def digest(tensor: torch.Tensor) -> str:
    """Hash of a tensor: type, shape and little-endian bytes, a NaN's payload included.

    Returns:
        The first 16 hexadecimal digits of BLAKE2b.
    """
    flat = tensor.detach().to(_CPU).contiguous().reshape(-1)
    data = flat.view(torch.uint8).numpy()
    if sys.byteorder == "big":
        data = data.reshape(-1, tensor.element_size())[:, ::-1]
    content = hashlib.blake2b(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
    content.update(data.tobytes())
    return content.hexdigest()[:16]


def distance_ulp(found: torch.Tensor, reference: torch.Tensor) -> float:
    """How far a result is from its float64 reference, at worst, in scaled ulp: |a - b| / (eps x max|b|).

    Scaled by the largest element and not each by its own: an element that cancels to nearly nothing says nothing.

    Returns:
        In units of the result's own type; infinite where something is not finite.
    """
    scale = torch.finfo(found.dtype).eps * reference.abs().max().item()
    worst = (found.to(_CPU).double() - reference).abs().max().item()
    if not math.isfinite(worst):
        return math.inf
    return float(f"{worst / scale:.{_DIGITS}g}")


class Runner:
    """The canaries on any device; their inputs and references are made once."""

    def __init__(self) -> None:
        self._inputs: dict[str, list[torch.Tensor]] = {}
        self._references: dict[str, torch.Tensor] = {}

    def on(self, device: torch.device, canaries: Mapping[str, Canary], repeats: int = 1) -> dict[str, Any]:
        """Digests, distances to the reference, and which canary did not repeat itself or did not run.

        Args:
            device: where.
            canaries: which.
            repeats: how often each is run; what gives other bits even once is unstable.
        """
        answers: dict[str, dict[str, Any]] = {"digests": {}, "ulp": {}, "failed": {}}
        unstable = []
        for name, run in self._runs(device, canaries):
            try:
                found = run()
                answers["digests"][name] = digest(found)
                if any(digest(run()) != answers["digests"][name] for _ in range(repeats - 1)):
                    unstable.append(name)
                if name in canaries:
                    distance = distance_ulp(found, self._reference(name, canaries[name]))
                    kind, value = (
                        ("ulp", distance) if math.isfinite(distance) else ("failed", "the result is not finite")
                    )
                    answers[kind][name] = value
            except (RuntimeError, NotImplementedError, TypeError) as error:  # not on this device, or not in this type
                answers["failed"][name] = plain(str(error).partition("\n")[0])
        return answers | {"unstable": unstable}

    def _runs(self, device: torch.device, canaries: Mapping[str, Canary]) -> Iterator[tuple[str, Any]]:
        for name, canary in canaries.items():
            given = [each.to(device) for each in self._given(name, canary)]
            yield name, lambda canary=canary, given=given: canary.run(*given)
        for name, draw in RANDOM.items():
            yield name, lambda draw=draw: _seeded(draw, device)

    def _given(self, name: str, canary: Canary) -> list[torch.Tensor]:
        if name not in self._inputs:
            self._inputs[name] = inputs(canary)
        return self._inputs[name]

    def _reference(self, name: str, canary: Canary) -> torch.Tensor:
        if name not in self._references:
            self._references[name] = canary.run(*(each.double() for each in self._given(name, canary))).double()
        return self._references[name]


def _seeded(draw: Any, device: torch.device) -> torch.Tensor:
    torch.manual_seed(SEED)
    drawn: torch.Tensor = draw(device)
    return drawn


def document(threads: int) -> dict[str, Any]:
    """The numeric layer of this machine; fields as `bench.dna.numbers` documents them.

    Args:
        threads: the run's, beside the one thread that the identity is made from.
    """
    torch.set_num_interop_threads(1)
    devices.set_float32_precision("fp32")  # cuDNN would use TF32 unasked
    runner = Runner()
    torch.set_num_threads(1)
    on_one_thread = runner.on(_CPU, EVERYWHERE)
    torch.set_num_threads(threads)
    on_all_threads = on_one_thread if threads == 1 else runner.on(_CPU, EVERYWHERE)
    layer = {
        "method": METHOD,
        "threads": threads,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "variables": {name: plain(os.environ[name]) for name in VARIABLES if os.environ.get(name)},
        "libraries": _libraries(),
        "one_thread": on_one_thread["digests"],
        "all_threads": on_all_threads["digests"],
        "ulp": on_one_thread["ulp"],
        "failed": on_one_thread["failed"],
        "accelerators": {},
    }
    found = torch.accelerator.current_accelerator(check_available=True)
    if found is not None:
        device = torch.device(found.type, 0)  # the first: a machine's cards are alike
        layer["accelerators"][device.type] = {
            "repeats": _REPEATS,
            **runner.on(device, {**EVERYWHERE, **ACCELERATORS}, _REPEATS),
        }
    return layer


def _libraries() -> dict[str, str]:
    """Versions of the libraries inside torch, which no package manager lists."""
    text = torch.__config__.show()
    patterns = {
        "mkl": r"Math Kernel Library Version (\S+)",
        "onednn": r"MKL-DNN (v\S+)",
    }
    found = {name: re.search(pattern, text) for name, pattern in patterns.items()}
    return {name: match[1] for name, match in found.items() if match}


def main() -> None:
    """Print the numeric layer as JSON."""
    parser = argparse.ArgumentParser(prog="python -P -m bench.dna.numeric", description=__doc__)
    parser.add_argument("--threads", type=int, required=True, help="the run's thread count, beside one thread")
    parser.add_argument("--at-end-of-stdin", action="store_true", help="compute nothing before the end of stdin")
    given = parser.parse_args()
    if given.at_end_of_stdin:
        sys.stdin.read()
    print(json.dumps(document(given.threads), allow_nan=False))


if __name__ == "__main__":
    main()
