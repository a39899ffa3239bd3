"""What a rank measures of an epoch, a class and a layer: the parts that the store's rows carry, and that ranks leave.

Each field is a column of the store (`bench.store.schema`), with the words that describe it there. No torch, no parquet.
"""

from dataclasses import dataclass, field
from typing import Any


def column(doc: str, **default: Any) -> Any:
    """A dataclass field whose documentation travels into the parquet file's metadata."""
    return field(metadata={"doc": doc}, **default)


@dataclass(frozen=True, kw_only=True)
class MeasuredEpoch:
    """One trained epoch, all ranks together."""

    epoch: int = column("epoch, from 0")
    train_s: float = column("wall time of the epoch's training steps, slowest rank")
    evaluate_s: float = column("wall time of its evaluation, slowest rank")
    samples: int = column("samples trained on, all ranks")
    learning_rate: float = column("learning rate of the epoch's last step")
    train_loss: float = column("mean training loss over the epoch's samples")
    train_top1: float = column("share right at training time, augmentation included")
    validation_loss: float = column("mean loss over the validation set")
    top1: float = column("share of the validation set right")
    top5: float | None = column(
        "share with the label among the first five; null with fewer than six classes", default=None
    )
    validation_samples: int = column("validation samples counted")


@dataclass(frozen=True, kw_only=True)
class MeasuredClass:
    """One class of the validation set after one epoch."""

    label: int = column("class index")
    name: str = column("class name")
    support: int = column("validation samples of this class")
    precision: float | None = column("right among those called so; null when none was", default=None)
    recall: float | None = column("right among those that are; null when there is none", default=None)
    f1: float | None = column("2 TP / (2 TP + FP + FN); null when there is none of this class", default=None)
    confusion: tuple[int, ...] = column("how often this class was called class 0, 1, 2, …")


@dataclass(frozen=True, kw_only=True)
class MeasuredLayer:
    """One layer of the model at one step."""

    epoch: int = column("epoch, from 0")
    step: int = column("optimizer step of the launch, from 0")
    layer: str = column("the module's name within the model")
    position: int = column("its place in the order in which data comes to the layers, from 0")
    kind: str = column("conv, linear, norm, pool or other")
    params: int = column("trainable parameters of its own; the same at every step")
    macs: int = column("multiply-accumulates of one sample's forward pass, biases included; the same at every step")
    gradient_norm: float | None = column("L2 norm of the gradient that the optimizer got", default=None)
    gradient_zeros: float | None = column("share of the gradient's elements that are exactly zero", default=None)
    weight_norm: float | None = column("L2 norm of the weights before the step", default=None)
    update_norm: float | None = column("L2 norm of what the step changed in them", default=None)
