"""What may be wrong with a training: nouns, and the one finding that leaves no room for others. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.learning.accuracy import Divergence
from bench.plan import Workload
from bench.store.schema import Epoch

_NARROW = {"fp16": "65 504", "bf16": "3.4e38"}


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One thing that usually costs accuracy, as this run did it."""

    name: str
    seen: str  # what the record says
    low: float | None  # its usual cost in points of top-1; None: all that was to be learned
    high: float | None
    source: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was looked for in one row, and what of it was found."""

    configuration: str
    top1: float | None
    causes: tuple[Cause, ...]  # the costliest first
    sound: tuple[str, ...]  # names of the causes that this run does not have


def of_divergence(broken: Mapping[str, Divergence], epochs: Sequence[Epoch], workload: Workload) -> Iterator[Cause]:
    """A loss that is no number any more: the rate first, then what the numbers were kept in.

    Args:
        broken: the launches that diverged, one at least.
        epochs: of all launches of the row.
        workload: what they trained.
    """
    precision = workload.precision
    launches = len({each.launch_id for each in epochs})
    several = f" in {len(broken)} of {launches} launches" if launches > 1 else ""
    seen = "; ".join(dict.fromkeys(map(str, sorted(broken.values(), key=lambda each: each.epoch))))
    rates = [each.learning_rate for each in epochs]
    highest = f"{max(rates):g}"
    if all(not each.in_training for each in broken.values()):
        yield Cause(
            name="diverged",
            seen=f"{seen}{several}, while training's loss stayed finite",
            low=None,
            high=None,
            source="this run",
            fix="look at running statistics and at averaged weights ([recipe] ema_decay)",
        )
        return
    yield Cause(
        name="learning rate",
        seen=f"{seen}{several}, at a learning rate of up to {highest}",
        low=None,
        high=None,
        source="this run: from there on nothing was learned, and its accuracy is that of broken weights",
        fix="a tenth of that rate, [recipe] warmup_epochs or clip_norm; then look for NaN in the data itself",
    )
    if precision in _NARROW:
        yield Cause(
            name="precision",
            seen=f"{precision} holds numbers up to {_NARROW[precision]} only, or with few digits",
            low=None,
            high=None,
            source="docs.pytorch.org/docs/stable/notes/amp_examples.html",
            fix=f"--precision fp32 tells whether that is it{'; bf16 has the range of fp32' * (precision == 'fp16')}",
        )
