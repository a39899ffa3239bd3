"""MixUp and CutMix: known answers, ranges, and partners that do not depend on the number of ranks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench.learn import WorkloadError, mixing


def test_a_blended_pair_is_what_the_share_says():
    images = torch.stack([torch.full((1, 2, 2), value) for value in (1.0, 5.0)])
    drawn = torch.tensor([[0.75, 0, 0, 0, 0], [0.5, 0, 0, 0, 0]])
    seen, targets = mixing.mixed(images, torch.tensor([2, 0]), drawn, 3)
    assert seen[:, 0, 0, 0].tolist() == pytest.approx([0.75 * 1 + 0.25 * 5, 3.0])
    assert torch.allclose(targets, torch.tensor([[0.25, 0, 0.75], [0.5, 0, 0.5]]))


def test_a_box_comes_from_the_partner_and_its_area_is_the_partners_share():
    images = torch.stack([torch.full((2, 4, 8), value) for value in (1.0, 5.0)])
    box = torch.tensor([[0.9, 0.25, 0.75, 0.5, 1.0]]).expand(2, -1)
    seen, targets = mixing.mixed(images, torch.tensor([0, 1]), box, 2)
    expected = torch.ones(4, 8)
    expected[1:3, 4:8] = 5.0
    assert torch.equal(seen[0], expected.expand(2, -1, -1))
    assert targets[0].tolist() == pytest.approx([0.75, 0.25])  # 8 of 32 pixels, whatever the share that was drawn


def test_a_pair_of_one_class_stays_that_class():
    _, targets = mixing.mixed(torch.rand(2, 1, 4, 4), torch.tensor([1, 1]), mixing.draw(2, 0.4, 0.0, 0), 3)
    assert torch.allclose(targets, torch.tensor([[0.0, 1, 0], [0, 1, 0]]))


@settings(deadline=None, max_examples=30)
@given(count=st.integers(2, 9), mixup=st.sampled_from([0.0, 0.2, 1.0]), cutmix=st.sampled_from([0.3, 1.0]))
def test_shares_add_up_to_one_and_mixed_pixels_lie_between_the_two(count, mixup, cutmix):
    images = torch.rand(count, 3, 5, 6)
    seen, targets = mixing.mixed(images, torch.randint(0, 4, (count,)), mixing.draw(count, mixup, cutmix, count), 4)
    assert torch.allclose(targets.sum(1), torch.ones(count))
    assert targets.min() >= 0
    assert seen.min() >= images.min() - 1e-6
    assert seen.max() <= images.max() + 1e-6


def test_two_ranks_mix_what_one_would():
    images, labels = torch.rand(8, 3, 5, 5), torch.arange(8)
    drawn = mixing.draw(8, 0.5, 0.5, seed=3)
    whole = mixing.mixed(images, labels, drawn, 8)
    parts = [mixing.mixed(images[at], labels[at], drawn[at], 8) for at in (slice(0, 4), slice(4, 8))]
    for together, pieces in zip(whole, zip(*parts, strict=True), strict=True):
        assert torch.equal(together, torch.cat(pieces))


def test_shares_are_drawn_from_the_beta_distribution_for_each_sample():
    shares = mixing.draw(20_000, 0.2, 0.0, seed=1)[:, 0]
    assert shares.mean().item() == pytest.approx(0.5, abs=0.01)
    assert shares.var().item() == pytest.approx(1 / (4 * (2 * 0.2 + 1)), rel=0.03)  # of Beta(a, a)
    assert len(shares.unique()) > 15_000  # float32 near 1 has few numbers


def test_with_both_a_fair_coin_says_which():
    boxed = mixing.draw(10_000, 0.2, 1.0, seed=1)[:, 2] > 0
    assert boxed.float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert not (mixing.draw(100, 0.2, 0.0, seed=1)[:, 1:] != 0).any()
    assert (mixing.draw(100, 0.0, 1.0, seed=1)[:, 2] > 0).all()


def test_the_layout_of_images_is_kept():
    images = torch.rand(4, 3, 6, 6).contiguous(memory_format=torch.channels_last)
    seen, _ = mixing.mixed(images, torch.zeros(4, dtype=torch.int64), mixing.draw(4, 0.2, 1.0, 0), 2)
    assert seen.is_contiguous(memory_format=torch.channels_last)


def test_the_class_with_the_larger_share_counts_and_plain_labels_are_themselves():
    assert mixing.dominant(torch.tensor([[0.3, 0.7], [0.6, 0.4]])).tolist() == [1, 0]
    assert mixing.dominant(torch.tensor([3, 1])).tolist() == [3, 1]


def test_cross_entropy_of_shares_is_the_mean_of_both_losses():
    logits, labels = torch.randn(2, 3), torch.tensor([2, 0])
    _, targets = mixing.mixed(torch.rand(2, 1, 2, 2), labels, torch.tensor([[0.7, 0, 0, 0, 0]] * 2), 3)
    own, other = (nn.functional.cross_entropy(logits, each) for each in (labels, labels.flip(0)))
    assert torch.allclose(nn.functional.cross_entropy(logits, targets), 0.7 * own + 0.3 * other)


def test_a_loss_without_shares_and_a_batch_of_one_are_refused():
    with pytest.raises(WorkloadError, match="NLLLoss takes none"):
        mixing.check(nn.NLLLoss(), 8)
    with pytest.raises(WorkloadError, match="a rank has 1"):
        mixing.check(nn.CrossEntropyLoss(), 1)
    mixing.check(nn.CrossEntropyLoss(label_smoothing=0.1), 2)
