"""May this number be believed? One rule each, with its effect and what to do about it.

A `SUSPECT` finding leaves the number with a mark. An `INVALID` one forbids every ratio of the row. Launches are never
dropped for what they measured: one invalid launch makes its row invalid, so that no selection can flatter a result.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bench.analysis.learning.accuracy import Divergence
from bench.analysis.statistics.steady import SLOWING, Window
from bench.analysis.validity import same_work
from bench.store import schema
from bench.store.schema import Launch

WARNING, SUSPECT, INVALID = "warning", "suspect", "invalid"

CLOSURE = 0.001  # the step intervals must add up to the synchronised wall clock
GRADIENT = 0.01  # relative; TF32 rounds to a tenth of it, a wrong divisor is off by a third at least
CLOCK_SHARE = 0.002  # of a step spent in our own calls
STEPS_AT_LEAST = 10
STEPS_ENOUGH, SECONDS_ENOUGH = 30, 3.0
UNSTEADY, MISSED = "no steady state", "the step times miss the wall clock"  # what a machine does, not its work

_GRADIENT_FIXES = {
    "rank": "alone too, a rank computes another than rank 0; look for branches in the model that depend on the rank",
    "wrapper": "alone all ranks compute the same, and DDP makes another of it; look for hooks, and at --ddp",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong, how much it matters, and what to do."""

    severity: str  # WARNING, SUSPECT or INVALID
    text: str
    fix: str

    def __str__(self) -> str:
        return f"{self.text}: {self.fix}"


def invalid(text: str, fix: str) -> Finding:
    return Finding(severity=INVALID, text=text, fix=fix)


def suspect(text: str, fix: str) -> Finding:
    return Finding(severity=SUSPECT, text=text, fix=fix)


def warning(text: str, fix: str) -> Finding:
    return Finding(severity=WARNING, text=text, fix=fix)


def launch_findings(launch: Launch, window: Window | None, divergence: Divergence | None = None) -> Iterator[Finding]:
    """What casts doubt on one launch that ended well.

    Args:
        launch: its row.
        window: its kept steps; None when it left no timed one.
        divergence: what its epochs say of its losses; None: nothing, or there are none.
    """
    yield from _loss_was_a_number(launch, divergence)
    yield from _work_was_done(launch)
    yield from _plan_was_met(launch)
    yield from _code_was_one(launch)
    yield from _clock_was_right(launch, window)
    if launch.status == schema.SUSPECT:
        yield suspect(launch.reason or "marked suspect", "see the launch's log")


def _loss_was_a_number(launch: Launch, divergence: Divergence | None) -> Iterator[Finding]:
    losses = _known(launch.loss_first, launch.loss_last)
    in_training = divergence is not None and divergence.in_training
    if in_training or launch.loss_finite is False or not all(map(math.isfinite, losses)):
        yield invalid(
            str(divergence) if in_training else "the loss became NaN or infinite",
            "lower the learning rate or use a wider precision; speed on broken numbers is not speed",
        )
    elif divergence is not None:
        yield suspect(str(divergence), "training's loss stayed finite; look at running statistics and averaged weights")


def _work_was_done(launch: Launch) -> Iterator[Finding]:
    if launch.loss_finite is None or launch.weights_moved is None:
        yield suspect("nothing proves that it trained (loss and weights)", "measure again with this version")
    if launch.weights_moved is False:
        yield invalid(
            "the weights did not change", "check that the model's parameters are trainable and reach the loss"
        )
    if launch.weights_equal is False:
        yield invalid(
            "the ranks ended with different weights",
            "gradients were not synchronised, or something beside the optimizer changes weights (noise, clipping)",
        )
    if launch.gradient_error is not None and launch.gradient_error > GRADIENT:
        yield invalid(
            "the ranks' averaged gradient is not what one device computes from the same samples",
            _GRADIENT_FIXES.get(launch.gradient_cause or "", "speed on another sum is not speed"),
        )


def _plan_was_met(launch: Launch) -> Iterator[Finding]:
    processes = launch.ranks if launch.strategy == "ddp" else 1
    if launch.world_size not in (None, processes):
        yield invalid(
            "another number of workers joined than was planned",
            "check for leftover workers and launcher settings in the environment",
        )
    shared = launch.distinct_devices is not None and launch.distinct_devices < launch.ranks
    if (
        shared and launch.device != "cpu"
    ):  # ranks that share cores are an oversubscribed plan, which is said of the study
        yield invalid("several ranks shared one device", "ask for no more ranks than there are devices")


def _code_was_one(launch: Launch) -> Iterator[Finding]:
    if names := same_work.unequal_ranks(launch):
        yield invalid(
            f"the ranks loaded {same_work.named(names)} with different contents",
            "edit nothing while a launch starts, and have the same files on every host",
        )


def _clock_was_right(launch: Launch, window: Window | None) -> Iterator[Finding]:
    went_on = launch.resumed_epoch is not None  # what is left may be short, and is a training all the same
    if window is None and (launch.anatomy or went_on):
        return  # no throughput was promised, and none is told
    if window is None:
        yield invalid("no timed step was kept", "train for longer: --steps or --seconds")
        return
    if launch.closure_error is None:
        yield suspect("the step times were not held against the wall clock", "measure again with this version")
    seconds = window.rate.wall_ns / 1e9
    if (
        launch.clock_ns_per_step is not None
        and launch.clock_ns_per_step * window.steps > CLOCK_SHARE * window.rate.wall_ns
    ):
        yield suspect(
            f"measuring took more than {CLOCK_SHARE:.1%} of a step",
            "steps are too short to time one by one; use a larger batch or model",
        )
    if window.steps < STEPS_AT_LEAST:
        yield Finding(
            severity=SUSPECT if went_on else INVALID,
            text=f"fewer than {STEPS_AT_LEAST} steps were kept",
            fix="train for longer: --steps or --seconds",
        )
    elif window.steps < STEPS_ENOUGH and seconds < SECONDS_ENOUGH:
        yield suspect(
            f"fewer than {STEPS_ENOUGH} steps and {SECONDS_ENOUGH:g} s were kept",
            "train for longer: --steps or --seconds",
        )


def row_findings(launches: Sequence[Launch], windows: Sequence[Window], *, fixed_work: bool) -> Iterator[Finding]:
    """What casts doubt on the launches of one row together.

    Args:
        launches: those of the row that ended well.
        windows: their kept windows; may be fewer.
        fixed_work: every launch was told the same number of steps or epochs (and not of seconds).
    """
    if not _same(launch.params for launch in launches):
        yield invalid("launches trained models of different size", "repeat the study whole")
    if not _same(_samples_per_step(launch) for launch in launches) or (
        fixed_work and not _same(launch.window_samples for launch in launches if launch.resumed_epoch is None)
    ):
        yield invalid("launches trained on different numbers of samples", "repeat the study whole")
    yield from _closed(launches)
    yield from _steady(windows)


def _closed(launches: Sequence[Launch]) -> Iterator[Finding]:
    """Whether the step times fill the wall clock.

    A row's rate may be off by the mean of what its launches miss, so that mean decides: a launch that misses by little
    among many that do not leaves a number with a mark, and its own rate is kept.
    """
    errors = [launch.closure_error for launch in launches if launch.closure_error is not None]
    missed = [error for error in errors if not error <= CLOSURE]  # NaN too
    if not missed:
        return
    by = f" (by up to {max(missed):.1%})" if all(map(math.isfinite, missed)) else ""
    where = "" if len(missed) == len(launches) else f"in {len(missed)} of {len(launches)} launches "
    others = "other programs took the core at the ends of the window: close them, or --seconds for a longer one"
    slept = "the machine slept, or its time was being set (timedatectl): measure again once neither is so"
    yield Finding(
        severity=SUSPECT if sum(errors) / len(errors) <= CLOSURE else INVALID,
        text=f"{where}{MISSED} by more than {CLOSURE:.1%}{by}",
        fix=slept if launches[0].device == "cpu" else f"{slept}; or {others}",
    )


def _steady(windows: Sequence[Window]) -> Iterator[Finding]:
    """No steady state when most launches drift the same way.

    A launch without drift is accused once in 20, more often beside other work (`steady.tail_drift`). So one that stands
    alone is marked, and not condemned: no second launch can say whether it was chance.
    """
    for drift, count in Counter(window.drift for window in windows if window.drift is not None).items():
        if 2 * count > len(windows):
            what = "get slower" if drift == SLOWING else "still get faster"
            fix = "cool down or close other programs, then repeat" if drift == SLOWING else "raise --warmup"
            if len(windows) == 1:
                text, fix = f"the steps of the one launch {what}, which may be chance", f"{fix}; --rounds 3 tells"
                yield suspect(text, fix)
                continue
            yield invalid(f"{UNSTEADY}: in {count} of {len(windows)} launches the steps {what}", fix)


def study_findings(launches: Sequence[Launch], variables: Sequence[str] = ()) -> Iterator[Finding]:
    """What forbids holding any row of the study against another; `variables` were not the same in all launches."""
    if not _same(launch.method_version for launch in launches):
        yield invalid(
            "launches were measured by different methods (method_version)",
            "numbers may have changed between them; repeat the study with one version",
        )
    yield from _code_stayed(launches)
    for change in same_work.data_changes(launches):
        yield invalid(f"the data changed {change}", "leave the data alone, and repeat")
    for change in variables:
        yield invalid(f"a variable changed in the study ({change})", "repeat it in one shell")
    for name, ids in (("machine", [each.hw_id for each in launches]), ("software", [each.sw_id for each in launches])):
        if not _same(ids):
            yield invalid(
                f"the {name} changed within the study", "hold two studies against each other with bench compare instead"
            )


def _code_stayed(launches: Sequence[Launch]) -> Iterator[Finding]:
    if changes := list(same_work.changes(launches)):
        yield invalid(
            f"file {same_work.named(changes)}, so the launches did not run one and the same code",
            "repeat the study whole, and edit a copy while it runs",
        )


def against_baseline(launches: Sequence[Launch], baseline: Sequence[Launch]) -> Iterator[Finding]:
    """What forbids comparing this row with the baseline."""
    if not _same(launch.params for launch in (*launches, *baseline)):
        yield invalid("the model has another size than the baseline's", "repeat the study whole")


def gathered(findings: Sequence[Finding], launches: int) -> list[Finding]:
    """Equal findings of several launches as one that says how many of them."""
    return [
        each
        if count == launches
        else Finding(severity=each.severity, text=f"in {count} of {launches} launches {each.text}", fix=each.fix)
        for each, count in Counter(findings).items()
    ]


def _samples_per_step(launch: Launch) -> float | None:
    if launch.window_samples is None or not launch.window_steps:
        return None
    return launch.window_samples / launch.window_steps


def _known(*values: float | None) -> list[float]:
    return [value for value in values if value is not None]


def _same(values: Iterable[object]) -> bool:
    """Whether all known values are equal; what is not known contradicts nothing."""
    return len({value for value in values if value is not None}) <= 1
