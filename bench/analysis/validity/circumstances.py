"""What was otherwise than a reader expects while a launch was measured: set by the model's code, or by the machine.

A `SUSPECT` finding says that the row is not what its title and its columns promise (threads, cores, precision), or that
its ranks were paused within the window. Where nothing promised is untrue (all rows changed alike, a clock is capped), a
warning says what was found: the number is right, of what was measured.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.analysis.validity.rules import Finding, suspect, warning
from bench.store.schema import Launch

UNSEEN = "written to, unseen"  # of the input: what the next steps trained on
_LEAVE = "leave that out of the model's code"
# of `changed`: (what it says of a value and the planned one, what to do)
_MARKS = {
    "products": ("products of float32 were rounded as {now}, not {was}", "ask for --precision tf32 or bf16, or "),
    "weights": ("the weights are {now}, not {was}", "ask for --precision bf16 or fp16 with weights in float32, or "),
    "autocast": ("the model's code casts every operation to {now}", "ask for --precision bf16 or fp16, or "),
    "computed": ("its forward computes in {now}, not {was}", "ask for --precision bf16 or fp16, or "),
    "default_dtype": ("the model's code made {now} the default dtype, not {was}", ""),
}
_WARNINGS = {
    "float32_precision": "changed how products of float32 may be rounded ({now}), which had no effect on this device",
    "interop_threads": "set {now} threads between operations, not {was}",
    "default_device": "made {now} the default device",
    "deterministic": "asked for deterministic algorithms, which are slower",
    "kernels": "switched kernels off ({now})",
    "autotuner": "switched cuDNN's autotuner",
    "anomaly_detection": "switched anomaly detection on, which slows every step",
    "denormals": "has the smallest numbers {now}",
    "collector": "set Python's garbage collector to {now}",
    "traced": "set a profiler or a debugger, which slows every step",
    "priority": "set the priority of its process to {now}",
    "seed": "starts random numbers from a seed of its own ({now}): --seed and --seeds do not reach what is drawn then",
    "variables": "set {now} in the environment, which libraries that are loaded already do not read",
}
PAUSED = 0.001  # of the window: as closure, what is lost beyond it is seen in the number
MEMORY_LEFT = 0.05  # of the control group's limit


def marks(launch: Launch) -> Iterator[Finding]:
    """Where one launch that ended well is not what its row says: by the model's code, or by the machine."""
    yield from code_marks(launch)
    yield from limit_marks(launch)


def code_marks(launch: Launch) -> Iterator[Finding]:
    """What the model's code did."""
    changed = json.loads(launch.changed)
    if "threads" in changed:
        was, now = _words(changed["threads"])
        yield suspect(
            f"the model's code set the threads of a rank: it ran with {now}, not {was}",
            f"leave torch.set_num_threads out of it, or plan for it: --cores-per-rank {changed['threads'][-1]}",
        )
    if "cores" in changed:
        was, now = _words(changed["cores"])
        yield suspect(
            f"the model's code chose the cores: {_sharing(launch) or f'it ran on {now}, not {was}'}",
            "leave the choice of cores (os.sched_setaffinity, psutil) to bench",
        )
    known = {"computed": {"weights", "autocast"} & {*changed}}  # the same, said already
    for name, (text, fix) in _MARKS.items():
        if name in changed and not known.get(name):
            was, now = _words(changed[name])
            yield suspect(text.format(was=was, now=now), fix + _LEAVE)
    if UNSEEN in changed.get("input", ()):
        yield suspect(
            "the model wrote into its input past torch (x.data, x.numpy()), and trained on what was left of it",
            "have it work on a copy: x = x.clone()",
        )


def code_warnings(launches: Sequence[Launch]) -> Iterator[Finding]:
    """What else a reader should know; equal findings once, with how many launches they are of."""
    found = Counter(each for launch in launches for each in _code_warnings(json.loads(launch.changed)))
    for text, count in found.items():
        yield warning(f"the model's code {text} (in {count} of {len(launches)} launches)", _LEAVE)


def precision(asked: str, launches: Iterable[Launch]) -> str:
    """What a title may say: the precision asked for, and what was found beside it."""
    found = dict.fromkeys(
        str(value)
        for launch in launches
        for name, values in json.loads(launch.changed).items()
        if name in {"products", "weights", "autocast", "computed"}
        for value in values[1:]
    )
    return f"{asked} asked, {', '.join(found)} found" if found else asked


def limit_marks(launch: Launch) -> Iterator[Finding]:
    """A quota does not make a core slower: it stops it for the rest of every period, as soon as it is spent."""
    paused = launch.throttled_s is not None and launch.throttled_s > PAUSED * (launch.window_ns or 0) / 1e9
    cores = (launch.cores_per_rank or 1) * launch.ranks // launch.nodes
    if paused or (launch.device == "cpu" and launch.cpu_quota is not None and launch.cpu_quota < cores):
        quota = f"a CPU quota of {launch.cpu_quota:g} cores" if launch.cpu_quota is not None else "a CPU quota"
        yield suspect(
            f"the kernel paused the ranks within the window, for {quota}" if paused else f"{quota} for {cores} used",
            "give the container whole cores instead of a quota (docker run --cpuset-cpus=0-3)",
        )
    if held := [word for word in (launch.gpu_throttling or "").split(", ") if word and word != "power limit"]:
        yield suspect(
            f"the GPUs' clocks were held down ({', '.join(held)})",
            "let them cool, look at fans and power supply: nvidia-smi -q -d PERFORMANCE",
        )


def limit_warnings(launches: Sequence[Launch]) -> Iterator[Finding]:
    """What held the machine below what it can do, in every launch alike or in some."""
    found = Counter(each for launch in launches for each in _limits(launch))
    for (text, fix), count in found.items():
        many = "" if count == len(launches) else f" (in {count} of {len(launches)} launches)"
        yield warning(f"{text}{many}", fix)


def _code_warnings(changed: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    for name, text in _WARNINGS.items():
        if name in changed and not (name == "float32_precision" and "products" in changed):
            was, now = _words(changed[name])
            yield text.format(was=was, now=now)
    if "input" in changed and UNSEEN not in changed["input"]:
        yield "writes into its input, so each synthetic batch is made anew, as batches of real data are"


def _words(values: Sequence[Any]) -> tuple[str, str]:
    """The first value, and the others."""
    was, *others = map(str, values)
    return was, " and ".join(others)


def _sharing(launch: Launch) -> str | None:
    """Which cores several ranks of one host shared; None where none did."""
    per_node = max(1, len(launch.cores) // launch.nodes)
    hosts = [launch.cores[first : first + per_node] for first in range(0, len(launch.cores), per_node)]
    for ranks in hosts:
        users = Counter(core for spans in ranks for core in _numbers(spans))
        if shared := sorted(core for core, count in users.items() if count > 1):
            count = sum(bool({*_numbers(spans)} & {*shared}) for spans in ranks)
            several = "s" * (len(shared) > 1)
            return f"{count} ranks shared core{several} {', '.join(map(str, shared))}"
    return None


def _numbers(spans: str) -> list[int]:
    """`0-2,5` as 0, 1, 2, 5."""
    ends = [[int(end) for end in span.split("-")] for span in spans.split(",") if span]
    return [core for first, *rest in ends for core in range(first, (rest or [first])[0] + 1)]


def _limits(launch: Launch) -> Iterator[tuple[str, str]]:
    if launch.turbo is False:
        yield "turbo was switched off: no core went above its nominal clock", "compare with machines like it only"
    if launch.clock_cap_mhz is not None:
        yield f"the cores' clock was capped to {launch.clock_cap_mhz} MHz", "sudo cpupower frequency-set -u, or say so"
    if launch.governor is not None and any(word in launch.governor for word in ("powersave", "conservative")):
        yield f"the cores ran under the governor {launch.governor}", "sudo cpupower frequency-set -g performance"
    if "power limit" in (launch.gpu_throttling or ""):
        yield "the GPUs ran at their power limit", "that is their limit, not the program's: compare at equal limits"
    left, limit = launch.memory_left_bytes, launch.memory_limit_bytes
    if left is not None and limit is not None and left < MEMORY_LEFT * limit:
        yield (
            f"the container's memory ({limit / 2**30:.1f} GiB) was nearly spent after the window",
            "raise its limit: what is reclaimed has to be read again",
        )
