"""The numeric layer: how this machine computes, asked of a process of its own and remembered. Nothing here is torch.

The document has

    method          version of the canaries; digests of two versions say nothing about each other
    threads         the run's thread count
    capability      the vector instructions that ATen chose its kernels for
    variables       set variables that change what the libraries choose
    libraries       versions inside torch that no package manager lists
    one_thread      canary -> digest, on the CPU at one thread: what `num_id` is made from
    all_threads     the same at `threads`
    ulp             canary -> distance to its float64 reference, in scaled ulp, at one thread
    failed          canary -> why it gave no digest or no distance
    accelerators    kind -> digests, ulp, failed and unstable (canaries that did not repeat themselves), on its first
                    device
"""

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.dna import cache
from bench.dna.facts import UnavailableError
from launchers.environment import environment

METHOD = 1  # bump with any change to the canaries or their inputs

# What ranks may inherit (`launchers.environment`) and what changes the numbers without changing hardware or software.
VARIABLES = (
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_CBWR", "OPENBLAS_CORETYPE"),
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"),
    *("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG"),
)
# Decide which device is the first; they may hold a card's serial number, so they are told to nobody.
_DEVICES = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")

# Importing torch from a cold disk on a busy machine takes most of it; the canaries themselves take a second.
_TIMEOUT_S = 30


class DoesNotRunError(UnavailableError):
    """Torch is installed and does not run; the text has its last words."""


def read(hw_id: str, sw_id: str, threads: int, *, tell: Callable[[str], None] = lambda _: None) -> Mapping[str, Any]:
    """The numeric layer, from the cache where this machine has been asked before.

    Args:
        hw_id: of this machine; with the next two, and the variables, what the answer is remembered by.
        sw_id: of its software.
        threads: the run's.
        tell: takes a line when there is something to wait for.

    Raises:
        UnavailableError: torch is not there, does not run, or took too long.
    """
    found = remembered(hw_id, sw_id, threads)
    if found is not None:
        return found
    tell("Looking how this machine computes, once for its hardware and software: a few seconds …")
    return measure(hw_id, sw_id, threads)


def remembered(hw_id: str, sw_id: str, threads: int) -> Mapping[str, Any] | None:
    """What the canaries said the last time; None when they have not been asked under these circumstances."""
    found = cache.load(kept_in(hw_id, sw_id, threads))
    return found if isinstance(found, dict) else None


def measure(hw_id: str, sw_id: str, threads: int, *, keep: bool = True) -> Mapping[str, Any]:
    """Run the canaries now.

    Args:
        hw_id: see `read`.
        sw_id: see `read`.
        threads: see `read`.
        keep: remember the answer.

    Raises:
        UnavailableError: torch is not there, does not run, or took too long.
    """
    told: Mapping[str, Any] = document_of("bench.dna.numeric", ("--threads", str(threads)), timeout_s=_TIMEOUT_S)
    if keep:
        cache.save(kept_in(hw_id, sw_id, threads), told)
    return told


def kept(hw_id: str, sw_id: str, threads: int) -> Mapping[str, Any]:
    """What the canaries said the last time; runs nothing.

    Raises:
        UnavailableError: they have not been asked under these circumstances.
    """
    found = remembered(hw_id, sw_id, threads)
    if found is None:
        raise UnavailableError("not run here yet, and a study that is running must not be disturbed")
    return found


def num_id(numeric: Mapping[str, Any]) -> str:
    """The first 16 hexadecimal digits of BLAKE2b over `one_thread` as canonical JSON.

    A canary that did not run is not in it, which is another identity. Accelerators are in none: their atomics may
    answer differently each time.
    """
    text = json.dumps(numeric["one_thread"], sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode()).hexdigest()[:16]


def document_of(
    module: str, arguments: tuple[str, ...], *, timeout_s: float, stderr: int | None = subprocess.PIPE
) -> Any:
    """The JSON that a module of ours prints, run in a process of its own, in the environment of a rank.

    Args:
        module: run with `python -P -m`.
        arguments: its own.
        timeout_s: it is ended after this.
        stderr: where its stderr goes; None: to ours.

    Raises:
        DoesNotRunError: the process failed.
        UnavailableError: torch is not installed, or it took too long.
    """
    if importlib.util.find_spec("torch") is None:
        raise UnavailableError("torch is not installed")
    try:
        # -P: a folder of the user's own called `bench` is never picked up.
        ended = subprocess.run(
            [sys.executable, "-P", "-m", module, *arguments],
            env=environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            timeout=timeout_s,
            check=False,
            text=True,
        )
        if ended.returncode == 0:
            return json.loads(ended.stdout)
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"no answer in {timeout_s:g} s") from None
    except (OSError, ValueError) as error:
        raise UnavailableError(f"no answer that is understood ({type(error).__name__})") from None
    last = ((ended.stderr or "").strip().splitlines() or ["no message"])[-1]
    raise DoesNotRunError(plain(f"its process ended with exit code {ended.returncode}: {last}"))


def plain(text: str) -> str:
    """A message or a value of somebody else's, without what may be a path: paths tell names of people."""
    return re.sub(r"\S*[/\\~]\S*", "…", text)[:200]


def kept_in(hw_id: str, sw_id: str, threads: int) -> Path:
    """The file with what the canaries said under these circumstances."""
    passed = environment({})
    variables = {name: passed[name] for name in (*VARIABLES, *_DEVICES) if passed.get(name)}
    facts = {"method": METHOD, "hw_id": hw_id, "sw_id": sw_id, "threads": threads, "variables": variables}
    return cache.file_for("numeric", facts)
