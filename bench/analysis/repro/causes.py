"""Why two repro runs differ: what the first difference says, and what is otherwise on the two machines. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from bench.repro.capsule import AUGMENTED, FORWARD, INDICES, INIT, LOCAL, LOSS, RANDOM, RAW, REDUCED, WEIGHTS, Fact

# What the first difference alone says. The causes below it are told as well, and come first where rounding is possible.
_STAGES: Mapping[str, Callable[[Fact], str]] = {
    INDICES: lambda _: "the data pipeline: other samples, or another order of them",
    RAW: lambda _: "the files or their decoder: the same samples have other pixels",
    AUGMENTED: lambda _: "the augmentation's random numbers, or its arithmetic: the same pixels came out otherwise",
    INIT: lambda _: "the seed, the random numbers, or another version of the model: training begins from other weights",
    FORWARD: lambda fact: f"the kernel of {fact.kind or 'the operation'} in module {fact.tensor}",
    LOCAL: lambda fact: f"the backward kernel that makes the gradient of {fact.tensor}",
    REDUCED: lambda _: "the order in which the ranks' gradients are added, or what the sum is divided by",
    LOSS: lambda _: "the loss function, or an operation that does not repeat itself",
    WEIGHTS: lambda fact: (
        "the optimizer: its numbers or its kernel; all gradients of step 0 are equal"
        if fact.step == 1
        else "the optimizer's numbers or kernel, or an operation that does not repeat itself: step 0 is equal"
    ),
    RANDOM: lambda _: "somebody else draws from torch's random numbers",
}
_ISA = ("cpu_capability", "variables")


def of(first: Fact, reference: Mapping[str, Any], here: Mapping[str, Any], *, rounding: bool) -> str:
    """The likely cause, in words without a full stop.

    Args:
        first: the first fact that differs.
        reference: conditions of the capsule.
        here: conditions of the run that is compared with it.
        rounding: it may be no more than that; else no number of threads explains it, at most another version.
    """
    place = _STAGES[first.stage](first)
    if rounding:
        otherwise = differences(reference, here)
        return f"{'; '.join(otherwise)} (first seen in {place})" if otherwise else place
    versions = _versions(reference, here) if first.stage != INDICES else []
    return "; ".join([place, *versions])


def differences(reference: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """What may change numbers and is not the same on both sides, the most telling first."""
    found = []
    if reference["device"] != here["device"]:
        return [f"another kind of device: {reference['device']} there, {here['device']} here"]
    if reference["device_name"] != here["device_name"]:
        found.append(f"another device: {reference['device_name']} there, {here['device_name']} here")
    found += _versions(reference, here)
    if any(reference[name] != here[name] for name in _ISA):
        found.append(f"another instruction set: {_instructions(reference)} there, {_instructions(here)} here")
    if reference["threads"] != here["threads"]:
        found.append(f"another number of threads: {reference['threads']} there, {here['threads']} here")
    if reference["world_size"] != here["world_size"] or reference["buckets"] != here["buckets"]:
        found.append("gradients are reduced in other portions")
    # An id says only that something differs; it is told when nothing above says what.
    if not found and _differ(reference, here, "num_id"):
        found.append("the two machines compute the same operations with other bits (num_id differs)")
    if not found and _differ(reference, here, "sw_id"):
        found.append("other software (sw_id differs)")
    if not found and _differ(reference, here, "hw_id"):
        found.append("other hardware (hw_id differs)")
    return found


def _versions(reference: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    pairs = {
        name: (reference["versions"].get(name), here["versions"].get(name))
        for name in sorted({**reference["versions"], **here["versions"]})
    }
    return [f"another version of {name}: {a} there, {b} here" for name, (a, b) in pairs.items() if a != b]


def _differ(reference: Mapping[str, Any], here: Mapping[str, Any], name: str) -> bool:
    there, now = reference.get(name), here.get(name)
    return there is not None and now is not None and there != now


def _instructions(conditions: Mapping[str, Any]) -> str:
    variables = [f"{name}={value}" for name, value in sorted(conditions["variables"].items())]
    return " ".join([str(conditions["cpu_capability"]), *(["with", *variables] if variables else [])])
