"""What the five experiments print of their networks: parameters and operations, counted on shapes without numbers."""

import pytest
import torch
from torch import nn

from bench.learn.models import build

CIFAR = (3, 32, 32)


@pytest.fixture(autouse=True)
def _on_shapes():
    """Weights without memory: a network of 58 million takes milliseconds."""
    with torch.device("meta"):
        yield


def parameters(model):
    return sum(each.numel() for each in model.parameters())


@pytest.mark.parametrize(
    ("name", "shape", "classes", "options", "count"),
    [
        ("resnet50", CIFAR, 10, {}, 23_520_842),  # S1
        ("lenet-small", CIFAR, 10, {}, 62_006),  # S2
        ("lenet-large", CIFAR, 10, {}, 1_982_602),  # S2: "about 1.98 M"
        ("resnet18", CIFAR, 10, {}, 11_173_962),  # S2, S4
        ("resnet152", (3, 224, 224), 11, {}, 58_166_347),  # S3: torchvision's 60,192,808 with 11 classes for 1,000
        ("wrn-28-10", CIFAR, 100, {"dropout": 0.3}, 36_536_884),  # S5: "36.5 M"
        ("resnet18", CIFAR, 100, {}, 11_220_132),
        ("resnet34", CIFAR, 100, {"dropout": 0.3}, 21_328_292),
    ],
)
def test_the_networks_of_the_experiments_have_their_published_sizes(name, shape, classes, options, count):
    assert parameters(build(name, shape, classes, options)) == count


def test_a_resnet18_takes_the_42_6_mebibytes_of_the_fourth_report():
    assert round(4 * parameters(build("resnet18", CIFAR, 10)) / 2**20, 1) == 42.6


def operations(model, shape):
    """By kind of layer: multiply-accumulates of convolutions and linears, numbers that norms and pools give out."""
    found = {}

    def count(module, _, output):
        name = type(module).__name__
        if isinstance(module, nn.Conv2d):
            each = module.in_channels * module.kernel_size[0] * module.kernel_size[1] * output.numel()
        elif isinstance(module, nn.Linear):
            each = module.in_features * output.numel() + module.bias.numel()
        else:
            each = output.numel()
        found.setdefault(name, []).append(each)

    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d | nn.AdaptiveAvgPool2d):
            module.register_forward_hook(count)
    model.eval()(torch.zeros(1, *shape))
    return found


def test_the_556_652_554_of_the_fourth_report_are_multiply_accumulates_with_two_for_each_normed_and_pooled_number():
    found = operations(build("resnet18", CIFAR, 10), CIFAR)
    convolutions = sum(found["Conv2d"])
    assert convolutions == 555_417_600
    norms, pools = 2 * sum(found["BatchNorm2d"]), 2 * sum(found["AdaptiveAvgPool2d"])
    assert (norms, pools) == (1_228_800, 1_024)
    assert convolutions + sum(found["Linear"]) + norms + pools == 556_652_554


def test_thirteen_convolutions_of_the_fourth_report_lead_with_37_748_736_each():
    found = operations(build("resnet18", CIFAR, 10), CIFAR)["Conv2d"]
    assert max(found) == 37_748_736
    assert found.count(37_748_736) == 13


def test_torch_counts_the_same_multiply_accumulates_in_what_has_weights():
    from torch.utils.flop_counter import FlopCounterMode

    model = build("resnet18", CIFAR, 10).eval()
    counter = FlopCounterMode(display=False)
    with counter:
        model(torch.zeros(1, *CIFAR))
    assert counter.get_total_flops() == 2 * (555_417_600 + 5_120)  # two operations each; no bias, norm or pool
