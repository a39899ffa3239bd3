"""One hint for each cause: what a user's model is refused for, and what is said of the way out."""

import sys

import pytest
import torch
from torch import nn

from bench.learn import WorkloadError
from bench.learn.models import build
from bench.learn.models.causes import in_users_words, of_training, own_line
from bench.learn.models.trial import check_forward
from launchers.heartbeat import Heart

CIFAR = (3, 32, 32)


class Through(nn.Module):
    """A linear classifier whose pictures and logits go through functions."""

    def __init__(self, before=lambda x: x.flatten(1), after=lambda y: y) -> None:
        super().__init__()
        self.head, self.before, self.after = nn.Linear(3072, 10), before, after

    def forward(self, x):
        return self.after(self.head(self.before(x)))


def refusal_of(model, **options):
    with pytest.raises(WorkloadError) as caught:
        check_forward("own.py:make", model, torch.rand(2, *CIFAR), 10, **options)
    assert "\n" not in str(caught.value)
    return caught.value.message, caught.value.hint


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16, torch.complex64])
def test_weights_of_another_kind_are_told_from_pictures_of_another_shape(kind):
    _, hint = refusal_of(nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)).to(kind))
    assert hint.startswith(f"It has weights of {str(kind).removeprefix('torch.')}, and pictures are float32")


@pytest.mark.parametrize("layer", [nn.Embedding(9, 1), nn.EmbeddingBag(9, 1)])
def test_a_layer_for_token_ids_is_told_so(layer):
    assert "It wants token ids; bench trains image classifiers" in refusal_of(nn.Sequential(nn.Flatten(), layer))[1]


@pytest.mark.parametrize("number", [8, 32])
def test_a_batch_written_into_the_model_is_named(number):
    message, hint = refusal_of(Through(lambda x: x.view(number, 3072)))
    assert f"It takes {number} pictures at once and no other number" in hint
    assert "test_causes.py:" in message, "the user's own line"


@pytest.mark.parametrize("before", [lambda x: x.view(16, -1), lambda x: x.reshape(16, 3072)])
def test_a_model_for_one_number_of_pictures_is_trained_with_that_batch(before):
    check_forward("own.py:make", Through(before), torch.rand(16, *CIFAR), 10)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 10)), "1,32,32"),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), "1,28,28"),
        (nn.Sequential(nn.Conv2d(3, 2, 7, stride=4), nn.AvgPool2d(50), nn.Flatten(), nn.Linear(2, 10)), "3,224,224"),
    ],
)
def test_a_shape_is_named_only_when_the_model_takes_it(model, shape):
    assert refusal_of(model)[1] == f"Set --input-shape {shape}, which it takes."
    assert "--input-shape" not in refusal_of(model, shape_is_free=False)[1]


@pytest.mark.parametrize("first", [nn.Linear(3, 1), nn.LayerNorm(3)])
def test_channels_that_come_last_are_told_from_another_size(first):
    model = nn.Sequential(first, nn.Flatten(1, 2), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(1, 10))
    assert "x.permute(0, 2, 3, 1)" in refusal_of(model)[1]


@pytest.mark.parametrize("after", [lambda y: y.detach(), torch.no_grad()(lambda y: 2 * y)])
def test_an_output_without_a_gradient_is_told_so(after):
    with pytest.raises(RuntimeError) as caught:
        Through(after=after)(torch.rand(2, *CIFAR)).sum().backward()
    assert "Its output has no gradient".lower() in of_training(caught.value, nn.Identity()).lower()


def test_where_no_shape_helps_none_is_asked_for():
    assert "--input-shape" not in refusal_of(nn.Sequential(nn.Flatten(), nn.Linear(777, 10)))[1]


def returns_int(y):
    return y.argmax(1, keepdim=True).expand(-1, 10)


@pytest.mark.parametrize(
    ("after", "hint"),
    [
        (lambda y: {"logits": y}, "return model(x)['logits']"),
        (lambda y: {"out": y, "aux": y}, "return model(x)['out']"),
        (lambda y: (y, y), "return model(x)[0]"),
        (lambda y: type("Output", (), {"logits": y})(), "return model(x).logits"),
        (returns_int, "of floats, before any argmax"),
        (lambda y: y[:, :, None, None], "a pooling and x.flatten(1)"),
        (lambda y: y[:, :7], "or say --classes 7"),
    ],
)
def test_what_is_returned_instead_of_logits_is_told_with_how_to_get_them(after, hint):
    assert hint in refusal_of(Through(after=after))[1]


def test_a_forward_that_wants_more_than_pictures_is_told_so():
    class Masked(Through):
        def forward(self, x, mask):
            return super().forward(x) * mask

    assert "Its forward gets one thing" in refusal_of(Masked())[1]


def test_a_rank_that_is_asked_for_without_ranks_is_told_so():
    import torch.distributed as dist

    assert "is_initialized()" in refusal_of(Through(lambda x: x.flatten(1) + dist.get_rank()))[1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("before", [lambda x: x.cuda(), lambda x: x.to("cuda:0")])
def test_a_device_that_is_written_into_the_model_is_told_so(before):
    assert "Leave the device to bench" in refusal_of(Through(before))[1]


def test_a_head_for_training_only_is_seen_in_training_mode():
    class Auxiliary(Through):
        def forward(self, x):
            logits = super().forward(x)
            return (logits, logits) if self.training else logits

    message, _ = refusal_of(Auxiliary())
    assert "returns a tuple of 2 for 2 images of 3x32x32" in message


def test_a_parameter_that_the_loss_does_not_reach_is_named_with_the_setting():
    model = nn.ModuleDict({"used": nn.Linear(2, 2), "spare": nn.Linear(2, 2)})
    error = RuntimeError(
        "Expected to have finished reduction in the prior iteration before starting a new one.\n"
        "Parameter indices which did not receive grad for rank 0: 2 3\n"
    )
    reason = of_training(error, model)
    assert reason.startswith("the loss does not reach spare.weight, spare.bias, and DDP waits")
    assert "--ddp find_unused_parameters=true" in reason


def test_of_what_torch_explains_at_length_the_first_sentence_is_told_and_our_own_setting():
    causes = "This error is caused by one of the following reasons: 1) Use of _set_static_graph() as a workaround. " * 4
    error = RuntimeError(f"Expected to mark a variable ready only once. {causes}")
    said = "RuntimeError: Expected to mark a variable ready only once: a parameter is used twice"
    assert of_training(error, nn.Linear(1, 1)).startswith(said)
    assert "--ddp static_graph=true" in of_training(error, nn.Linear(1, 1))


def test_another_error_of_a_training_stays_as_it_is():
    assert of_training(ZeroDivisionError("division by zero"), nn.Linear(1, 1)) == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize("error", [OSError("No space left on device"), AssertionError("device type"), KeyError("x")])
def test_an_error_that_did_not_come_from_the_model_is_not_dressed_as_its_fault(error):
    def save():
        raise error

    with pytest.raises(type(error)), in_users_words(nn.Identity()):
        save()


def test_a_line_of_the_launchers_is_no_line_of_the_users(tmp_path):
    heart = Heart(tmp_path, 0)
    heart._map.close()
    with pytest.raises((TypeError, ValueError)) as caught:
        heart.beat(1)
    assert own_line(caught.value).startswith("test_causes.py:"), "and not heartbeat.py"


def refused(name):
    with pytest.raises(WorkloadError) as caught:
        build(name, CIFAR, 10)
    return caught.value


@pytest.fixture(autouse=True)
def own_imports(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("bench_user_", "users_", "own")):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("    raise SystemExit(2)", "own.py:3 raised SystemExit: 2", "as argparse does"),
        ("    import argparse; argparse.ArgumentParser().parse_args(['x'])", "SystemExit: 2", "as argparse does"),
        ("    raise EOFError('EOF when reading a line')", "raised EOFError", "a rank has no terminal"),
        ("    import users_nowhere", "raised ModuleNotFoundError", "-m pip install users_nowhere"),
        ("    import os; os.environ['USERS_WIDTH']", "KeyError: 'USERS_WIDTH'", "--env USERS_WIDTH=VALUE sets it"),
        ("    from os import environ; environ.pop('USERS_W')", "KeyError: 'USERS_W'", "--env USERS_W=VALUE sets it"),
        ("    {}['USERS_WIDTH']", "KeyError: 'USERS_WIDTH'", "must take no arguments"),
        ("    open('weights.pt')", "raised FileNotFoundError", "relative to __file__"),
        ("    return nn.Linear", "returned the class Linear", "Return the model itself"),
    ],
)
def test_a_callable_that_makes_no_model_is_told_the_way_out_of_its_kind(tmp_path, body, message, hint):
    (tmp_path / "own.py").write_text(f"from torch import nn\ndef make():\n{body}\n")
    error = refused(f"{tmp_path}/own.py:make")
    assert message in error.message
    assert hint in error.hint


def test_a_model_instead_of_a_callable_is_told_so(tmp_path):
    (tmp_path / "own.py").write_text("from torch import nn\nnet = nn.Linear(2, 2)\n")
    assert "own.py:net is a Linear, not a callable" in refused(f"{tmp_path}/own.py:net").message


@pytest.mark.parametrize("depth", [1, 2])
def test_a_relative_import_names_the_form_that_works(tmp_path, monkeypatch, depth):
    folder = tmp_path.joinpath(*("users_a", "users_b")[:depth])
    folder.mkdir(parents=True)
    (tmp_path / "users_a" / "layers.py").write_text(
        "from torch import nn\ndef head():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))\n"
    )
    (folder / "net.py").write_text(f"from {'.' * depth}layers import head\ndef make():\n    return head()\n")
    monkeypatch.chdir(tmp_path)
    hint = refused(str((folder / "net.py").relative_to(tmp_path)) + ":make").hint
    name = hint.rpartition("--model ")[2]
    assert name == ".".join([*folder.relative_to(tmp_path).parts, "net"]) + ":make"
    assert isinstance(build(name, CIFAR, 10), nn.Sequential), "it works"


TRAINS = """
import torch
from torch import nn
def main():
    net = nn.Linear(2, 2)
    optimizer = torch.optim.{optimizer}(net.parameters(), lr=0.1)
    while True:
        try:
            net(torch.rand(1, 2)).sum().backward()
            {step}
        except Exception:
            pass
"""


@pytest.mark.parametrize(
    ("optimizer", "step", "said"),
    [
        ("SGD", "optimizer.step()", "an optimizer makes a step"),
        ("AdamW", "optimizer.step()", "an optimizer makes a step"),
        ("SGD", "net.weight.data -= net.weight.grad", "gradients are computed"),
        ("SGD", "torch.autograd.grad(net(torch.rand(1, 2)).sum(), net.weight)", "gradients are computed"),
    ],
)
def test_a_callable_that_trains_is_refused_at_once_although_it_never_ends(tmp_path, optimizer, step, said):
    (tmp_path / "own.py").write_text(TRAINS.format(optimizer=optimizer, step=step))
    error = refused(f"{tmp_path}/own.py:main")
    assert said in error.message
    assert "bench trains the model itself" in error.hint


def test_a_file_that_trains_when_it_is_imported_is_told_where_training_belongs(tmp_path):
    (tmp_path / "own.py").write_text(TRAINS.format(optimizer="SGD", step="optimizer.step()") + "main()\n")
    assert "if __name__ == '__main__'" in refused(f"{tmp_path}/own.py:main").hint


@pytest.mark.parametrize("name", ["grad", "backward"])
def test_a_function_that_the_users_code_imported_while_it_was_watched_counts_no_more_after(tmp_path, name):
    made = "def make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))\n"
    (tmp_path / f"users_{name}.py").write_text(
        f"from torch import nn\nfrom torch.autograd import {name} as found\n{made}"
    )
    model = build(f"{tmp_path}/users_{name}.py:make", CIFAR, 10)
    found = sys.modules[f"users_{name}"].found
    for _ in range(20):
        loss = model(torch.rand(2, *CIFAR)).sum()
        found(loss, *([model[1].weight] if name == "grad" else []))
    assert (model[1].weight.grad is None) == (name == "grad")


def test_a_training_after_the_model_was_made_is_nobodys_business(tmp_path):
    (tmp_path / "own.py").write_text(
        "from torch import nn\ndef make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))\n"
    )
    model = build(f"{tmp_path}/own.py:make", CIFAR, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(10):
        model(torch.rand(1, *CIFAR)).sum().backward()
        optimizer.step()
