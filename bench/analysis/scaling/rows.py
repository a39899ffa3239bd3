"""One configuration as a row of the table: every quantity, or the reason why it is missing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.analysis.ended import why_null
from bench.analysis.learning import accuracy as learning
from bench.analysis.result import INVALID, EpochTime, Estimate, Row, Verdict
from bench.analysis.scaling.mfu import utilisation
from bench.analysis.scaling.replicates import Replicates, row_status
from bench.analysis.scaling.speedup import Comparison
from bench.analysis.statistics import intervals, steady
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
