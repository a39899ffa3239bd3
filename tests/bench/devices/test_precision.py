"""fp32 means IEEE, wherever torch keeps a setting of its own for it."""

import pytest
import torch

from bench import devices

OWN = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)


@pytest.fixture(autouse=True)
def _as_it_was():
    before = [torch.backends.fp32_precision, *(each.fp32_precision for each in OWN)]
    yield
    torch.backends.fp32_precision = before[0]
    for each, was in zip(OWN, before[1:], strict=True):
        each.fp32_precision = was


@pytest.mark.parametrize(("asked", "set_to"), [("fp32", "ieee"), ("tf32", "tf32"), ("bf16", "ieee"), ("fp16", "ieee")])
def test_no_setting_of_a_library_keeps_another_precision_than_the_one_asked_for(asked, set_to):
    # In torch 2.11 cuDNN's convolutions start as tf32 and do not follow the general setting: fp32 was TF32 on an H100.
    for each in OWN:
        each.fp32_precision = "tf32" if set_to == "ieee" else "ieee"
    devices.set_float32_precision(asked)
    assert [torch.backends.fp32_precision, *(each.fp32_precision for each in OWN)] == [set_to] * 4
