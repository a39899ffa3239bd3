"""Would another machine agree? Two capsules in; a verdict, the first difference and its likely cause out. Pure.

Each rung of the ladder is judged only when the one above it does not hold.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.analysis.comparing import quantities
from bench.analysis.comparing.nouns import DIVERGED
from bench.analysis.repro import distance
from bench.analysis.repro.nouns import (
    BITWISE,
    DIFFERENT,
    INCONCLUSIVE,
    NOT_COMPARABLE,
    NUMERICS,
    STATISTICS,
    Agreement,
    Difference,
)
from bench.analysis.result import EQUIVALENT
from bench.repro.capsule import (
    AUGMENTED,
    BEFORE_TRAINING,
    FORWARD,
    INDICES,
    INIT,
    LOCAL,
    LOSS,
    RANDOM,
    RAW,
    REDUCED,
    STAGES,
    WEIGHTS,
    Capsule,
    Envelope,
    Fact,
)

ROUNDING_ULP = 8.0  # scaled; what an affine map of pixels or an initialiser's logarithm may round otherwise
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


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """One fact, there and here, that differs."""

    rank: int
    there: Fact
    here: Fact


def judge(reference: Capsule, here: Capsule) -> Agreement:
    """Compare a run with a capsule.

    Args:
        reference: the capsule, with its envelope.
        here: the same repro_run, on this machine or with this software.
    """
    if obstacle := _obstacle(reference, here):
        return Agreement(verdict=NOT_COMPARABLE, first_difference=None, cause="", curve=(), reasons=(obstacle,))
    differing = list(_differing(reference, here))
    curve = tuple(enumerate(distance.loss_curve(reference.parts[0], here.parts[0])))
    if not differing:
        count = sum(len(part.facts) for part in here.parts)
        equal = f"all {count} recorded hashes and {len(curve)} losses are equal, bit by bit"
        return Agreement(verdict=BITWISE, first_difference=None, cause="", curve=curve, reasons=(equal,))
    decisive = next((pair for pair in differing if _is_no_rounding(pair)), None)
    first = decisive or differing[0]
    verdict, reasons = _numerics(reference, here, decisive)
    if verdict != NUMERICS and reference.finals is not None:
        verdict, reason = _statistics(reference, here)
        reasons = (*reasons, reason)
    return Agreement(
        verdict=verdict,
        first_difference=_difference(first),
        cause=cause(first.there, reference.conditions, here.conditions, rounding=decisive is None),
        curve=curve,
        reasons=(*reasons, *_growth(curve)),
    )


def wants_seeds(agreement: Agreement, reference: Capsule) -> bool:
    """Whether runs of several seeds here would decide what the numbers could not."""
    return reference.finals is not None and agreement.verdict in (DIFFERENT, INCONCLUSIVE)


def cause(first: Fact, reference: Mapping[str, Any], here: Mapping[str, Any], *, rounding: bool) -> str:
    """The likely cause, in words without a full stop.

    Args:
        first: the first fact that differs.
        reference: conditions of the capsule.
        here: conditions of the run that is compared with it.
        rounding: it may be no more than that; else no number of threads explains it, at most another version.
    """
    place = _STAGES[first.stage](first)
    if rounding:
        otherwise = other_conditions(reference, here)
        return f"{'; '.join(otherwise)} (first seen in {place})" if otherwise else place
    versions = _versions(reference, here) if first.stage != INDICES else []
    return "; ".join([place, *versions])


def other_conditions(reference: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
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


def _obstacle(reference: Capsule, here: Capsule) -> str | None:
    """Why the two cannot be compared at all; None when they can."""
    a, b = reference.repro_run, here.repro_run
    # A user's own file may lie elsewhere; its tensors tell whether it is the same.
    of_this_machine = ("data_dir", "allow_empty_classes", "model")
    names = [name for name in vars(a.workload) if getattr(a.workload, name) != getattr(b.workload, name)]
    if others := [name for name in names if name not in of_this_machine]:
        return f"another workload was rehearsed: {', '.join(others)}"
    if a.configuration.batch_global != b.configuration.batch_global or len(reference.parts) != len(here.parts):
        return "other ranks, or another batch"
    for there, now in zip(reference.parts, here.parts, strict=True):
        keys, keys_here = {fact.key for fact in there.facts}, {fact.key for fact in now.facts}
        if keys != keys_here:
            stage, step, tensor = min(keys ^ keys_here, key=lambda key: STAGES.index(key[0]))
            side = "here" if (stage, step, tensor) not in keys else "there"
            return f"the model is built otherwise: {stage} of {tensor} at step {step} is recorded only {side}"
        if len(there.losses) != len(now.losses):
            return f"{len(there.losses)} steps there, {len(now.losses)} here"
    return None


def _differing(reference: Capsule, here: Capsule) -> Iterator[_Pair]:
    """Every fact that is not the same, in the order in which one follows from the other."""
    pairs = []
    for there, now in zip(reference.parts, here.parts, strict=True):
        known = {fact.key: fact for fact in now.facts}
        facts = [*enumerate(there.facts), *((0, fact) for fact in _losses(there.losses))]
        known |= {fact.key: fact for fact in _losses(now.losses)}
        pairs += [
            (_order(fact, place, there.rank), _Pair(rank=there.rank, there=fact, here=known[fact.key]))
            for place, fact in facts
            if known[fact.key].hash != fact.hash
        ]
    return (pair for _, pair in sorted(pairs, key=lambda each: each[0]))


def _losses(losses: tuple[str, ...]) -> list[Fact]:
    return [Fact(stage=LOSS, step=step, tensor="loss", hash=each) for step, each in enumerate(losses)]


def _order(fact: Fact, place: int, rank: int) -> tuple[int, ...]:
    """Step 0 stage by stage; what comes later in the order of time: the weights of k steps are step k - 1's work."""
    stage = STAGES.index(fact.stage)
    before = stage < STAGES.index(LOSS) or (fact.stage == RANDOM and fact.step == 0)
    if before:
        return (0, min(stage, STAGES.index(INIT)) if fact.stage == RANDOM else stage, fact.step, place, rank)
    made = fact.step if fact.stage == LOSS else fact.step - 1
    return (1, made, stage, place, rank)


def _is_no_rounding(pair: _Pair) -> bool:
    """Other data or other first weights, by more than an arithmetic that rounds otherwise."""
    early = pair.there.stage in BEFORE_TRAINING or (pair.there.stage == RANDOM and pair.there.step == 0)
    return (
        early
        and max(distance.of_facts(pair.there, pair.here), distance.of_totals(pair.there, pair.here)) > ROUNDING_ULP
    )


def _numerics(reference: Capsule, here: Capsule, decisive: _Pair | None) -> tuple[str, tuple[str, ...]]:
    if decisive is not None:
        return DIFFERENT, ("training begins otherwise, and rounding cannot be why",)
    allowed = _envelope(reference, here)
    if allowed is None:
        return INCONCLUSIVE, ("the capsule was recorded without an envelope, so nothing says how far rounding goes",)
    escaped = [
        found
        for there, now in zip(reference.parts, here.parts, strict=True)
        if (found := distance.escape(there, now, allowed))
    ]
    if escaped:
        return DIFFERENT, (str(escaped[0]),)
    runs = len(allowed.runs)
    return NUMERICS, (f"never further off than rounding explains, by {runs} perturbed runs on the recording machine",)


def _envelope(reference: Capsule, here: Capsule) -> Envelope | None:
    """How far rounding may go: further on another kind of device, whose every kernel adds in another order.

    Two models of GPU are two kinds. CPUs are one: what differs between them is small enough for the narrow envelope.
    """
    kinds = {(each.conditions.get("device"), each.conditions.get("device_name")) for each in (reference, here)}
    if len(kinds) > 1 and reference.envelope_other_device is not None:
        return reference.envelope_other_device
    return reference.envelope


def _statistics(reference: Capsule, here: Capsule) -> tuple[str, str]:
    if here.finals is None or reference.finals is None:
        return INCONCLUSIVE, "the capsule holds the accuracy of several seeds, and none were trained here"
    judged = quantities.accuracy(reference.finals, here.finals).verdict
    if judged is None:
        return INCONCLUSIVE, "no seeds were trained"
    words = {EQUIVALENT: STATISTICS, DIVERGED: DIFFERENT}
    return words.get(judged.word, INCONCLUSIVE), "; ".join(judged.reasons)


def _difference(pair: _Pair) -> Difference:
    apart = distance.of_facts(pair.there, pair.here)
    return Difference(
        step=pair.there.step,
        tensor=pair.there.tensor,
        stage=pair.there.stage,
        rank=pair.rank,
        scaled_ulp=apart if math.isfinite(apart) else None,
        share=distance.share_differing(pair.there, pair.here),
    )


def _growth(curve: tuple[tuple[int, float], ...]) -> list[str]:
    """Where the loss begins to drift apart, and how far it comes."""
    apart = [(step, value) for step, value in curve if value > 0]
    if not apart:
        return ["every recorded loss is equal all the same"]
    furthest = max(value for _, value in apart)
    return [f"the loss differs first at step {apart[0][0]}, and at most by {furthest:.2g} of itself"]


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
