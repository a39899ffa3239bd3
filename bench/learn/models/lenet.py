"""Two LeNet-style networks: small enough that starting a step costs as much as its arithmetic."""

from torch import nn

from bench.learn import WorkloadError
from bench.learn.naming import named

_CHANNELS_AND_WIDTHS = {
    "lenet-small": (6, 16, 120, 84),  # 62,006 parameters at 3x32x32 and 10 classes
    "lenet-large": (64, 128, 512, 256),  # 1,982,602
}


@named("lenet-small", "lenet-large")
def lenet(name: str, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Two 5x5 convolutions, each with ReLU and 2x2 max-pooling, then three linear layers (after LeCun et al., 1998).

    Raises:
        WorkloadError: images under 16 pixels, of which nothing would be left.
    """
    channels, height, width = input_shape
    first, second, wide, narrow = _CHANNELS_AND_WIDTHS[name]
    if min(height, width) < 16:
        raise WorkloadError(f"{name} needs images of at least 16x16, not {height}x{width}.", "Set --input-shape.")
    return nn.Sequential(
        nn.Conv2d(channels, first, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(first, second, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(second * _left(height) * _left(width), wide),
        nn.ReLU(),
        nn.Linear(wide, narrow),
        nn.ReLU(),
        nn.Linear(narrow, classes),
    )


def _left(side: int) -> int:
    """Pixels along a side after both convolutions and poolings."""
    return ((side - 4) // 2 - 4) // 2
