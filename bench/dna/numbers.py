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

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.dna import cache
from bench.dna.child import Child
from bench.dna.facts import UnavailableError, id_of
from bench.dna.variables import recorded
from launchers.environment import environment

METHOD = 3  # bump with any change to the canaries or their inputs

# What ranks may inherit (`launchers.environment`) and what changes the numbers without changing hardware or software.
VARIABLES = (
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_CBWR", "OPENBLAS_CORETYPE"),
    *("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"),
    *("NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG"),
)
# Decide which device is the first; they may hold a card's serial number, so they are recorded nowhere.
_DEVICES = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")

# Threads that spin while they wait for each other give the same bits, but where other programs want the cores, seconds
# later: with a load of 10 on two cores the canaries at two threads took 12 s, and 0.5 s so.
_PATIENT = {"OMP_WAIT_POLICY": "passive"}

# Importing torch from a cold disk on a busy machine takes most of it; the canaries themselves take a second.
_TIMEOUT_S = 30


@dataclass(frozen=True)
class Circumstances:
    """What decides how a machine computes and how fast; with the variables, what an answer is remembered by."""

    hw_id: str
    sw_id: str
    threads: int  # the run's

    def file(self, kind: str, method: int) -> Path:
        """Where an answer of that kind, found by that version of the method, is kept."""
        passed = environment({})
        variables = recorded() | {name: passed[name] for name in _DEVICES if passed.get(name)}
        return cache.file_for(kind, {"method": method, **asdict(self), "variables": variables})


def read(here: Circumstances, *, tell: Callable[[str], None] = lambda _: None) -> Mapping[str, Any]:
    """The numeric layer, from the cache where this machine has been asked before.

    Args:
        here: hardware, software and threads of the run.
        tell: takes a line when there is something to wait for.

    Raises:
        UnavailableError: torch is not there, does not run, or took too long.
    """
    found = remembered(here)
    if found is not None:
        return found
    tell("Looking how this machine computes, once for its hardware and software: a few seconds …")
    return measure(here)


def remembered(here: Circumstances) -> Mapping[str, Any] | None:
    """What the canaries said the last time; None when they have not been asked under these circumstances."""
    found = cache.load(kept_in(here))
    return found if isinstance(found, dict) else None


def begin(threads: int) -> Child:
    """Start the canaries' process, for `measure`; until that is called it imports torch and computes nothing."""
    return Child("bench.dna.numeric", ("--threads", str(threads), "--at-end-of-stdin"), variables=_PATIENT)


def measure(here: Circumstances, *, keep: bool = True, begun: Child | None = None) -> Mapping[str, Any]:
    """Run the canaries now.

    Args:
        here: hardware, software and threads of the run.
        keep: remember the answer.
        begun: their process, of the same number of threads, where it was started before.

    Raises:
        UnavailableError: torch is not there, does not run, or took too long.
    """
    with begun or begin(here.threads) as child:
        answer: Mapping[str, Any] = child.answer(_TIMEOUT_S)
    if keep:
        cache.save(kept_in(here), answer)
    return answer


def kept(here: Circumstances) -> Mapping[str, Any]:
    """What the canaries said the last time; runs nothing.

    Raises:
        UnavailableError: they have not been asked under these circumstances.
    """
    found = remembered(here)
    if found is None:
        raise UnavailableError("not run here yet, and a study that is running must not be disturbed")
    return found


def num_id(numeric: Mapping[str, Any]) -> str:
    """The id of `one_thread`.

    A canary that did not run is not in it, which is another identity. Accelerators are in none: their atomics may
    answer differently each time.
    """
    return id_of(numeric["one_thread"])


def kept_in(here: Circumstances) -> Path:
    """The file with what the canaries said under these circumstances."""
    return here.file("numeric", METHOD)
