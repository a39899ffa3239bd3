"""What the layers of one launch did while they learned: costs, gradients, updates, and which of them are ill. Pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from bench.store.schema import Layer

MOSTLY_ZERO = 0.9  # of a gradient
GREW = 100.0  # times the median of the looks before
LOOKS_BEFORE = 3  # that make a median


@dataclass(frozen=True, kw_only=True)
class LayerSummary:
    """One layer over all steps that were looked at; None where it has no parameters, or a value is not finite."""

    layer: str
    kind: str
    params: int
    macs: int
    share: float  # of the model's multiply-accumulates
    gradient_mean: float | None
    gradient_largest: float | None
    update_mean: float | None  # over the norm of the weights
    findings: tuple[str, ...]  # why it is called dead or exploding; empty when it is well


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """The layers of one launch, in the order in which data comes to them."""

    layers: tuple[LayerSummary, ...]
    looks: int  # steps that were looked at
    macs: int  # multiply-accumulates of one sample's forward pass
    params: int
    gradient_mean: float | None  # of the whole model's gradient norm, over the looks
    gradient_largest: float | None

    @property
    def flop(self) -> int:
        """Floating point operations of one sample's forward pass: two a multiply-accumulate."""
        return 2 * self.macs


def summary(rows: Sequence[Layer]) -> Anatomy:
    """The anatomy of one launch; `rows` are its layers at every step that was looked at."""
    by_place: dict[int, list[Layer]] = {}
    for row in sorted(rows, key=lambda row: (row.position, row.step)):
        by_place.setdefault(row.position, []).append(row)
    total = sum(looks[0].macs for looks in by_place.values())
    squares: dict[int, float] = {}
    for row in rows:
        if row.gradient_norm is not None:
            squares[row.step] = squares.get(row.step, 0.0) + row.gradient_norm**2
    whole = [math.sqrt(each) for each in squares.values() if math.isfinite(each)]
    return Anatomy(
        layers=tuple(_one(looks, total) for looks in by_place.values()),
        looks=len({row.step for row in rows}),
        macs=total,
        params=sum(looks[0].params for looks in by_place.values()),
        gradient_mean=fmean(whole) if whole else None,
        gradient_largest=max(whole, default=None),
    )


def _one(looks: Sequence[Layer], total: int) -> LayerSummary:
    first = looks[0]
    norms = [row.gradient_norm for row in looks if row.gradient_norm is not None and math.isfinite(row.gradient_norm)]
    moved = [
        row.update_norm / row.weight_norm
        for row in looks
        if row.update_norm is not None and row.weight_norm and math.isfinite(row.update_norm / row.weight_norm)
    ]
    return LayerSummary(
        layer=first.layer,
        kind=first.kind,
        params=first.params,
        macs=first.macs,
        share=first.macs / total if total else 0.0,
        gradient_mean=fmean(norms) if norms else None,
        gradient_largest=max(norms, default=None),
        update_mean=fmean(moved) if moved else None,
        findings=tuple(_findings(looks)),
    )


def _findings(looks: Sequence[Layer]) -> Iterator[str]:
    """A layer is dead when its gradient is zero at every look, exploding when one is not finite or grows suddenly."""
    norms = [row.gradient_norm for row in looks if row.gradient_norm is not None]
    if not norms:
        return
    zeros = [row.gradient_zeros for row in looks if row.gradient_zeros is not None]
    if not any(norms):
        yield "dead: its gradient is zero at every step that was looked at"
    elif zeros and fmean(zeros) > MOSTLY_ZERO:
        yield f"mostly dead: {fmean(zeros):.0%} of its gradient is exactly zero"
    wrong = next((row for row in looks if row.gradient_norm is not None and not math.isfinite(row.gradient_norm)), None)
    if wrong is not None:
        yield f"exploding: its gradient is not finite at step {wrong.step}"
        return
    for place, row in enumerate(looks):
        before = median(norms[:place]) if place >= LOOKS_BEFORE else 0.0
        if before and norms[place] > GREW * before:
            yield f"exploding: at step {row.step} its gradient is {norms[place] / before:,.0f} times its median before"
            return
