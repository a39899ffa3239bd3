"""Residual networks (He et al., 2016, arXiv:1512.03385), layer for layer and name for name those of torchvision.

Written out here because importing torchvision takes longer than importing torch; the tests hold the two side by side:
one seed gives both the same weights and the same outputs. As in torchvision the stride of a bottleneck sits in its
3x3 convolution ("ResNet v1.5").
"""

from torch import Tensor, nn

from bench.learn import WorkloadError
from bench.learn.naming import named

_CIFAR_STEM_UP_TO = 64  # pixels: the ImageNet stem and its pooling would shrink a 32x32 image to 8x8 before any block


class _Basic(nn.Module):
    expansion = 1

    def __init__(self, channels: int, width: int, stride: int, downsample: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        activated: Tensor = self.relu(out)
        return activated


class _Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, channels: int, width: int, stride: int, downsample: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        activated: Tensor = self.relu(out)
        return activated


class _ResNet(nn.Module):
    """A stem, four stages of blocks (width doubling, side halving), the mean over the picture, a linear layer."""

    def __init__(
        self,
        block: type[_Basic | _Bottleneck],
        depths: tuple[int, ...],
        channels: int,
        classes: int,
        *,
        small: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        side, stride, padding = (3, 1, 1) if small else (7, 2, 3)
        self.conv1 = nn.Conv2d(channels, 64, side, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(block, 64, 64, depths[0], stride=1)
        self.layer2 = _stage(block, 64 * block.expansion, 128, depths[1], stride=2)
        self.layer3 = _stage(block, 128 * block.expansion, 256, depths[2], stride=2)
        self.layer4 = _stage(block, 256 * block.expansion, 512, depths[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()  # neither has a weight, nor draws one
        self.fc = nn.Linear(512 * block.expansion, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(self.dropout(self.avgpool(x).flatten(1)))
        return logits


def _stage(block: type[_Basic | _Bottleneck], channels: int, width: int, depth: int, stride: int) -> nn.Sequential:
    """`depth` blocks, of which the first changes the shape."""
    out = width * block.expansion
    downsample = None
    if stride != 1 or channels != out:
        downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
    rest = [(out, 1, None)] * (depth - 1)
    return nn.Sequential(*(block(c, width, s, d) for c, s, d in [(channels, stride, downsample), *rest]))


_LAYOUTS: dict[str, tuple[type[_Basic | _Bottleneck], tuple[int, ...]]] = {
    "resnet18": (_Basic, (2, 2, 2, 2)),
    "resnet34": (_Basic, (3, 4, 6, 3)),
    "resnet50": (_Bottleneck, (3, 4, 6, 3)),
    "resnet101": (_Bottleneck, (3, 4, 23, 3)),
    "resnet152": (_Bottleneck, (3, 8, 36, 3)),
}


@named("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
def resnet(name: str, input_shape: tuple[int, int, int], classes: int, dropout: float = 0.0) -> nn.Module:
    """Up to 64 pixels with the CIFAR stem (3x3, stride 1, no pooling), above with ImageNet's (7x7, stride 2, pooling).

    11,173,962 parameters for resnet18 and 23,520,842 for resnet50 at 3x32x32 and 10 classes. Dropout acts before the
    last layer, and only where it is asked for.

    Raises:
        WorkloadError: `dropout` is not a share from 0 up to, not including, 1.
    """
    if not 0 <= dropout < 1:
        raise WorkloadError(f"{name}: dropout is {dropout}.", "It is the share dropped: at least 0 and below 1.")
    channels, height, width = input_shape
    block, depths = _LAYOUTS[name]
    small = max(height, width) <= _CIFAR_STEM_UP_TO
    return _ResNet(block, depths, channels, classes, small=small, dropout=dropout)
