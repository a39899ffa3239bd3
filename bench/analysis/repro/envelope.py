"""How far rounding alone drives two equal runs apart, and whether another run went further. Pure.

A fixed tolerance cannot say it: by another number of threads alone, the difference of two losses grows by four orders
of magnitude in a hundred steps, until it is as large as that of two seeds. So it is measured, where a capsule is
recorded: runs whose weights are all moved by one unit in the last place, up or down by chance, and a run on another
number of threads. For another kind of device there is a wider one, with runs in which every product rounds otherwise.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from bench.analysis.repro.distance import loss_curve, weight_curve
from bench.repro.capsule import Envelope, Part

FACTOR = 2.0  # beyond the most that a handful of runs showed
OTHER_DEVICE_FACTOR = 4.0  # nobody has measured here how another kind of device rounds, only something like it
# What no run is blamed for on the first steps: 8 units in the last place where sums are float32, and one of the format
# where it is narrower.
FLOOR = {"fp32": 2.0**-20, "tf32": 2.0**-10, "bf16": 2.0**-7, "fp16": 2.0**-10}
WEIGHTS_FLOOR = 2.0**-20  # weights are float32 in every precision


@dataclass(frozen=True, kw_only=True)
class Escape:
    """Where a run left the envelope first."""

    what: str  # loss or weights
    step: int  # of weights: steps made
    distance: float
    allowed: float

    def __str__(self) -> str:
        place = f"after step {self.step}" if self.what == "weights" else f"at step {self.step}"
        return f"{self.what} {place}: off by {self.distance:.2g}, where rounding explains {self.allowed:.2g}"


def measured(
    reference: Sequence[Part], perturbed: Mapping[str, Sequence[Part]], precision: str, factor: float = FACTOR
) -> Envelope:
    """The envelope around a run: a multiple of the largest distance so far of any perturbed run, never below the floor.

    Growing only: curves of single runs come back to zero by luck, and the limit must not.

    Args:
        reference: the run itself, rank by rank.
        perturbed: what was perturbed -> that run, rank by rank; at least one.
        precision: of the workload.
        factor: which multiple.
    """
    pairs = [pair for run in perturbed.values() for pair in zip(reference, run, strict=True)]
    losses = [loss_curve(*pair) for pair in pairs]
    weights = [weight_curve(*pair) for pair in pairs]
    steps = sorted(weights[0])
    by_step = _widened((max(each[step] for each in weights) for step in steps), WEIGHTS_FLOOR, factor)
    return Envelope(
        loss=tuple(_widened(map(max, zip(*losses, strict=True)), FLOOR[precision], factor)),
        weights=dict(zip(steps, by_step, strict=True)),
        runs=tuple(perturbed),
    )


def escape(reference: Part, here: Part, envelope: Envelope) -> Escape | None:
    """The first place where a run is further from the reference than the envelope allows; None when nowhere."""
    losses = [
        Escape(what="loss", step=step, distance=distance, allowed=allowed)
        for step, (distance, allowed) in enumerate(zip(loss_curve(reference, here), envelope.loss, strict=True))
    ]
    weights = [
        Escape(what="weights", step=step, distance=distance, allowed=envelope.weights[step])
        for step, distance in weight_curve(reference, here).items()
    ]
    outside = [each for each in _in_time([*losses, *weights]) if not each.distance <= each.allowed]
    return outside[0] if outside else None


def _widened(distances: Iterable[float], floor: float, factor: float) -> list[float]:
    return [max(factor * each, floor) for each in accumulate(distances, max)]


def _in_time(places: Sequence[Escape]) -> list[Escape]:
    """The loss of step k is computed before the weights of k + 1 steps made, and after those of k."""
    return sorted(places, key=lambda each: (each.step, 1) if each.what == "loss" else (each.step - 1, 2))
