"""Many machines with one workload: which of them is not like the others? The machine is the unit, not the launch.

The test is Rosner's generalised extreme Studentised deviate (Percentage Points for a Generalized ESD Many-Outlier
Procedure, Technometrics 25(2), 1983; NIST/SEMATECH e-Handbook, 1.3.5.17.3): Grubbs's test repeated, with limits for
each step that keep the chance of naming anybody among equal machines near 5 %. Testing each machine against all others
at once would let two slow machines hide each other.

Each machine has a verdict against the median of the others, too, at 5 % over all of them together: a statement about
these boxes, with launches as replicates, as `bench.analysis.statistics.unpaired` makes about two. It has power where a
test for outliers over a handful of machines has none, and says less: not that a machine is no longer one of its kind,
but that it is slower than the others here. The median, because the others must not look fast beside a slow one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from bench.analysis.comparing import comparable
from bench.analysis.comparing.nouns import MachineRate, Machines, RowAcrossMachines
from bench.analysis.comparing.operands import Operand
from bench.analysis.digits import limit, span
from bench.analysis.result import FASTER, INCONCLUSIVE, SLOWER, Estimate, Row, Verdict
from bench.analysis.statistics import intervals
from bench.analysis.statistics.intervals import LAUNCHES_FOR_AN_INTERVAL, LEVEL, LogMean
from bench.analysis.statistics.verdicts import POWER, SIGNIFICANCE, judge

MACHINES_AT_LEAST = 5  # of four, one is not far enough from three for any limit to be of use
_SUSPECTS = 4  # at most one machine in so many can be an outlier; beyond that, nobody knows which are the others
METHOD = "t interval of log throughput over the median of the other machines, by the wider of own and pooled spread"


@dataclass(frozen=True)
class MachineRatio:
    """One machine over the median of the others."""

    seen: LogMean
    launches: int

    @property
    def ratio(self) -> Estimate:
        """With its own 95 % interval; the verdict's is wider, because there are several."""
        low, high = self.seen.interval(LEVEL) if self.launches >= LAUNCHES_FOR_AN_INTERVAL else (None, None)
        return Estimate(estimate=math.exp(self.seen.mean), low=low, high=high, n=self.launches, method=METHOD)


@dataclass(frozen=True)
class _One:
    """One machine's launches of a row."""

    side: Operand
    logs: Sequence[float]
    doubts: tuple[str, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.logs))


def held_together(operands: Sequence[Operand], margin: float) -> Machines:
    """Every row that the first machine has, over all machines.

    Args:
        operands: one study of each machine.
        margin: a machine within it of the others is not named, however sure the test is.
    """
    first = operands[0]
    why = {
        side.name: reasons
        for side in operands[1:]
        if (
            reasons := (
                *comparable.obstacles(first.study, side.study, first.plan, side.plan),
                *comparable.other_code(first.launches, side.launches),
            )
        )
    }
    kept = [side for side in operands if side.name not in why]
    return Machines(
        parties=tuple(side.party for side in operands),
        left_out=tuple(f"{name} is left out: {'; '.join(reasons)}" for name, reasons in why.items()),
        rows=tuple(_across_machines(row, kept, margin) for row in first.rows),
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


def could_name(spread: float, machines: int, margin: float) -> float:
    """The ratio of one machine over the others from which `outliers` picks it with 80 % power.

    Grubbs's statistic of one value is, in other words, its t against the other m - 1, with m - 2 degrees of freedom,
    which has to pass `t_{1 - .05 / (2 m)}`. Of a machine that is d away this t is noncentral, with
    `d / (spread sqrt(m / (m - 1)))`; d is what puts 80 % of it beyond the limit. Never less than the margin.

    Args:
        spread: standard deviation of the log rates of machines that are alike.
        machines: how many are compared.
        margin: a machine within it is not named.
    """
    limit = float(special.stdtrit(machines - 2, 1 - SIGNIFICANCE / (2 * machines)))
    noncentrality = float(special.nctdtrinc(machines - 2, 1 - POWER, limit))
    return max(1 + margin, math.exp(noncentrality * spread * math.sqrt(machines / (machines - 1))))


def over_the_others(logs: Sequence[Sequence[float]]) -> list[MachineRatio]:
    """Every machine over the median of the others.

    Args:
        logs: of each machine, the logarithms of its launches' rates; one at least of each, two of some machine.
    """
    each = _with_pooled_spread(logs)
    return [MachineRatio(_over_the_others(each, place), len(mine)) for place, mine in enumerate(logs)]


def machine_verdicts(found: Sequence[MachineRatio], doubts: Sequence[Sequence[str]], margin: float) -> list[Verdict]:
    """A word for each machine; FASTER or SLOWER is wrong of any of them at most once in 20.

    EQUIVALENT when the 90 % interval lies within the margin; FASTER or SLOWER when the interval at Holm's level
    excludes 1; else INCONCLUSIVE. Below three launches, or with doubts about a machine, INCONCLUSIVE.
    """
    levels = _holm([_chance(each.seen) for each in found])
    return [
        _verdict(each, level, doubt, margin, len(found))
        for each, level, doubt in zip(found, levels, doubts, strict=True)
    ]


def _across_machines(row: Row, operands: Sequence[Operand], margin: float) -> RowAcrossMachines:
    absent, there = [], []
    for side in operands:
        mine = next((each for each in side.rows if each.configuration == row.configuration), None)
        why = "it has no such row" if mine is None else comparable.no_number(mine)
        if why is not None or mine is None:
            absent.append(f"{side.name}: {why}")
        else:
            doubts = comparable.doubts(mine, side.ended(mine.key))
            there.append(_One(side, np.log(side.rates(mine)).tolist(), doubts))
    means = [each.mean for each in there]
    found = outliers(means) if len(there) >= MACHINES_AT_LEAST else {}
    alike = [mean for place, mean in enumerate(means) if place not in found]
    reasons, power = [], None
    if len(there) < MACHINES_AT_LEAST:
        count = f"{len(there)} machine{'s' * (len(there) != 1)}"
        reasons.append(f"{count}; {MACHINES_AT_LEAST} are needed to name one that is not like the others")
    else:
        power = could_name(_spread_of_equals(alike, complete=not found), len(there), margin)
    return RowAcrossMachines(
        configuration=row.configuration,
        machines=_machines(there, found, margin) if len(there) > 1 else (),
        spread=float(np.std(alike, ddof=1)) if len(alike) > 1 else None,
        absent=tuple(absent),
        reasons=tuple(reasons),
        could_name=power,
    )


def _spread_of_equals(means: Sequence[float], *, complete: bool) -> float:
    """Of machines that are alike: without the farthest, which may be the very one that the test cannot name."""
    centre = float(np.median(means))
    nearest = sorted(means, key=lambda each: abs(each - centre))
    return float(np.std(nearest[:-1] if complete else nearest, ddof=1))


def _machines(there: Sequence[_One], found: Mapping[int, float], margin: float) -> tuple[MachineRate, ...]:
    """Each machine with its verdict; one that the test picked is named unless its own launches or the margin object."""
    over = over_the_others([each.logs for each in there])
    verdicts = machine_verdicts(over, [each.doubts for each in there], margin)
    machines = []
    for place, (one, apart, verdict) in enumerate(zip(there, over, verdicts, strict=True)):
        ratio = apart.ratio
        sure = ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high
        beyond = not 1 / (1 + margin) <= ratio.estimate <= 1 + margin
        named = place in found and sure and beyond and not one.doubts
        machines.append(
            MachineRate(
                party=one.side.party,
                rate=intervals.rate_interval([math.exp(each) for each in one.logs]),
                ratio=ratio,
                verdict=verdict,
                word=(FASTER if ratio.estimate > 1 else SLOWER) if named else None,
                p=found.get(place),
            )
        )
    return tuple(machines)


def _notes(operands: Sequence[Operand]) -> tuple[str, ...]:
    software = {side.study.sw_id for side in operands}
    notes = [
        "An outlier is named if the test picks it, its own launches agree, and it is beyond the margin.",
        "Verdicts: each machine's launches against the median of the others, at 5 % over all of them (Holm).",
        "They are about these boxes on that day, not about their kinds.",
    ]
    if len(software) > 1:
        notes.append(f"{len(software)} different sets of software: a machine that is named may owe it to its software.")
    return tuple(notes)


def _verdict(found: MachineRatio, level: float, doubts: Sequence[str], margin: float, machines: int) -> Verdict:
    seen, quantile = found.seen, special.stdtrit(found.seen.dof, 1 - SIGNIFICANCE / (2 * machines))
    detectable = math.exp((float(quantile) + float(special.stdtrit(seen.dof, POWER))) * seen.std_err)
    few = f"{found.launches} launch{'es' * (found.launches != 1)}; an interval needs {LAUNCHES_FOR_AN_INTERVAL}"
    refused = [*doubts, *([few] if found.launches < LAUNCHES_FOR_AN_INTERVAL else [])]
    judged = judge(seen, margin, level)
    interval = f"the {limit(level)} interval {span(*judged.interval)} over the others"
    reason = judged.reason("the margin", within="the margin", interval=interval)
    return Verdict(
        word=INCONCLUSIVE if refused else judged.word,
        reasons=(*refused, *([] if found.launches < LAUNCHES_FOR_AN_INTERVAL else [reason])),
        detectable=detectable,
        rounds_needed=None,
        beyond_margin=judged.beyond_margin and not refused,
    )


def _with_pooled_spread(logs: Sequence[Sequence[float]]) -> list[LogMean]:
    """Mean and error of each machine, by the wider of its own spread and that of all launches around their means.

    A few launches lie close together by luck; and one machine with a wild launch must not be judged by the calm of the
    others.
    """
    dof = sum(len(each) - 1 for each in logs)
    squares = sum(float(np.sum((np.asarray(each) - np.mean(each)) ** 2)) for each in logs)
    pooled = math.sqrt(squares / dof) if dof else math.inf
    found = []
    for each in logs:
        floor = LogMean(float(np.mean(each)), pooled / math.sqrt(len(each)), max(1, dof))
        own = LogMean.of(each) if len(each) > 1 else floor
        found.append(own if own.std_err > floor.std_err else floor)
    return found


def _over_the_others(each: Sequence[LogMean], place: int) -> LogMean:
    others = sorted((one for number, one in enumerate(each) if number != place), key=lambda one: one.mean)
    low, high = others[(len(others) - 1) // 2], others[len(others) // 2]
    if low is high:
        return LogMean.difference(each[place], low)
    middle = LogMean.difference(LogMean(low.mean / 2, low.std_err / 2, low.dof), _negative_half(high))
    return LogMean.difference(each[place], middle)


def _negative_half(one: LogMean) -> LogMean:
    return LogMean(-one.mean / 2, one.std_err / 2, one.dof)


def _chance(seen: LogMean) -> float:
    """Two-sided p of no difference."""
    if not seen.std_err:
        return 1.0 if not seen.mean else 0.0
    return 2 * float(special.stdtr(seen.dof, -abs(seen.mean) / seen.std_err))


def _holm(chances: Sequence[float]) -> list[float]:
    """The level of each interval: Holm's step-down (Scandinavian Journal of Statistics 6, 1979, 65-70), 5 % over all.

    The smallest p is compared with 5 % / m, the next with 5 % / (m - 1), and so on; from the first that is not below
    it on, all intervals are taken at that level.
    """
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    levels, left = [LEVEL] * len(chances), len(chances)
    for number, place in enumerate(order):
        left = len(chances) - number
        levels[place] = 1 - SIGNIFICANCE / left
        if chances[place] >= SIGNIFICANCE / left:
            for rest in order[number:]:
                levels[rest] = 1 - SIGNIFICANCE / left
            break
    return levels
