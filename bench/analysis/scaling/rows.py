"""One configuration as a row of the table: every quantity and its ratio to the baseline, or why it is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.analysis.ended import why_null
from bench.analysis.learning import accuracy as learning
from bench.analysis.result import INVALID, EpochTime, Estimate, Row, Verdict
from bench.analysis.scaling.replicates import Replicates, row_status
from bench.analysis.statistics import intervals, steady, verdicts
from bench.plan import Configuration
from bench.store.schema import Epoch, Launch

_QUANTITIES = (
    "throughput",
    "speedup",
    "efficiency",
    "verdict",
    "step_ms",
    "epoch_s",
    "data_wait",
    "communication",
    "peak_memory_bytes",
    "accuracy",
    "mfu",
)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A row compared with the baseline; `missing` says why for whatever is None."""

    speedup: Estimate | None = None
    efficiency: Estimate | None = None
    verdict: Verdict | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()  # what the row itself has to say about it


@dataclass(frozen=True, kw_only=True)
class Utilisation:
    """A share of the peak, or why there is none: exactly one of both is set."""

    value: float | None
    reason: str | None


def measured(
    repeats: Replicates,
    comparison: Comparison,
    epochs: Sequence[Epoch],
    peaks: Mapping[str, Any] | None,
    *,
    is_baseline: bool,
    target: float | None = None,
) -> Row:
    """The row of launches that gave a rate.

    Args:
        repeats: the launches.
        comparison: how they stand against the baseline.
        epochs: the trained epochs of all launches of the study.
        peaks: published peaks of chips (`profiles.hardware_peaks`); None when there are none.
        is_baseline: everything else is compared with this row.
        target: top-1 that the profile wants reached.
    """
    launches, windows = repeats.launches, repeats.windows
    status, reasons = row_status(repeats)
    ids = {launch.launch_id for launch in launches}
    mine = [epoch for epoch in epochs if epoch.launch_id in ids]
    throughput = intervals.rate_interval(repeats.rates)
    epoch_s = _epoch_time(launches, throughput, mine)
    accuracy = learning.accuracy(launches, mine)
    memory = max((each.peak_memory_bytes for each in launches if each.peak_memory_bytes is not None), default=None)
    missing = dict(comparison.missing)
    if epoch_s is None:
        missing["epoch_s"] = why_null(launches, "epoch_samples") or "the size of an epoch is not known"
    if accuracy is None:
        missing["accuracy"] = "nothing was evaluated: --epochs trains whole epochs and evaluates each"
    if memory is None:
        missing["peak_memory_bytes"] = why_null(launches, "peak_memory_bytes") or "not measured"
    communication = _communication(repeats)
    if communication is None:
        missing["communication"] = "no gradients were exchanged between processes"
    mfu, missing_mfu = _mfu(repeats, throughput, peaks)
    if missing_mfu is not None:
        missing["mfu"] = missing_mfu
    return Row(
        configuration=repeats.configuration,
        is_baseline=is_baseline,
        status=status,
        reasons=reasons + comparison.reasons,
        launches=len(launches),
        launches_failed=len(repeats.failed),
        rates=repeats.rates,
        throughput=throughput,
        speedup=comparison.speedup,
        efficiency=comparison.efficiency,
        verdict=comparison.verdict,
        step_ms=steady.step_time(windows),
        epoch_s=epoch_s,
        data_wait=float(np.mean([window.data_wait for window in windows])),
        communication=communication,
        peak_memory_bytes=memory,
        accuracy=accuracy,
        mfu=mfu,
        cut_steps=repeats.cut,
        reasons_null=missing,
        times_to=tuple(filter(None, [learning.time_to(target, mine)])) if target is not None else (),
    )


def without_a_number(
    configuration: Configuration,
    status: str,
    reasons: tuple[str, ...],
    *,
    is_baseline: bool,
    failed: int = 0,
    invalid: tuple[str, ...] = (),
    untimed: Sequence[Launch] = (),
    epochs: Sequence[Epoch] = (),
) -> Row:
    """The row of a configuration that cannot run, was not run, failed in every launch, or was not timed.

    What was learned in a launch that ended well and was not timed is told all the same.
    """
    ids = {launch.launch_id for launch in untimed}
    accuracy = learning.accuracy(untimed, [epoch for epoch in epochs if epoch.launch_id in ids])
    why = "; ".join(reasons) or next((each.why_untimed for each in untimed if each.why_untimed), status)
    return Row(
        configuration=configuration,
        is_baseline=is_baseline,
        status=status,
        reasons=reasons,
        launches=len(untimed),
        launches_failed=failed,
        verdict=Verdict(word=INVALID, reasons=invalid, detectable=None, rounds_needed=None) if invalid else None,
        accuracy=accuracy,
        reasons_null={
            each: why
            for each in _QUANTITIES
            if not (each == "verdict" and invalid) and not (each == "accuracy" and accuracy is not None)
        },
    )


def utilisation(
    *,
    rate_sps: float,
    flop_per_sample: float | None,
    device_names: Sequence[str],
    devices: int,
    precision: str,
    peaks: Mapping[str, Any] | None,
) -> Utilisation:
    """`MFU = samples/s x FLOP/sample / sum over devices of the chip's dense peak` (Chowdhery et al., PaLM, 2022).

    A multiplication and an addition are two operations. Device names are matched whole: a chip that the table does not
    know has no peak, not its neighbour's. More than 100 % of a peak means a wrong count, so it is refused.

    Args:
        rate_sps: samples per second over all devices.
        flop_per_sample: forward and backward; None when it was not counted.
        device_names: as the devices call themselves: one for each device, or one for all.
        devices: how many work together.
        precision: fp32, tf32, bf16 or fp16.
        peaks: the parsed table of `profiles/hardware/peaks.toml`; None when there is none.
    """
    if flop_per_sample is None:
        return _no_mfu("the operations per sample were not counted")
    names = list(device_names)
    if len(names) != devices:
        if len(set(names)) != 1:
            return _no_mfu("not every device gave its name")
        names = names[:1] * devices
    peak = 0.0
    for name in names:
        chip = next((chip for chip in (peaks or {}).get("chip", ()) if name in chip["match"]), None)
        if chip is None:
            return _no_mfu(f"no published peak for {name!r}")
        if precision not in chip["dense_flops"]:
            return _no_mfu(f"no published {precision} peak for {name!r}")
        peak += chip["dense_flops"][precision]
    value = rate_sps * flop_per_sample / peak
    if value > 1:
        return _no_mfu(f"{value:.0%} of the published peak is impossible; the count of operations or the peak is wrong")
    return Utilisation(value=value, reason=None)


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
        return _no_ratio("the row is INVALID", verdict)
    if (obstacle := _obstacle(baseline)) or baseline is None:
        return _no_ratio(obstacle, reasons=(f"no speedup: {obstacle}",))
    if repeats is baseline:
        one = Estimate(estimate=1.0, low=1.0, high=1.0, n=len(repeats.rates), method="1 by definition: the baseline")
        return Comparison(speedup=one, efficiency=one, missing={"verdict": "the baseline is not held against itself"})

    mine, base = repeats.rates_by_round(), baseline.rates_by_round()
    speedup = intervals.ratio_interval(mine, base)
    if speedup is None:
        obstacle = "no round has a number both here and for the baseline"
        return _no_ratio(obstacle, reasons=(f"no speedup: {obstacle}",))
    missing = {}
    share = resources(repeats.configuration, baseline.configuration)
    if isinstance(share, str):
        missing["efficiency"] = share
    if quick:
        missing["verdict"] = f"estimates only: a verdict needs {verdicts.ROUNDS_FOR_A_VERDICT} rounds"
    return Comparison(
        speedup=speedup,
        efficiency=None if isinstance(share, str) else _over(speedup, share),
        verdict=None if quick else verdicts.verdict(intervals.paired_logs(mine, base), margin),
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


def _epoch_time(launches: Sequence[Launch], throughput: Estimate, epochs: Sequence[Epoch]) -> EpochTime | None:
    """Mean over every timed epoch of the row, the first included (users pay for it too); else projected."""
    if epochs:
        return EpochTime(estimate=float(np.mean([epoch.train_s for epoch in epochs])), projected=False)
    samples = next((launch.epoch_samples for launch in launches if launch.epoch_samples is not None), None)
    return None if samples is None else EpochTime(estimate=samples / throughput.estimate, projected=True)


def _communication(repeats: Replicates) -> float | None:
    """Share of a step that is neither compute nor hidden behind it: 1 - step without synchronisation / step with it.

    Both are medians on the slowest rank, of one launch; the mean over the launches. Noise below nothing is nothing.
    None where no gradients are exchanged.
    """
    shares = [
        1 - launch.compute_step_ns / float(np.median(window.step_ns))
        for launch, window in zip(repeats.launches, repeats.windows, strict=False)
        if launch.compute_step_ns is not None
    ]
    return max(0.0, float(np.mean(shares))) if shares else None


def _mfu(repeats: Replicates, throughput: Estimate, peaks: Mapping[str, Any] | None) -> tuple[float | None, str | None]:
    if repeats.invalid:
        return None, "the row is INVALID"
    first = repeats.launches[0]
    if first.flop_per_sample is None and (why := why_null(repeats.launches, "flop_per_sample")):
        return None, why
    used = utilisation(
        rate_sps=throughput.estimate,
        flop_per_sample=first.flop_per_sample,
        device_names=first.device_names,
        devices=first.ranks,
        precision=first.precision,
        peaks=peaks,
    )
    return used.value, used.reason


def _no_mfu(reason: str) -> Utilisation:
    return Utilisation(value=None, reason=reason)


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


def _no_ratio(why: str, verdict: Verdict | None = None, reasons: tuple[str, ...] = ()) -> Comparison:
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
