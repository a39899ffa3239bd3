"""What the ranks have averaged is what one device computes."""

import pytest
import torch

from bench.worker.gradients import relative_error

GRADIENTS = [torch.tensor([1.0, -2.0]), torch.tensor([0.5]), None]


def test_equal_gradients_have_no_error():
    assert relative_error(GRADIENTS, GRADIENTS) == 0


def test_a_wrong_divisor_is_an_error_of_its_size():
    halved = [None if each is None else each / 2 for each in GRADIENTS]
    assert relative_error(halved, GRADIENTS) == pytest.approx(0.5)


def test_rounding_is_a_millionth():
    rounded = [None if each is None else each * (1 + 1e-6) for each in GRADIENTS]
    assert relative_error(rounded, GRADIENTS) < 1e-5


def test_the_rounding_of_what_is_next_to_nothing_is_not_held_against_it():
    assert (
        relative_error([torch.tensor([1.0]), torch.tensor([2e-12])], [torch.tensor([1.0]), torch.tensor([1e-12])])
        < 1e-5
    )


def test_a_gradient_that_one_side_lacks_is_wholly_different():
    assert relative_error([None], [torch.tensor([1.0])]) == 1
    assert relative_error([None], [torch.tensor([0.0])]) == 0


def test_what_is_not_finite_has_no_error_to_give():
    assert relative_error([torch.tensor([float("nan")])], [torch.tensor([1.0])]) is None
