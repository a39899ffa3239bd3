"""Parameter counts as published, and the same networks as torchvision's."""

import sys

import pytest
import torch

from bench.learn import WorkloadError
from bench.learn.models import build

CIFAR = (3, 32, 32)


def parameters(model):
    return sum(each.numel() for each in model.parameters())


@pytest.mark.parametrize(
    ("name", "classes", "count"),
    [
        ("lenet-small", 10, 62_006),
        ("lenet-large", 10, 1_982_602),
        ("resnet18", 10, 11_173_962),
        ("resnet50", 10, 23_520_842),
        ("wrn-16-4", 10, 2_748_890),
        ("wrn-28-10", 100, 36_536_884),
    ],
)
def test_parameter_counts_are_the_published_ones(name, classes, count):
    assert parameters(build(name, CIFAR, classes)) == count


@pytest.mark.parametrize("name", ["lenet-small", "lenet-large", "resnet18", "wrn-16-4", "known-answer"])
def test_a_batch_of_images_becomes_a_batch_of_logits_and_every_weight_gets_a_gradient(name):
    model = build(name, (3, 16, 16), 7, {"sleep_ms": 0} if name == "known-answer" else {})
    logits = model(torch.rand(2, 3, 16, 16))
    assert logits.shape == (2, 7)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in model.parameters())


def test_digits_fit_a_lenet_and_too_small_images_are_refused():
    assert build("lenet-small", (1, 32, 32), 10)(torch.rand(1, 1, 32, 32)).shape == (1, 10)
    assert build("lenet-small", (1, 16, 16), 10)(torch.rand(1, 1, 16, 16)).shape == (1, 10)
    with pytest.raises(WorkloadError, match="at least 16x16, not 15x16"):
        build("lenet-small", (1, 15, 16), 10)


@pytest.mark.parametrize(("side", "stride"), [(32, 1), (64, 1), (65, 2), (224, 2)])
def test_the_cifar_stem_goes_up_to_64_pixels(side, stride):
    model = build("resnet18", (3, side, side), 10)
    assert model.conv1.stride == (stride, stride)


def test_dropout_of_a_wide_resnet_acts_in_training_only_and_must_be_a_share():
    model = build("wrn-16-4", (3, 8, 8), 10, {"dropout": 0.5})
    images = torch.rand(2, 3, 8, 8)
    model.eval()
    assert torch.equal(model(images), model(images))
    model.train()
    assert not torch.equal(model(images), model(images))
    with pytest.raises(WorkloadError, match="dropout is 1"):
        build("wrn-16-4", CIFAR, 10, {"dropout": 1})


def test_our_own_models_do_not_import_torchvision(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)  # an import of it now fails
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(ImportError):
        build("squeezenet1_1", CIFAR, 10)
    for name in ("lenet-small", "resnet18", "wrn-16-4", "known-answer"):
        assert build(name, CIFAR, 10).training


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
def test_one_seed_gives_torchvisions_weights_and_outputs(name):
    from torchvision.models import get_model

    torch.manual_seed(3)
    ours = build(name, (3, 224, 224), 1000)
    torch.manual_seed(3)
    theirs = get_model(name, weights=None)
    mine, reference = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(reference)
    assert all(torch.equal(mine[key], reference[key]) for key in reference)
    images = torch.rand(2, 3, 224, 224)
    assert torch.equal(ours(images), theirs(images))
