"""What the model's own code changed while it was measured: in true words, with what it does to the number.

A `SUSPECT` finding says that the row is not what its title and its columns promise (threads, cores, precision). Where
all rows changed alike and nothing promised is untrue, a warning says what was found.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.analysis.validity.rules import SUSPECT, WARNING, Finding
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


def marks(launch: Launch) -> Iterator[Finding]:
    """Where one launch that ended well is not what its row says."""
    changed = json.loads(launch.changed)
    if "threads" in changed:
        was, now = _words(changed["threads"])
        yield Finding(
            severity=SUSPECT,
            text=f"the model's code set the threads of a rank: it ran with {now}, not {was}",
            fix=f"leave torch.set_num_threads out of it, or plan for it: --cores-per-rank {changed['threads'][-1]}",
        )
    if "cores" in changed:
        was, now = _words(changed["cores"])
        yield Finding(
            severity=SUSPECT,
            text=f"the model's code chose the cores: {_sharing(launch) or f'it ran on {now}, not {was}'}",
            fix="leave the choice of cores (os.sched_setaffinity, psutil) to bench",
        )
    known = {"computed": {"weights", "autocast"} & {*changed}}  # the same, said already
    for name, (text, fix) in _MARKS.items():
        if name in changed and not known.get(name):
            was, now = _words(changed[name])
            yield Finding(severity=SUSPECT, text=text.format(was=was, now=now), fix=fix + _LEAVE)
    if UNSEEN in changed.get("input", ()):
        yield Finding(
            severity=SUSPECT,
            text="the model wrote into its input past torch (x.data, x.numpy()), and trained on what was left of it",
            fix="have it work on a copy: x = x.clone()",
        )


def warnings(launches: Sequence[Launch]) -> Iterator[Finding]:
    """What else a reader should know; equal findings once, with how many launches they are of."""
    found = Counter(each for launch in launches for each in _warnings(json.loads(launch.changed)))
    for text, count in found.items():
        yield Finding(
            severity=WARNING, text=f"the model's code {text} (in {count} of {len(launches)} launches)", fix=_LEAVE
        )


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


def _warnings(changed: Mapping[str, Sequence[Any]]) -> Iterator[str]:
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
