"""Many machines with one workload: which of them is not like the others? The machine is the unit, not the launch.

The test is Rosner's generalised extreme Studentised deviate (Percentage Points for a Generalized ESD Many-Outlier
Procedure, Technometrics 25(2), 1983; NIST/SEMATECH e-Handbook, 1.3.5.17.3): Grubbs's test repeated, with limits for
each step that keep the chance of naming anybody among equal machines near 5 %. Testing each machine against all others
at once would let two slow machines hide each other.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from bench.analysis import comparable, intervals
from bench.analysis.comparison import Fleet, MachineRate, Machines
from bench.analysis.intervals import LAUNCHES_FOR_AN_INTERVAL, LEVEL, SIGNIFICANCE, LogMean
from bench.analysis.result import FASTER, SLOWER, Estimate, Row
from bench.analysis.sides import Side

MACHINES_AT_LEAST = 5  # of four, one is not far enough from three for any limit to be of use
_SUSPECTS = 4  # at most one machine in so many can be an outlier; beyond that, nobody knows which are the others


def held_together(sides: Sequence[Side], margin: float) -> Machines:
    """Every row that the first machine has, over all machines.

    Args:
        sides: one study of each machine.
        margin: a machine within it of the others is not named, however sure the test is.
    """
    first = sides[0]
    why = {
        side.name: reasons
        for side in sides[1:]
        if (reasons := comparable.obstacles(first.study, side.study, first.plan, side.plan))
    }
    kept = [side for side in sides if side.name not in why]
    return Machines(
        parties=tuple(side.party for side in sides),
        left_out=tuple(f"{name} is left out: {'; '.join(reasons)}" for name, reasons in why.items()),
        fleets=tuple(_fleet(row, kept, margin) for row in first.rows),
        notes=_notes(kept),
        margin=margin,
    )


def outliers(values: Sequence[float], significance: float = SIGNIFICANCE) -> dict[int, float]:
    """Which values do not belong with the others, by the generalised extreme Studentised deviate: place -> p.

    Each step takes the value that is farthest from the mean of those left, `R = |x - mean| / sd`, and asks whether
    Grubbs's test of those m values would name it: `p = 2 m P(T_{m-2} > t)` with
    `t^2 = R^2 m (m - 2) / ((m - 1)^2 - m R^2)`. All values taken up to the last step with p < `significance` are
    outliers, so that none hides behind another. Among equal normal values somebody is named in 5 to 7 % of all sets of
    5 to 39 (tests/statistics); the limits are exact for large sets only.
    """
    left = dict(enumerate(values))
    steps: list[tuple[int, float]] = []
    for _ in range(max(1, len(values) // _SUSPECTS)):
        m, spread = len(left), float(np.std(list(left.values()), ddof=1))
        if m < MACHINES_AT_LEAST - 1 or spread == 0:
            break
        centre = float(np.mean(list(left.values())))
        place = max(left, key=lambda each: abs(left[each] - centre))
        r = abs(left.pop(place) - centre) / spread
        rest = (m - 1) ** 2 - m * r**2
        t = r * math.sqrt(m * (m - 2) / rest) if rest > 0 else math.inf
        steps.append((place, min(1.0, 2 * m * float(special.stdtr(m - 2, -t)))))
    last = max((number for number, (_, p) in enumerate(steps) if p < significance), default=-1)
    return dict(steps[: last + 1])


def _fleet(row: Row, sides: Sequence[Side], margin: float) -> Fleet:
    reasons = []
    there: list[tuple[Side, list[float]]] = []
    for side in sides:
        mine = next((each for each in side.rows if comparable.place(each) == comparable.place(row)), None)
        why = "it has no such row" if mine is None else comparable.no_number(mine)
        if why is not None or mine is None:
            reasons.append(f"{side.name}: {why}")
        else:
            there.append((side, np.log(side.rates(mine)).tolist()))
    means = [float(np.mean(logs)) for _, logs in there]
    if len(there) < MACHINES_AT_LEAST:
        reasons.append(f"{len(there)} machine{'s' * (len(there) != 1)}; {MACHINES_AT_LEAST} are needed to name one")
    found = outliers(means) if len(there) >= MACHINES_AT_LEAST else {}
    alike = {place: mean for place, mean in enumerate(means) if place not in found}
    return Fleet(
        configuration=row.configuration,
        strategy=row.strategy,
        ranks=row.ranks,
        nodes=row.nodes,
        device=row.device,
        cores_per_rank=row.cores_per_rank,
        batch_per_rank=row.batch_per_rank,
        machines=tuple(
            _machine(side, logs, [alike[each] for each in alike if each != place], found.get(place), margin)
            for place, (side, logs) in enumerate(there)
        ),
        spread=float(np.std(list(alike.values()), ddof=1)) if len(alike) > 1 else None,
        reasons=tuple(reasons),
    )


def _machine(side: Side, logs: Sequence[float], others: Sequence[float], p: float | None, margin: float) -> MachineRate:
    """One machine over the others. One that the test picked is named unless its own launches or the margin object."""
    method = "Welch t interval of its launches over the other machines' means"
    estimate, low, high = math.exp(float(np.mean(logs)) - float(np.mean(others or logs))), None, None
    if len(logs) >= LAUNCHES_FOR_AN_INTERVAL and len(others) > 1:
        low, high = LogMean.difference(LogMean.of(logs), LogMean.of(others)).interval(LEVEL)
    sure = low is not None and high is not None and not low <= 1 <= high
    named = p is not None and sure and not 1 / (1 + margin) <= estimate <= 1 + margin
    return MachineRate(
        party=side.party,
        rate=intervals.rate_interval([math.exp(each) for each in logs]),
        ratio=Estimate(estimate=estimate, low=low, high=high, n=len(logs), method=method),
        word=(FASTER if estimate > 1 else SLOWER) if named else None,
        p=p,
    )


def _notes(sides: Sequence[Side]) -> tuple[str, ...]:
    software = {side.study.sw_id for side in sides}
    notes = ["A machine is named if the test picks it, its own launches agree, and it is beyond the margin."]
    if len(software) > 1:
        notes.append(f"{len(software)} different sets of software: a machine that is named may owe it to its software.")
    return tuple(notes)
