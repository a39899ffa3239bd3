"""Any model by its name, and an error a person can act on when it cannot be had."""

import sys
from types import SimpleNamespace
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.func import functional_call

from bench.learn import MISSING, WorkloadError, catalogue, models
from bench.learn.models import build, trial
from bench.learn.models.trial import check_forward

CIFAR = (3, 32, 32)


def test_an_unknown_name_is_refused_with_suggestions():
    with pytest.raises(WorkloadError, match="Did you mean resnet50"):
        build("resnt50", CIFAR, 10)


def test_an_unknown_option_is_refused_with_what_looks_like_it():
    with pytest.raises(WorkloadError, match=r"no option 'drop_out'\. Did you mean dropout"):
        build("wrn-16-4", CIFAR, 10, {"drop_out": 0.3})
    with pytest.raises(WorkloadError, match=r"no option 'dropout'\. It takes: none"):
        build("lenet-small", CIFAR, 10, {"dropout": 0.3})


def test_an_option_of_the_wrong_kind_is_refused():
    with pytest.raises(WorkloadError, match="wrn-16-4 cannot be built: TypeError"):
        build("wrn-16-4", CIFAR, 10, {"dropout": "some"})


def test_the_same_seed_builds_the_same_weights():
    made = []
    for _ in range(2):
        torch.manual_seed(11)
        made.append(build("lenet-small", CIFAR, 10).state_dict())
    assert all(torch.equal(made[0][key], made[1][key]) for key in made[0])


@pytest.fixture
def torchvision(monkeypatch):
    """A stand-in for the one function that is used: importing the real one takes seconds."""
    stand_in = SimpleNamespace(seen=[], model=None)

    def get_model(name, **arguments):
        stand_in.seen.append((name, arguments))
        return stand_in.model or nn.Sequential(nn.Flatten(), nn.Linear(3072, arguments["num_classes"]))

    monkeypatch.setitem(sys.modules, "torchvision.models", SimpleNamespace(get_model=get_model))
    return stand_in


def test_torchvisions_models_are_untrained_and_tried_before_they_are_used(torchvision):
    model = build("alexnet", CIFAR, 7, {"dropout": 0.1})
    assert model(torch.rand(2, *CIFAR)).shape == (2, 7)
    assert torchvision.seen == [("alexnet", {"weights": None, "num_classes": 7, "dropout": 0.1})]
    with pytest.raises(WorkloadError, match="alexnet cannot take an image of 3x8x8"):
        build("alexnet", (3, 8, 8), 7)


def test_a_library_model_is_tried_without_arithmetic_and_refused_only_with_it(torchvision):
    class Counting(nn.Linear):
        seen: ClassVar = []

        def forward(self, x):
            self.seen.append(x.device.type)
            return super().forward(x.flatten(1)) * (1 + x.sum().item())

    torchvision.model = Counting(3072, 10)
    assert build("alexnet", CIFAR, 10) is torchvision.model
    assert Counting.seen == ["meta", "cpu"]


@pytest.mark.slow
def test_a_torchvision_model_is_built_for_the_datas_classes_and_says_when_the_shape_is_wrong():
    assert build("squeezenet1_1", (3, 64, 64), 7)(torch.rand(1, 3, 64, 64)).shape == (1, 7)
    with pytest.raises(WorkloadError) as caught:
        build("vit_b_16", CIFAR, 10)
    assert caught.value.message.startswith(
        "vit_b_16 cannot take an image of 3x32x32: AssertionError: Wrong image height!"
    )
    assert "--input-shape" in caught.value.hint
    with pytest.raises(WorkloadError, match="alexnet cannot be built: TypeError"):
        build("alexnet", (3, 224, 224), 10, {"depth": 3})


PICTURES = torch.rand(2, *CIFAR)


@pytest.mark.slow
def test_every_torchvision_model_returns_one_tensor_of_logits_in_training_too(monkeypatch):
    from torchvision.models import get_model

    for slow in ("kaiming_normal_", "normal_", "trunc_normal_"):  # shapes do not depend on the weights
        monkeypatch.setattr(nn.init, slow, lambda tensor, *args, **kwargs: tensor)
    huge = {"vit_h_14", "vit_l_16", "vit_l_32", "regnet_y_128gf"}  # same code as their siblings, gigabytes of weights
    names = {each.name for each in catalogue.models() if each.origin == "torchvision"} - huge
    assert len(names) > 70
    for name in sorted(names):
        model = get_model(name, weights=None, num_classes=10, **models._TORCHVISION_OPTIONS.get(name, {}))
        side = 299 if name == "inception_v3" else 224
        images = torch.zeros(2, 3, side, side, device="meta")
        check_forward(name, model.eval(), images, 10)
        assert functional_call(model.train(), trial._weightless(model), (images,)).shape == (2, 10), name


@pytest.mark.parametrize(
    ("model", "part"),
    [
        (nn.Flatten(), "returns [2, 3072] for 2 images of 3x32x32; the data has 10 classes"),
        (nn.Linear(5, 10), "cannot take 2 images of 3x32x32: RuntimeError: "),
        (nn.LSTM(32, 10), "cannot take 2 images of 3x32x32"),
    ],
)
def test_a_model_that_does_not_fit_the_data_is_told_so_before_training(model, part):
    with pytest.raises(WorkloadError) as caught:
        check_forward("own.py:make", model, PICTURES, 10)
    assert part in caught.value.message
    assert model.training


def test_a_model_that_returns_no_tensor_is_told_so():
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    with pytest.raises(WorkloadError, match="returns a tuple"):
        check_forward("own.py:make", Pair(), PICTURES, 10)


def test_checking_a_model_leaves_the_random_numbers_and_running_statistics_alone():
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(), nn.Flatten(), nn.Linear(3072, 10))
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    check_forward("own.py:make", model, PICTURES, 10)
    assert torch.equal(torch.rand(3), expected)
    assert model[0].num_batches_tracked == 0


@pytest.fixture
def timm(monkeypatch):
    """A stand-in with timm's three functions: the real one is an extra."""
    seen = {}

    def create_model(name, **arguments):
        seen.update(name=name, **arguments)
        return nn.Sequential(nn.Flatten(), nn.Linear(3072, arguments["num_classes"]))

    stand_in = SimpleNamespace(
        is_model=lambda name: name == "convnext_atto", list_models=lambda: ["convnext_atto"], create_model=create_model
    )
    monkeypatch.setitem(sys.modules, "timm", stand_in)
    monkeypatch.setattr(catalogue, "find_spec", lambda name: True)
    return seen


def test_timms_models_are_untrained_and_fit_the_data(timm):
    assert build("timm:convnext_atto", CIFAR, 7, {"drop_rate": 0.1})(torch.rand(2, *CIFAR)).shape == (2, 7)
    assert timm == {"name": "convnext_atto", "pretrained": False, "num_classes": 7, "in_chans": 3, "drop_rate": 0.1}


def test_a_name_that_timm_does_not_know_gets_a_suggestion(timm):
    with pytest.raises(WorkloadError, match=r"timm has no model 'convnext_ato'\. Did you mean convnext_atto"):
        build("timm:convnext_ato", CIFAR, 7)


def test_a_timm_that_cannot_be_imported_is_a_missing_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.setattr(catalogue, "find_spec", lambda name: True)
    with pytest.raises(WorkloadError) as caught:
        build("timm:convnext_atto", CIFAR, 7)
    assert caught.value.exit_code == MISSING
