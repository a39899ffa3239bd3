"""What a row learned, beyond the table: nouns only."""

from dataclasses import dataclass

from bench.analysis.result import Estimate


@dataclass(frozen=True, kw_only=True)
class EpochPoint:
    """One epoch of a row: means over its launches."""

    epoch: int  # epochs trained, from 1
    samples: float  # trained on so far, all ranks
    seconds: float  # of training so far, evaluation left out
    learning_rate: float
    train_loss: float
    train_top1: float
    validation_loss: float
    top1: float
    top5: float | None


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What one row learned. Launches that patience ended early count with the last epoch of their own."""

    configuration: str
    launches: int
    points: tuple[EpochPoint, ...]  # over the epochs that all of them trained
    train_s: float  # to the last epoch of each, evaluation left out; mean over launches
    final_top1: Estimate  # share of the validation set right after the last epoch, over launches
    best_top1: float  # of the best epoch of the mean curve
    best_epoch: int
    gap: Estimate | None  # final top-1 minus the baseline's, in shares, paired by round; None for the baseline


@dataclass(frozen=True, kw_only=True)
class ClassResult:
    """One class after the last epoch, all launches of the row pooled."""

    name: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, kw_only=True)
class Classes:
    """Every class of one row, and how often each was called which."""

    configuration: str
    epoch: int  # epochs trained, by the launch that trained most
    launches: int  # pooled
    classes: tuple[ClassResult, ...]
    confusion: tuple[tuple[int, ...], ...]  # row: what it is; column: what it was called
