"""Model FLOP utilisation: achieved over peak floating point operations per second. Known chips only, never a guess."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Utilisation:
    """A share of the peak, or why there is none: exactly one of both is set."""

    value: float | None
    reason: str | None


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
        return _none("the operations per sample were not counted")
    names = list(device_names)
    if len(names) != devices:
        if len(set(names)) != 1:
            return _none("not every device gave its name")
        names = names[:1] * devices
    peak = 0.0
    for name in names:
        chip = next((chip for chip in (peaks or {}).get("chip", ()) if name in chip["match"]), None)
        if chip is None:
            return _none(f"no published peak for {name!r}")
        if precision not in chip["dense_flops"]:
            return _none(f"no published {precision} peak for {name!r}")
        peak += chip["dense_flops"][precision]
    value = rate_sps * flop_per_sample / peak
    if value > 1:
        return _none(f"{value:.0%} of the published peak is impossible; the count of operations or the peak is wrong")
    return Utilisation(value=value, reason=None)


def _none(reason: str) -> Utilisation:
    return Utilisation(value=None, reason=reason)
