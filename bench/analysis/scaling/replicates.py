"""The launches of one configuration: gathered, cut alike, and judged by the rules of validity."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.learning.accuracy import Divergence
from bench.analysis.statistics import steady
from bench.analysis.statistics.steady import Steps, Window
from bench.analysis.validity import circumstances, rules
from bench.analysis.validity.rules import Finding
from bench.plan import Configuration
from bench.store import schema
from bench.store.schema import Launch

_RANKS_LOOK = 3  # the first method version in which a rank sees to it that its window is steady


@dataclass(frozen=True, kw_only=True)
class Replicates:
    """All launches of one configuration: those that gave a rate, and those that did not."""

    configuration: Configuration
    launches: tuple[Launch, ...]  # that gave a rate, in order of rounds
    windows: tuple[Window, ...]  # of each of them
    failed: tuple[Launch, ...]
    untimed: int  # ended well but left no timed step
    missing: int  # planned and not run
    cut: int  # steps cut from every launch
    findings: tuple[Finding, ...]

    @property
    def rates(self) -> tuple[float, ...]:
        """Samples per second of each launch, in order of rounds."""
        return tuple(window.rate.throughput_sps for window in self.windows)

    @property
    def total(self) -> int:
        """Launches that there are or should be."""
        return len(self.launches) + len(self.failed) + self.untimed + self.missing

    @property
    def invalid(self) -> tuple[str, ...]:
        """Why no ratio may be built on these launches; empty when it may."""
        return tuple(str(each) for each in self.findings if each.severity == rules.INVALID)

    def rates_by_round(self) -> dict[int, float]:
        """Samples per second of each round; a round that was run twice counts once, as the geometric mean."""
        logs = defaultdict(list)
        for launch, rate in zip(self.launches, self.rates, strict=True):
            logs[launch.round].append(math.log(rate))
        return {number: math.exp(np.mean(each)) for number, each in logs.items()}


def gather(
    configuration: Configuration,
    launches: Iterable[Launch],
    steps: Mapping[str, Steps],
    *,
    planned: int,
    fixed_work: bool,
    beside: Sequence[Finding] = (),
    diverged: Mapping[str, Divergence] | None = None,
) -> Replicates:
    """The launches of one configuration; failed ones are counted and never averaged in.

    Args:
        configuration: what they repeat.
        launches: all of them, however they ended.
        steps: by launch id; launches without timed steps may be absent.
        planned: how many there should be.
        fixed_work: every launch was told the same number of steps or epochs.
        beside: findings from outside the row that hold for it too.
        diverged: what the epochs of a launch say of its losses, by its id.
    """
    begun = [each for each in launches if each.status != schema.NOT_RUN]
    begun.sort(key=lambda launch: (launch.round, launch.position))
    ended = [each for each in begun if each.status in schema.ENDED]
    cut = steady.equal_cut(
        [steps[each.launch_id] for each in ended if each.launch_id in steps],
        by_mser=any(each.method_version < _RANKS_LOOK for each in ended),
    )
    windows = [_window(steps.get(each.launch_id), cut) for each in ended]
    timed = [(launch, window) for launch, window in zip(ended, windows, strict=True) if window is not None]
    of_launches = [
        each
        for launch, window in zip(ended, windows, strict=True)
        for each in rules.launch_findings(launch, window, (diverged or {}).get(launch.launch_id))
    ]
    of_launches += [
        each for launch in ended for each in (*circumstances.code_marks(launch), *circumstances.limit_marks(launch))
    ]
    together = rules.row_findings(ended, [window for _, window in timed], fixed_work=fixed_work)
    return Replicates(
        configuration=configuration,
        launches=tuple(launch for launch, _ in timed),
        windows=tuple(window for _, window in timed),
        failed=tuple(each for each in begun if each.status not in schema.ENDED),
        untimed=len(ended) - len(timed),
        missing=max(0, planned - len(begun)),
        cut=cut,
        findings=(*rules.gathered(of_launches, len(ended)), *together, *(beside if ended else ())),
    )


def row_status(repeats: Replicates) -> tuple[str, tuple[str, ...]]:
    """Status of the row, and the reasons for it.

    Findings and failed launches make a row suspect; one without any number has the status of most of its failures.
    """
    reasons = [str(each) for each in repeats.findings]
    failures = Counter(launch.status for launch in repeats.failed).most_common()
    for status, count in failures:
        said = sorted({launch.reason for launch in repeats.failed if launch.status == status and launch.reason})
        reasons.append(": ".join([f"{count} of {repeats.total} launches ended as {status}", *said[:1]]))
    status = schema.SUSPECT if reasons else schema.OK
    if not repeats.launches and failures:
        status = failures[0][0]
    elif repeats.missing == repeats.total:
        status = schema.NOT_RUN
    if repeats.missing:
        reasons.append(f"{repeats.missing} of {repeats.total} launches not run: --resume runs them")
    return status, tuple(reasons)


def _window(steps: Steps | None, cut: int) -> Window | None:
    try:
        return steady.window(steps, cut) if steps is not None else None
    except ValueError:  # no number can be made of these steps; validity says so
        return None
