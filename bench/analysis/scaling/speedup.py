"""A row compared with the baseline: speedup, efficiency and verdict, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.analysis.result import INVALID, Estimate, Verdict
from bench.analysis.scaling.replicates import Replicates, row_status
from bench.analysis.statistics import intervals
from bench.plan import Configuration


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A row compared with the baseline; `missing` says why for whatever is None."""

    speedup: Estimate | None = None
    efficiency: Estimate | None = None
    verdict: Verdict | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()  # what the row itself has to say about it


def compare(repeats: Replicates, baseline: Replicates | None, *, margin: float, quick: bool) -> Comparison:
    """Speedup paired by round, efficiency per resource, and the verdict.

    `speedup = exp(mean over rounds of ln(rate / baseline's rate))`, the same for weak and strong scaling: both
    rates are samples per second of the whole group. `efficiency = speedup / (resources / baseline's resources)`.

    Args:
        repeats: the row, which gave a rate.
        baseline: what it is compared with; None when there is none.
        margin: the practical margin of the verdict.
        quick: too few rounds for verdicts, by the user's wish.
    """
    if repeats.invalid:
        verdict = Verdict(word=INVALID, reasons=repeats.invalid, detectable=None, rounds_needed=None)
        return _none("the row is INVALID", verdict)
    if (obstacle := _obstacle(baseline)) or baseline is None:
        return _none(obstacle, reasons=(f"no speedup: {obstacle}",))
    if repeats is baseline:
        one = Estimate(estimate=1.0, low=1.0, high=1.0, n=len(repeats.rates), method="1 by definition: the baseline")
        return Comparison(speedup=one, efficiency=one, missing={"verdict": "the baseline is not held against itself"})

    mine, base = repeats.rates_by_round(), baseline.rates_by_round()
    speedup = intervals.ratio_interval(mine, base)
    if speedup is None:
        obstacle = "no round has a number both here and for the baseline"
        return _none(obstacle, reasons=(f"no speedup: {obstacle}",))
    missing = {}
    share = resources(repeats.configuration, baseline.configuration)
    if isinstance(share, str):
        missing["efficiency"] = share
    if quick:
        missing["verdict"] = f"estimates only: a verdict needs {intervals.ROUNDS_FOR_A_VERDICT} rounds"
    return Comparison(
        speedup=speedup,
        efficiency=None if isinstance(share, str) else _over(speedup, share),
        verdict=None if quick else intervals.verdict(intervals.paired_logs(mine, base), margin),
        missing=missing,
    )


def resources(configuration: Configuration, baseline: Configuration) -> float | str:
    """How many times the baseline's resources a configuration uses, or why that is not a number.

    Cores where both have them set, else ranks (devices, for accelerators).
    """
    if configuration.device != baseline.device:
        return f"{configuration.device} against {baseline.device}: efficiency holds only within one kind of device"
    if configuration.cores_per_rank is not None and baseline.cores_per_rank is not None:
        return configuration.ranks * configuration.cores_per_rank / (baseline.ranks * baseline.cores_per_rank)
    if configuration.device == "cpu":
        return "cores per rank are not set, and ranks alone add no hardware"
    return configuration.ranks / baseline.ranks


def _obstacle(baseline: Replicates | None) -> str:
    """Why nothing can be compared with this baseline; empty when it can."""
    if baseline is None:
        return "there is no baseline row"
    if baseline.invalid:
        return f"the baseline is INVALID ({baseline.invalid[0]})"
    if not baseline.launches:
        status, reasons = row_status(baseline)
        return f"the baseline has no number ({'; '.join(reasons) or status})"
    return ""


def _none(why: str, verdict: Verdict | None = None, reasons: tuple[str, ...] = ()) -> Comparison:
    missing = dict.fromkeys(("speedup", "efficiency") if verdict else ("speedup", "efficiency", "verdict"), why)
    return Comparison(verdict=verdict, missing=missing, reasons=reasons)


def _over(speedup: Estimate, share: float) -> Estimate:
    return Estimate(
        estimate=speedup.estimate / share,
        low=None if speedup.low is None else speedup.low / share,
        high=None if speedup.high is None else speedup.high / share,
        n=speedup.n,
        method=f"speedup over {share:g} times the resources",
    )
