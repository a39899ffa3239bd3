"""A scaling law in words."""

from bench.analysis.result import Law
from reports.text import fmt

_MEANS = {
    "sigma": "the share of the work that is not divided",
    "kappa": "what the exchange between each pair costs",
}


def sentence(law: Law) -> str:
    """What describes which rows, how well its parameters are known, and what does not follow from it."""
    found = ", ".join(f"{name} {fmt.with_interval(each)} ({_MEANS[name]})" for name, each in law.parameters.items())
    n = next(iter(law.parameters.values())).n
    most = fmt.number(law.resources[-1], 0 if law.resources[-1] == int(law.resources[-1]) else 1)
    return (
        f"{law.name[:1].upper()}{law.name[1:]} describes {whose(law)} up to {most} times the baseline's resources: "
        f"{found}, from a fit in each of {fmt.count(n, 'round')}. A description of what was measured, no forecast."
    )


def whose(law: Law) -> str:
    """E.g. `ddp on cpu with 1 core a rank`."""
    cores = "" if law.cores_per_rank is None else f" with {fmt.count(law.cores_per_rank, 'core')} a rank"
    return f"{law.strategy} on {law.device}{cores}"
