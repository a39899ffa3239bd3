"""Wide residual networks (Zagoruyko and Komodakis, 2016, arXiv:1605.07146): `wrn-DEPTH-WIDTH`.

Pre-activation blocks: batch norm and ReLU come before each convolution. As in the authors' code, a block that changes
the shape projects its already activated input; one that does not adds its input untouched.
"""

from torch import Tensor, nn
from torch.nn import functional

from bench.learn import WorkloadError
from bench.learn.naming import named


class _Block(nn.Module):
    """Two 3x3 convolutions with dropout between them, and the shortcut around both."""

    def __init__(self, channels: int, width: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.project = None
        if stride != 1 or channels != width:
            self.project = nn.Conv2d(channels, width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        active = functional.relu(self.bn1(x), inplace=True)
        out = functional.relu(self.bn2(self.conv1(active)), inplace=True)
        total: Tensor = self.conv2(self.dropout(out))
        total += x if self.project is None else self.project(active)
        return total


class _WideResNet(nn.Module):
    def __init__(self, depth: int, factor: int, channels: int, classes: int, dropout: float) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        self.conv = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.group1 = _group(blocks, 16, 16 * factor, 1, dropout)
        self.group2 = _group(blocks, 16 * factor, 32 * factor, 2, dropout)
        self.group3 = _group(blocks, 32 * factor, 64 * factor, 2, dropout)
        self.bn = nn.BatchNorm2d(64 * factor)
        self.fc = nn.Linear(64 * factor, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.group3(self.group2(self.group1(self.conv(x))))
        x = functional.relu(self.bn(x), inplace=True)
        logits: Tensor = self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))
        return logits


def _group(blocks: int, channels: int, width: int, stride: int, dropout: float) -> nn.Sequential:
    first = _Block(channels, width, stride, dropout)
    return nn.Sequential(first, *(_Block(width, width, 1, dropout) for _ in range(blocks - 1)))


@named("wrn-16-4", "wrn-16-8", "wrn-22-8", "wrn-28-10", "wrn-40-2", "wrn-40-4")
def wideresnet(name: str, input_shape: tuple[int, int, int], classes: int, dropout: float = 0.0) -> nn.Module:
    """36,536,884 parameters for wrn-28-10 at 3x32x32 and 100 classes.

    Raises:
        WorkloadError: `dropout` is not a share from 0 up to, not including, 1.
    """
    if not 0 <= dropout < 1:
        raise WorkloadError(f"{name}: dropout is {dropout}.", "It is the share dropped: at least 0 and below 1.")
    depth, factor = map(int, name.split("-")[1:])
    return _WideResNet(depth, factor, input_shape[0], classes, dropout)
