"""What can be named is known without importing what it names."""

import subprocess
import sys

import pytest

from bench.learn import MISSING, USAGE, WorkloadError, catalogue
from bench.learn.catalogue import Augmentation, parse_augmentations


def test_the_catalogue_imports_no_torch_and_knows_ours_and_torchvisions():
    code = (
        "import sys; from bench.learn import catalogue as c; names = {m.name: m.origin for m in c.models()}; "
        "heavy = {'torch', 'torchvision', 'numpy'} & set(sys.modules); "
        "print(names['resnet18'], names['vit_b_16'], c.data_names(), heavy)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "bench torchvision ['cifar10', 'cifar100', 'digits', 'folder', 'synthetic'] set()"


def test_every_model_is_listed_once_and_its_file_exists():
    models = catalogue.models()
    assert len({each.name for each in models}) == len(models)
    assert all(each.file.is_file() for each in models)


def test_only_torchvisions_image_classifiers_are_listed():
    names = {each.name for each in catalogue.models()}
    assert {"alexnet", "swin_t", "wide_resnet50_2"} <= names
    assert not {"fcn_resnet50", "fasterrcnn_resnet50_fpn", "r3d_18", "raft_large", "quantized_resnet18"} & names


def test_without_torchvision_our_own_models_are_still_listed(monkeypatch):
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    assert catalogue._torchvision() == []


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("resnt50", "resnet50"), ("ResNet-18", "resnet18"), ("lenet", "lenet-small"), ("vit_b16", "vit_b_16")],
)
def test_a_slip_gets_a_suggestion(typed, meant):
    close = catalogue.suggest(typed)
    assert meant in close
    assert len(close) <= 3


@pytest.mark.parametrize(
    ("name", "exit_code", "part"),
    [
        ("resnt50", USAGE, "resnet50"),
        ("zzzzzz", USAGE, "FILE.py:CALLABLE"),
        ("model.py", USAGE, "no file model.py"),
        ("nowhere.py:make", USAGE, "no file nowhere.py"),
        ("package:", USAGE, "half a name"),
    ],
)
def test_a_model_that_cannot_be_had_is_refused_in_one_line_with_a_way_on(name, exit_code, part):
    with pytest.raises(WorkloadError) as caught:
        catalogue.check_model(name)
    assert caught.value.exit_code == exit_code
    assert part in str(caught.value)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


def test_timm_that_is_not_installed_is_a_missing_extra(monkeypatch):
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    with pytest.raises(WorkloadError) as caught:
        catalogue.check_model("timm:resnet18")
    assert caught.value.exit_code == MISSING
    assert "pip install" in caught.value.hint


def test_good_names_pass(tmp_path):
    (tmp_path / "own.py").write_text("")
    for name in ("lenet-small", "vit_b_16", f"{tmp_path}/own.py:make", "package.module:make"):
        catalogue.check_model(name)
    for name in catalogue.data_names():
        catalogue.check_data(name)


def test_an_unknown_data_set_gets_a_suggestion():
    with pytest.raises(WorkloadError, match="Did you mean cifar10 or cifar100"):
        catalogue.check_data("cifar")


def test_a_file_alone_is_told_what_in_it_makes_a_model_without_running_it(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "raise SystemExit\n"
        "class Net(nn.Module): ...\n"
        "class Wide(nn.Module):\n    def __init__(self, width): ...\n"
        "class Dataset: ...\n"
        "def make(width=3, *, deep=True): ...\n"
        "def train(model): ...\n"
        "def _helper(): ...\n"
    )
    with pytest.raises(WorkloadError) as caught:
        catalogue.check_model(str(file))
    assert caught.value.hint == f"Say what makes the model: {file}:Net or {file}:make"


def test_a_file_that_is_not_there_gets_its_neighbours_name(tmp_path):
    (tmp_path / "my_model.py").touch()
    with pytest.raises(WorkloadError, match=r"Did you mean .*/my_model\.py\?"):
        catalogue.check_model(f"{tmp_path}/my_modle.py:make")


def test_words_are_put_into_the_order_in_which_they_are_applied():
    assert [each.name for each in parse_augmentations(["cutout:4", "jitter", "flip", "crop"])] == [
        "crop",
        "flip",
        "jitter",
        "cutout",
    ]


def test_a_number_is_the_strength_and_without_one_the_usual_one_holds():
    assert parse_augmentations(["jitter:0.4", "cutout"]) == (
        Augmentation(name="jitter", strength=0.4),
        Augmentation(name="cutout", strength=8.0),
    )


@pytest.mark.parametrize(
    ("word", "complaint"),
    [
        ("flop", "There are: flip"),
        ("blur", "There are: crop, flip, affine, jitter, hue, cutout"),
        ("flip:0.5", "'flip' takes no number"),
        ("jitter:0", "above 0 and at most 1"),
        ("jitter:much", "as in jitter:0.2"),
        ("hue:0.6", "at most 0.5"),
        ("cutout:2.5", "whole pixels"),
        ("cutout:0", "whole pixels"),
        ("affine:nan", "above 0"),
    ],
)
def test_what_is_wrong_with_a_word_is_told(word, complaint):
    with pytest.raises(WorkloadError, match=complaint):
        parse_augmentations([word])


def test_a_word_said_twice_is_refused():
    with pytest.raises(WorkloadError, match="'jitter' is there twice"):
        parse_augmentations(["jitter:0.1", "jitter:0.2"])
