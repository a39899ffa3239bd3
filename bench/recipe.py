"""How the weights are trained: the noun, and what it comes to at a batch, a length and an epoch. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

OPTIMIZERS = ("sgd", "adamw")
DECAYS = ("all", "weights")  # weights: neither biases nor the scales and shifts of norms
SCHEDULES = ("constant", "multistep", "step", "cosine", "restarts", "onecycle")
BATCH_RULES = ("none", "linear", "sqrt")
IN_EPOCHS = ("milestones", "every_epochs", "restart_epochs", "warmup_epochs", "batch_warmup_epochs", "phases")


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What changes at an epoch; None: it stays as it is."""

    from_epoch: int  # counted from 0
    dropout: float | None = None
    augment: tuple[str, ...] | None = None
    mixup: float | None = None
    cutmix: float | None = None
    label_smoothing: float | None = None
    learning_rate: float | None = None
    schedule: str | None = None
    restart_epochs: float | None = None
    minimum_rate: float | None = None

    def then(self, later: "Phase") -> "Phase":
        """Both, one after the other."""
        return replace(self, **{name: value for name, value in vars(later).items() if value is not None})

    @property
    def schedules(self) -> bool:
        """Whether it says anything of the learning rate."""
        of_rate = (self.learning_rate, self.schedule, self.restart_epochs, self.minimum_rate)
        return any(each is not None for each in of_rate)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of the run with one schedule: `first` and `end` in epochs, `end` not included."""

    first: float
    end: float
    learning_rate: float
    schedule: str
    restart_epochs: float
    minimum_rate: float


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the weights are trained. Lengths are in epochs, and may be fractions of one; rates are per step."""

    optimizer: str = "sgd"  # one of OPTIMIZERS
    learning_rate: float = 0.05
    momentum: float = 0.9  # of sgd
    nesterov: bool = False
    betas: tuple[float, float] = (0.9, 0.999)  # of adamw
    weight_decay: float = 0.0
    decay: str = "all"  # one of DECAYS
    schedule: str = "constant"  # one of SCHEDULES
    milestones: tuple[float, ...] = ()  # multistep
    gamma: float = 0.1  # multistep, step
    every_epochs: float = 30.0  # step
    restart_epochs: float = 25.0  # restarts: length of the first cycle
    restart_factor: int = 1  # restarts: each cycle is so many times as long as the one before
    minimum_rate: float = 0.0  # cosine, restarts
    warmup_epochs: float = 0.0  # linear, from warmup_rate to learning_rate
    warmup_rate: float = 0.0
    rising_share: float = 0.3  # onecycle, whose maximum is learning_rate
    label_smoothing: float = 0.0
    mixup: float = 0.0  # parameter of the Beta distribution; 0: off
    cutmix: float = 0.0
    clip_norm: float = 0.0  # of all gradients together; 0: off
    ema_decay: float = 0.0  # 0: off
    patience: int = 0  # epochs without a better validation top-1 before the run stops; 0: never
    batch_rule: str = "none"  # one of BATCH_RULES
    batch_reference: int | None = None  # global batch that learning_rate was chosen for
    batch_warmup_epochs: float = 0.0
    phases: tuple[Phase, ...] = ()  # ascending in from_epoch

    @property
    def unread(self) -> frozenset[str]:
        """The fields that this recipe never comes to read: of another optimizer, schedule or rule, or of no warm-up."""
        schedules = {self.schedule, *(each.schedule for each in self.phases)}
        reads = {
            "milestones": "multistep" in schedules,
            "gamma": bool(schedules & {"multistep", "step"}),
            "every_epochs": "step" in schedules,
            "restart_epochs": "restarts" in schedules,
            "restart_factor": "restarts" in schedules,
            "minimum_rate": bool(schedules & {"cosine", "restarts"}),
            "rising_share": "onecycle" in schedules,
            "warmup_rate": bool(self.warmup_epochs),
            "momentum": self.optimizer == "sgd",
            "nesterov": self.optimizer == "sgd",
            "betas": self.optimizer == "adamw",
            "batch_reference": self.batch_rule != "none",
            "batch_warmup_epochs": self.batch_rule != "none",
        }
        return frozenset(name for name, read in reads.items() if not read)

    @property
    def mixes(self) -> bool:
        """Whether samples are mixed at any time."""
        own = self.mixup or self.cutmix
        return bool(own or any(each.mixup or each.cutmix for each in self.phases))

    def rate_factor(self, batch_global: int) -> float:
        """What the learning rate is multiplied by at a global batch: its ratio to the reference, or the root of it.

        Linear: Goyal et al., 2017, arXiv:1706.02677. Square root: Krizhevsky, 2014, arXiv:1404.5997.
        """
        if self.batch_rule == "none" or self.batch_reference is None:
            return 1.0
        ratio = batch_global / self.batch_reference
        return ratio if self.batch_rule == "linear" else math.sqrt(ratio)

    def at_batch(self, batch_global: int) -> "Recipe":
        """The recipe with its rule applied: every rate times the factor.

        A warm-up of the batch goes from the rate without the rule to the one with it. Where there is a warm-up anyway,
        that one is kept and made as long as the longer of both. A smaller rate needs none.
        """
        factor = self.rate_factor(batch_global)
        warmup_epochs, warmup_rate = self.warmup_epochs, self.warmup_rate * factor
        if factor > 1 and self.batch_warmup_epochs:
            warmup_epochs = max(self.warmup_epochs, self.batch_warmup_epochs)
            warmup_rate = warmup_rate if self.warmup_epochs else self.learning_rate
        return replace(
            self,
            learning_rate=self.learning_rate * factor,
            minimum_rate=self.minimum_rate * factor,
            warmup_epochs=warmup_epochs,
            warmup_rate=warmup_rate,
            batch_rule="none",
            batch_warmup_epochs=0.0,
            phases=tuple(
                replace(
                    each,
                    learning_rate=None if each.learning_rate is None else each.learning_rate * factor,
                    minimum_rate=None if each.minimum_rate is None else each.minimum_rate * factor,
                )
                for each in self.phases
            ),
        )

    def scaled(self, share: float) -> "Recipe":
        """The recipe for a run of `share` times the epochs: everything that is counted in epochs, but for `patience`.

        A phase begins with a whole epoch, the nearest one.
        """
        return replace(
            self,
            milestones=tuple(each * share for each in self.milestones),
            every_epochs=self.every_epochs * share,
            restart_epochs=self.restart_epochs * share,
            warmup_epochs=self.warmup_epochs * share,
            batch_warmup_epochs=self.batch_warmup_epochs * share,
            phases=tuple(
                replace(
                    each,
                    from_epoch=round(each.from_epoch * share),
                    restart_epochs=None if each.restart_epochs is None else each.restart_epochs * share,
                )
                for each in self.phases
            ),
        )

    def phase_at(self, epoch: int) -> Phase:
        """All that the phases have changed by an epoch."""
        now = Phase(from_epoch=0)
        for each in self.phases:
            if each.from_epoch <= epoch:
                now = now.then(each)
        return now

    def spans(self, epochs: float) -> Iterator[Span]:
        """The stretches of a run of so many epochs, in order. A phase that says nothing of the rate begins none."""
        starts = sorted({0} | {each.from_epoch for each in self.phases if each.schedules and each.from_epoch < epochs})
        for first, end in zip(starts, [*starts[1:], epochs], strict=True):
            now = self.phase_at(first)
            yield Span(
                first=first,
                end=end,
                learning_rate=_either(now.learning_rate, self.learning_rate),
                schedule=_either(now.schedule, self.schedule),
                restart_epochs=_either(now.restart_epochs, self.restart_epochs),
                minimum_rate=_either(now.minimum_rate, self.minimum_rate),
            )


def _either(said: Any, own: Any) -> Any:
    return own if said is None else said
