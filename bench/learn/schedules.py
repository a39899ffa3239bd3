"""The learning rate of every step: torch's own schedulers, one after the other where a recipe has several.

SequentialLR makes all of them at once on one optimizer, where they share `initial_lr` and OneCycleLR leaves limits of
its own; phases with rates of their own need each made when its turn comes, which is what `Stages` does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
)

from bench.learn import WorkloadError
from bench.recipe import SCHEDULES, Recipe, Span

_KEPT = ("momentum", "betas")  # what OneCycleLR moves besides the rate


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One schedule: the step it begins with, the rate it begins at, and what makes it (None of a constant)."""

    first: int
    rate: float
    make: Callable[[Optimizer], LRScheduler | None]

    def begin(self, optimizer: Optimizer) -> LRScheduler | None:
        """Put the optimizer to this stage's beginning."""
        fresh = {name: optimizer.defaults[name] for name in _KEPT if name in optimizer.defaults}
        for group in optimizer.param_groups:
            group.update(fresh, lr=self.rate, initial_lr=self.rate)
        return self.make(optimizer)


class Stages:
    """Several stages as one scheduler: `step`, `state_dict` and `load_state_dict` as torch's."""

    def __init__(self, optimizer: Optimizer, stages: Sequence[Stage]) -> None:
        self.optimizer, self.stages = optimizer, stages
        self.steps = 0  # made so far
        self.number = 0  # of the stage
        self.inner = stages[0].begin(optimizer)

    def step(self) -> None:
        """To be called after every optimizer step."""
        self.steps += 1
        following = self.number + 1
        if following < len(self.stages) and self.steps == self.stages[following].first:
            self.number = following
            self.inner = self.stages[following].begin(self.optimizer)
        elif self.inner is not None:
            self.inner.step()

    def state_dict(self) -> dict[str, Any]:
        """Plain types alone: where it stands, and the state of the stage it is in."""
        inner = None if self.inner is None else self.inner.state_dict()
        return {"steps": self.steps, "number": self.number, "inner": inner}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; before or after the optimizer's own state is loaded."""
        self.steps, self.number = state["steps"], state["number"]
        groups = self.optimizer.param_groups
        loaded = [{name: value for name, value in group.items() if name != "params"} for group in groups]
        self.inner = self.stages[self.number].begin(self.optimizer)
        if self.inner is not None:
            self.inner.load_state_dict(state["inner"])
        for group, own in zip(groups, loaded, strict=True):
            group.update(own)


def scheduler(
    optimizer: Optimizer, recipe: Recipe, steps_total: int, steps_per_epoch: float
) -> LRScheduler | Stages | None:
    """To be stepped after every optimizer step; None for a constant learning rate, which should cost nothing.

    Args:
        optimizer: at the start of the run.
        recipe: with its rule for the batch applied, see `Recipe.at_batch`.
        steps_total: optimizer steps of the run.
        steps_per_epoch: to turn the recipe's epochs into steps.

    Raises:
        WorkloadError: an unknown schedule.
    """
    stages = list(_stages(recipe, steps_total, steps_per_epoch))
    return Stages(optimizer, stages) if len(stages) > 1 else stages[0].begin(optimizer)


def _stages(recipe: Recipe, steps_total: int, steps_per_epoch: float) -> Iterator[Stage]:
    """The warm-up if there is one, and each span of the run; what would begin after the run is left out."""
    for number, span in enumerate(recipe.spans(steps_total / steps_per_epoch)):
        first, end = round(span.first * steps_per_epoch), round(span.end * steps_per_epoch)
        if number == 0 and recipe.warmup_epochs:
            warm = max(1, round(recipe.warmup_epochs * steps_per_epoch))
            yield Stage(first=0, rate=span.learning_rate, make=partial(_rising, recipe=recipe, span=span, steps=warm))
            first = warm
        if first < end:
            make = partial(_scheduled, recipe=recipe, span=span, first=first, end=end, steps_per_epoch=steps_per_epoch)
            yield Stage(first=first, rate=span.learning_rate, make=make)


def _rising(optimizer: Optimizer, *, recipe: Recipe, span: Span, steps: int) -> LRScheduler:
    """Linear; not LinearLR, which refuses to begin at zero."""
    rate, least = span.learning_rate, recipe.warmup_rate
    return LambdaLR(optimizer, lambda step: (least + (rate - least) * min(step / steps, 1)) / rate)


def _scheduled(
    optimizer: Optimizer, *, recipe: Recipe, span: Span, first: int, end: int, steps_per_epoch: float
) -> LRScheduler | None:
    match span.schedule:
        case "constant":
            return None
        case "multistep" | "step":
            epochs = recipe.milestones if span.schedule == "multistep" else _every(recipe.every_epochs, span)
            steps = [round(each * steps_per_epoch) for each in epochs]
            return MultiStepLR(optimizer, [each - first for each in steps if first < each < end], recipe.gamma)
        case "cosine":
            return CosineAnnealingLR(optimizer, T_max=end - first, eta_min=span.minimum_rate)
        case "restarts":
            cycle = max(1, round(span.restart_epochs * steps_per_epoch))
            return CosineAnnealingWarmRestarts(optimizer, cycle, recipe.restart_factor, span.minimum_rate)
        case "onecycle":
            return OneCycleLR(
                optimizer,
                max_lr=span.learning_rate,
                total_steps=end - first,
                pct_start=recipe.rising_share,
                # As torch does unless told otherwise: 0.95 while the rate is low, 0.85 while it is high.
                cycle_momentum=recipe.optimizer != "sgd" or recipe.momentum > 0,
            )
    raise WorkloadError(f"There is no schedule {span.schedule!r}.", f"There are: {', '.join(SCHEDULES)}.")


def _every(epochs: float, span: Span) -> Iterator[float]:
    """Counted from where the span begins."""
    count = 1
    while span.first + count * epochs < span.end:
        yield span.first + count * epochs
        count += 1
