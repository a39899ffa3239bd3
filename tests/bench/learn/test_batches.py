"""What a rank sees depends on the seed, the epoch and its place: never on how many ranks there are."""

from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.learn import WorkloadError
from bench.learn.batches import Batches
from tests.bench.learn.loading import load

CPU = torch.device("cpu")


def pipeline(dataset, rank=0, world_size=1, batch_per_rank=4, **more):
    more = {"seed": 7, "augmentations": ("crop", "flip")} | more
    return Batches(dataset, device=CPU, rank=rank, world_size=world_size, batch_per_rank=batch_per_rank, **more)


@pytest.mark.parametrize("epoch", [0, 3])
def test_three_ranks_see_together_what_one_rank_sees(numbered, epoch):
    data = numbered(train=40)
    single = list(pipeline(data, batch_per_rank=6).epoch(epoch))
    ranks = [list(pipeline(data, rank, 3, batch_per_rank=2).epoch(epoch)) for rank in range(3)]
    assert len(single) == len(ranks[0]) == 6
    for whole, *parts in zip(single, *ranks, strict=True):
        assert torch.equal(whole[0], torch.cat([images for images, _ in parts]))
        assert torch.equal(whole[1], torch.cat([labels for _, labels in parts]))


@settings(deadline=None, max_examples=30)
@given(size=st.integers(6, 60), world_size=st.integers(1, 3), batch=st.integers(1, 2))
def test_an_epoch_is_whole_global_batches_of_distinct_samples(size, world_size, batch):
    data = load("synthetic", input_shape=(1, 2, 2), size=size)
    data = type(data)(**{**vars(data), "train_labels": torch.arange(size), "test_images": data.train_images})
    ranks = [pipeline(data, rank, world_size, batch) for rank in range(world_size)]
    seen = [int(label) for each in ranks for _, labels in each.epoch(1) for label in labels]
    assert len(seen) == len(set(seen)) == ranks[0].samples_per_epoch
    assert ranks[0].steps_per_epoch == size // (batch * world_size)
    assert size - len(seen) < batch * world_size


def test_epochs_and_seeds_differ_and_the_same_ones_repeat(numbered):
    data = numbered(train=20)
    first, again = (next(pipeline(data).epoch(0))[0] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, next(pipeline(data).epoch(1))[0])
    assert not torch.equal(first, next(pipeline(data, seed=8).epoch(0))[0])


def test_iterating_goes_on_into_the_next_epoch(numbered):
    batches = pipeline(numbered(train=9))
    seen = list(islice(batches, 4))
    expected = [*batches.epoch(0), *batches.epoch(1)]
    assert all(torch.equal(a[0], b[0]) for a, b in zip(seen, expected, strict=True))


def test_pixels_are_normalised_by_the_data_sets_mean_and_deviation(numbered):
    data = numbered(train=20)
    images, labels = next(pipeline(data, augmentations=()).epoch(0))
    mean, std = torch.tensor(data.mean).view(3, 1, 1), torch.tensor(data.std).view(3, 1, 1)
    assert torch.allclose(images, (data.train_images[labels] / 255 - mean) / std, atol=1e-6)


def test_dtype_and_memory_format_are_what_was_asked_for(numbered):
    batches = pipeline(numbered(), dtype=torch.bfloat16, memory_format=torch.channels_last)
    images, labels = next(iter(batches))
    assert images.dtype == torch.bfloat16
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.dtype == torch.int64


def test_fewer_images_than_one_global_batch_are_refused(numbered):
    with pytest.raises(WorkloadError, match="has 20 training images; one global batch is 21"):
        pipeline(numbered(train=20), world_size=3, batch_per_rank=7)


def test_an_unknown_augmentation_is_refused_before_anything_is_copied(numbered):
    with pytest.raises(WorkloadError, match="no augmentation 'blur'"):
        pipeline(numbered(), augmentations=("blur",))


def test_synthetic_batches_are_ready_and_handed_out_again():
    batches = pipeline(load("synthetic", size=16), batch_per_rank=8, augmentations=())
    first, second, third = islice(batches, 3)
    assert first[0].data_ptr() == third[0].data_ptr()
    assert not torch.equal(first[0], second[0])
    assert (batches.steps_per_epoch, batches.samples_per_epoch) == (None, None)


def written_through_numpy(images):
    images.numpy()[:] = 0


COUNTED = (
    lambda images: images.div_(255),
    lambda images: images.view(-1)[:5].zero_(),
    lambda images: torch.neg(images, out=images),
    lambda images: images.resize_(3),
    lambda images: images.transpose_(2, 3),
    lambda images: images.requires_grad_(),
    lambda images: setattr(images, "data", torch.zeros(3)),
)
UNCOUNTED = (written_through_numpy, lambda images: images.data.mul_(0.5))


@pytest.mark.parametrize(
    ("write", "begins"), [*[(each, step) for each in COUNTED for step in (0, 7)], *[(each, 0) for each in UNCOUNTED]]
)
def test_what_a_model_does_to_its_batch_is_gone_in_the_next_one(write, begins):
    """From its first step or, where torch counts the write, from a later one on."""
    fresh = [images.clone() for images, _ in islice(pipeline(load("synthetic"), augmentations=()), 2)]
    batches = pipeline(load("synthetic"), augmentations=())
    for step, (images, labels) in enumerate(islice(batches, 12)):
        assert torch.equal(images, fresh[step % 2])
        assert (images.requires_grad, labels.shape) == (False, (4,))
        if step >= begins:
            write(images)


def test_a_model_that_writes_nothing_is_handed_the_same_memory_in_every_step():
    batches = pipeline(load("synthetic"), augmentations=())
    places = {images.data_ptr() for images, _ in islice(batches, 12)}
    assert len(places) == 2
    assert not batches.look_for_writes()


def test_a_write_that_torch_does_not_count_is_seen_between_two_segments():
    batches = pipeline(load("synthetic"), augmentations=())
    for step, (images, _) in enumerate(islice(batches, 12)):
        if step == 9:
            written_through_numpy(images)
    assert batches.look_for_writes()


def test_real_data_is_never_handed_out_itself(numbered):
    """Neither the pictures that lie ready for every epoch nor their labels."""
    data = numbered(train=20)
    before = data.train_images.clone(), data.train_labels.clone()
    for images, labels in pipeline(data, augmentations=()).epoch(0):
        images.zero_()
        labels.zero_()
    assert torch.equal(data.train_images, before[0])
    assert torch.equal(data.train_labels, before[1])


def test_ranks_of_a_synthetic_run_see_their_own_share():
    data = load("synthetic", size=12)
    whole = next(iter(pipeline(data, batch_per_rank=6, augmentations=())))
    parts = [next(iter(pipeline(data, rank, 3, 2, augmentations=()))) for rank in range(3)]
    assert torch.equal(whole[0], torch.cat([images for images, _ in parts]))


def test_a_synthetic_batch_may_be_larger_than_its_samples():
    images, labels = next(iter(pipeline(load("synthetic", size=5), batch_per_rank=16, augmentations=())))
    assert len(images) == len(labels) == 16


def test_synthetic_data_has_no_epochs():
    with pytest.raises(WorkloadError, match="no epochs"):
        next(pipeline(load("synthetic"), augmentations=()).epoch(0))


EVERYTHING = ("crop", "flip", "affine:0.1", "jitter:0.2", "hue:0.1", "cutout:3")


def test_with_every_augmentation_and_mixing_two_ranks_see_together_what_one_rank_sees(numbered):
    data = numbered(train=40)
    asked = {"augmentations": EVERYTHING, "mixup": 0.2, "cutmix": 1.0}
    single = list(pipeline(data, batch_per_rank=8, **asked).epoch(2))
    ranks = [list(pipeline(data, rank, 2, batch_per_rank=4, **asked).epoch(2)) for rank in range(2)]
    for whole, *parts in zip(single, *ranks, strict=True):
        for together, pieces in zip(whole, zip(*parts, strict=True), strict=True):
            assert torch.equal(together, torch.cat(pieces))


def test_asking_for_one_more_augmentation_changes_nothing_of_the_others(numbered):
    data = numbered(train=8)
    few, more = (next(pipeline(data, augmentations=words).epoch(0))[0] for words in (("crop", "flip"), EVERYTHING[:2]))
    assert torch.equal(few, more)
    plain, with_cut = (
        next(pipeline(data, augmentations=words).epoch(0))[0] for words in (("jitter:0.2",), ("jitter:0.2", "cutout:3"))
    )
    assert torch.equal(plain[with_cut != 0], with_cut[with_cut != 0])
    assert 0 < int((with_cut == 0).sum()) <= 4 * 3 * 9


def test_cutout_leaves_the_mean_of_the_data_set(numbered):
    images = next(pipeline(numbered(), augmentations=("cutout:20",)).epoch(0))[0]
    assert (images == 0).any(dim=(1, 2, 3)).all()


def test_a_change_holds_from_the_next_epoch_on(numbered):
    data = numbered(train=8)
    batches = pipeline(data)
    batches.change(augmentations=(), mixup=0.3)
    images, labels, shares = next(batches.epoch(1))
    plain = next(pipeline(data, augmentations=()).epoch(1))
    assert torch.equal(images, plain[0])
    assert torch.equal(labels, plain[1])
    assert shares.shape == (4, 5)
    batches.change(mixup=0.0)
    assert len(next(batches.epoch(1))) == 2


def test_synthetic_batches_have_shares_to_mix_by_so_that_a_step_costs_what_it_costs():
    batches = iter(pipeline(load("synthetic", size=16), mixup=0.2, augmentations=()))
    assert [len(next(batches)) for _ in range(3)] == [3, 3, 3]


def test_grey_images_have_no_hue(numbered):
    with pytest.raises(WorkloadError, match="not in colour"):
        pipeline(load("digits"), augmentations=("hue",))
    pipeline(load("digits"), augmentations=("jitter",))


def test_a_mean_and_a_deviation_of_ones_own_take_the_place_of_the_data_sets():
    data = load("digits", mean=(0.5,), std=(0.25,))
    assert (data.mean, data.std) == ((0.5,), (0.25,))
    assert load("digits").mean != (0.5,)
    with pytest.raises(WorkloadError, match="mean has 3 numbers; digits has 1 channels"):
        load("digits", mean=(0.5, 0.5, 0.5))
