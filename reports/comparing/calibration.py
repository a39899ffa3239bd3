"""A calibration in the terminal: the machine's own spread, false alarms, and what it can distinguish."""

from rich.console import Console

from bench.analysis.comparing.nouns import Calibration, FalseAlarms
from reports.text import fmt
from reports.text.console import paragraph, show_blocks


def show(found: Calibration, console: Console, *, store: str) -> None:
    """Print a calibration."""
    facts = {
        "Row": f"{found.configuration}, {fmt.count(found.launches, 'launch')} against themselves",
        "Spread": f"launch to launch {fmt.percent_with_interval(found.cv)}; "
        f"within pairs {fmt.percent_with_interval(found.within_pairs)}",
        "Drift": f"second half over first {fmt.with_interval(found.drift)}",
        "Alarms": _alarms(found),
        "Can tell": "; ".join(
            f"{fmt.percent(ratio - 1)} from {count} a side{' (too few for a verdict)' * (count < 5)}"
            for count, ratio in sorted(found.detectable.items())
        ),
        "Verdict": sentence(found),
        "Saved": f"{fmt.clean(store)}, study {found.study_id}: bench compare uses it from now on",
    }
    show_blocks(
        [[line for name, fact in facts.items() for line in paragraph(f"{name:<9}", fact, console, "bold")]],
        console,
    )


def sentence(found: Calibration) -> str:
    """What the counts allow to be said."""
    counted = found.disjoint
    within = fmt.percent(found.margin, 0)
    if not counted.comparisons:
        return f"Too few launches to try a verdict: {2 * found.launches_per_side} make one comparison."
    if counted.low is not None and counted.low > 0.05:
        return "The verdicts raise more false alarms here than 1 in 20: do not trust them on this machine as it is."
    text = f"With a margin of {within}, {_of(counted)} of equal launches raised a false alarm"
    if counted.high is not None and counted.high > 0.1:
        return f"{text}; too few to know the rate: more with --rounds."
    return f"{text}."


def _alarms(found: Calibration) -> str:
    side = found.launches_per_side
    if not found.disjoint.comparisons:
        return f"not tried: {2 * side} launches make one comparison"
    text = f"{_of(found.disjoint)} of {side} + {side} launches that share none"
    if found.disjoint.low is not None and found.disjoint.high is not None:
        text += f" [{fmt.percent(found.disjoint.low)},{fmt.NARROW}{fmt.percent(found.disjoint.high)}]"
    if found.halves.comparisons:
        text += f"; {_of(found.halves)} of random halves, which share launches"
    return text


def _of(counted: FalseAlarms) -> str:
    return f"{counted.alarms} of {fmt.count(counted.comparisons, 'comparison')}"
