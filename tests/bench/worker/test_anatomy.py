"""What layers cost, what is written down of them, and that looking changes nothing."""

import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.learn.models import build
from bench.plan import Checkpointing
from bench.worker import anatomy
from bench.worker import run as launch
from bench.worker.anatomy import layer_costs
from tests.bench.worker.tiny_training import EVERYTHING, ended, job_of, rank_of, stand_in, what_was_learned


def test_the_multiply_accumulates_of_resnet18_are_the_published_ones():
    model = build("resnet18", (3, 32, 32), 10)
    layers = layer_costs(model, torch.rand(2, 3, 32, 32))
    assert sum(each.macs for each in layers) == 556_652_554
    assert sum(each.params for each in layers) == 11_173_962
    by_kind = {
        kind: sum(each.macs for each in layers if each.kind == kind) for kind in ("conv", "linear", "norm", "pool")
    }
    assert by_kind == {"conv": 555_417_600, "linear": 5_130, "norm": 1_228_800, "pool": 1_024}
    leaders = sorted(layers, key=lambda each: each.macs, reverse=True)[:10]
    assert {(each.kind, each.macs) for each in leaders} == {("conv", 37_748_736)}


@pytest.mark.parametrize("name", ["lenet-small", "wrn-16-4"])
def test_matrix_products_are_counted_as_torch_counts_them(name):
    model, images = build(name, (3, 16, 16), 10).eval(), torch.rand(3, 3, 16, 16)
    with FlopCounterMode(display=False) as counter:
        model(images)
    layers = {each.name: each for each in layer_costs(model, images)}
    biases = 0
    hooks = [
        module.register_forward_hook(lambda module, _, output, name=name: outputs.update({name: output.numel() // 3}))
        for name, module in model.named_modules()
        if getattr(module, "bias", None) is not None and isinstance(module, nn.Conv2d | nn.Linear)
    ]
    outputs: dict[str, int] = {}
    model(images)
    biases = sum(outputs.values())
    for hook in hooks:
        hook.remove()
    products = sum(each.macs for each in layers.values() if each.kind in {"conv", "linear"}) - biases
    assert 2 * 3 * products == counter.get_total_flops()


def test_products_outside_of_layers_are_told_as_such_and_grouped_and_transposed_convolutions_are_right():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
            self.up = nn.ConvTranspose2d(4, 2, 2, stride=2, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            flat = self.up(self.depthwise(x)).flatten(2)
            return flat @ flat.transpose(1, 2)

    layers = {each.name: each.macs for each in layer_costs(Odd(), torch.rand(2, 4, 8, 8))}
    assert layers == {"depthwise": 4 * 64 * 9, "up": 4 * 64 * 2 * 4, "(outside of layers)": 2 * 2 * 256}


def test_counting_leaves_the_model_as_it_was():
    model = build("resnet18", (3, 16, 16), 10)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    layer_costs(model, torch.rand(2, 3, 16, 16))
    assert model.training
    assert all(torch.equal(each, before[name]) for name, each in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.fixture
def looked(tmp_path, monkeypatch):
    """The same training without and with an anatomy of every fourth step."""
    stand_in(monkeypatch.setattr)
    results = []
    for name, keep in (("plain", Checkpointing()), ("looked", Checkpointing(anatomy=4))):
        asked = job_of(1, EVERYTHING, keep=keep, pictures=str(tmp_path / "pictures") if keep.anatomy else None)
        launch.run(rank_of(tmp_path / name), asked)
        results.append(ended(tmp_path / name))
    return results


def test_looking_changes_nothing_of_what_is_learned_and_times_nothing(looked, tmp_path):
    plain, seen = looked
    assert what_was_learned(plain) == what_was_learned(seen)
    assert (seen.anatomy, seen.closure_error) == (True, None)
    assert plain.closure_error is not None
    assert [(each.step, each.epoch) for each in seen.layers if each.layer == "0"] == [
        (0, 0), (4, 0), (8, 1), (12, 2), (16, 2), (20, 3),
    ]  # fmt: skip
    for row in seen.layers:
        assert (row.gradient_norm is None) == (row.params == 0)
        if row.params:
            assert row.gradient_norm > 0
            assert row.update_norm > 0
    # AdamW's first step is of the length of the rate in every weight, decay and rounding aside.
    first = next(row for row in seen.layers if row.layer == "6")
    assert first.update_norm == pytest.approx(0.01 * first.params**0.5, rel=0.05)
    names = {file.name for file in (tmp_path / "pictures").iterdir()}
    assert names == {"0-before.png", "0-after.png"}
    with Image.open(tmp_path / "pictures" / "0-after.png") as picture:
        assert (picture.mode, picture.size) == ("L", (6 * 34 - 2, 32))


def test_gradients_are_those_that_the_optimizer_gets_without_the_scalers_factor():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    look = anatomy.Anatomy(model=model, every=1, pictures=None, image=torch.rand(1, 4))
    look.begin(optimizer)
    model(torch.ones(2, 4)).sum().backward()
    gradient = torch.cat([each.grad.flatten() for each in model.parameters()])
    optimizer.step()
    (row,) = look.end()
    assert row.gradient_norm == pytest.approx(float(gradient.norm()))
    assert row.update_norm == pytest.approx(0.5 * float(gradient.norm()), rel=1e-5)
    optimizer.step()
    assert len(look.results) == 1, "nobody looks any more"


def test_a_grid_shows_each_channel_from_its_least_to_its_greatest():
    channels = torch.stack(
        [torch.arange(4.0).view(2, 2), torch.full((2, 2), 7.0), torch.tensor([[0, 1], [0, math_nan]])]
    )
    sheet = anatomy.grid(channels)
    assert sheet.size == (3 * 34 - 2, 32)
    assert [sheet.getpixel(place) for place in ((0, 0), (31, 31), (33, 0), (40, 3))] == [0, 255, 128, 0]


math_nan = float("nan")


def test_the_stages_of_a_resnet_are_its_first_convolution_and_its_four_stages():
    model = build("resnet18", (3, 32, 32), 10)
    assert anatomy._stages(model) == ["conv1", "layer1", "layer2", "layer3", "layer4"]
    assert anatomy._stages(nn.Sequential(model)) == [
        f"0.{each}" for each in ("conv1", *map("layer{}".format, range(1, 5)))
    ]
    assert anatomy._stages(nn.Linear(2, 2)) == []


def test_the_model_itself_is_shown_nothing_for_a_count_or_a_picture(tmp_path):
    class Counting(nn.Sequential):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    model = Counting(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 6))
    looked = anatomy.Anatomy(model=model, every=1, pictures=tmp_path, image=torch.rand(1, 1, 8, 8))
    looked.begin(torch.optim.SGD(model.parameters(), lr=0.1))
    looked.end()
    assert len(looked.costs) == 3
    assert list(tmp_path.glob("*-before.png"))
    assert (model.calls, model[1].num_batches_tracked.item(), model.training) == (0, 0, True)
