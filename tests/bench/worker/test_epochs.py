"""The epochs of one process on real digits, cut to a few batches: phases, averaging, patience, resumption."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench.devices import cpu
from bench.learn import WorkloadError
from bench.plan import Configuration, Workload
from bench.recipe import Phase, Recipe
from bench.worker.epochs import EpochLoop, Trained, epochs_since_best
from bench.worker.group import Group, World
from bench.worker.session import check_phases, prepare
from bench.worker.train import train_segment
from launchers import heartbeat
from tests.bench.learn.loading import load

CPU = torch.device("cpu")
PLAIN = Recipe(learning_rate=0.1)


def small_digits(train=32, test=20):
    data = load("digits")
    return replace(
        data,
        train_images=data.train_images[::40][:train, :, ::4, ::4],
        train_labels=data.train_labels[::40][:train],
        test_images=data.test_images[::18][:test, :, ::4, ::4],
        test_labels=data.test_labels[::18][:test],
    )


class FirstOfTwo(Group):
    """One process that hears what rank 0 of two would say."""

    def gather(self, value):
        return [value] if self.told is None else [self.told, value]


def loop_of(folder, found=None, *, epochs=4, recipe_of=PLAIN, batch=8, augmentations=()):
    data = small_digits()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Dropout(0.3), nn.Linear(16, 10))
    group = FirstOfTwo(rank=0, world_size=1, backend=None)
    object.__setattr__(group, "told", found)
    row = Configuration(
        strategy="single",
        ranks=1,
        device="cpu",
        backend=None,
        cores_per_rank=1,
        batch_per_rank=batch,
        batch_global=batch,
    )
    world = World(
        configuration=row, backend=cpu, device=CPU, group=group, heart=heartbeat.Heart(folder, 0), places=["here"]
    )
    work = Workload(model="mlp", data="digits", epochs=epochs, augment=augmentations, recipe=recipe_of)
    session = prepare(world, work, data, model)

    def train(batches, steps, *, epoch, in_window, loss_before=0.0):
        return train_segment(
            session.trainer,
            batches,
            steps,
            batch=batch,
            phase="window" if in_window else "warm-up",
            step_ns=10**6,
            count_correct=True,
            loss_before=loss_before,
        )

    return EpochLoop(session=session, train=train, warmup_steps=2)


def scored(*scores):
    class Result:
        def __init__(self, top1):
            self.top1 = top1

    return [Result(score) for score in scores]


def test_every_epoch_is_trained_once_and_evaluated_exactly(tmp_path):
    loop = loop_of(tmp_path)
    loop.run(3)
    assert [each.epoch for each in loop.results] == [0, 1, 2]
    assert {each.samples for each in loop.results} == {32}
    assert {each.validation_samples for each in loop.results} == {20}
    assert loop.results[-1].train_loss < loop.results[0].train_loss


def test_the_rate_that_is_told_is_the_one_of_the_epochs_last_step(tmp_path):
    loop = loop_of(tmp_path, recipe_of=Recipe(learning_rate=0.1, schedule="multistep", milestones=(1, 3)))
    loop.run(4)
    assert [each.learning_rate for each in loop.results] == pytest.approx([0.1, 0.01, 0.01, 0.001])


PHASED = Recipe(
    learning_rate=0.1,
    phases=(
        Phase(from_epoch=1, dropout=0.1, label_smoothing=0.2, augment=("flip",), mixup=0.3),
        Phase(from_epoch=3, dropout=0.0, learning_rate=0.02, mixup=0.0),
    ),
)


def test_a_phase_changes_dropout_augmentation_mixing_loss_and_rate_at_its_epoch(tmp_path):
    loop = loop_of(tmp_path, recipe_of=PHASED)
    seen = []
    trained = loop.train

    def train(batches, steps, **found):
        trainer, drawn = loop.session.trainer, loop.session.batches
        words = [each.name for each in drawn.augmentations]
        seen.append((found["epoch"], loop.session.unwrapped[2].p, trainer.loss.label_smoothing, words, drawn.mixup))
        return trained(batches, steps, **found)

    loop.train = train
    loop.run(4)
    assert sorted({epoch: rest for epoch, *rest in seen}.items()) == [
        (0, [0.3, 0.0, [], 0.0]),
        (1, [0.1, 0.2, ["flip"], 0.3]),
        (2, [0.1, 0.2, ["flip"], 0.3]),
        (3, [0.0, 0.2, ["flip"], 0.0]),
    ]
    assert [each.learning_rate for each in loop.results] == pytest.approx([0.1, 0.1, 0.1, 0.02])


def test_a_run_gone_on_with_inside_a_phase_ends_with_the_same_weights(tmp_path):
    report = replace(PHASED, schedule="cosine", ema_decay=0.9, clip_norm=0.5)
    whole = loop_of(tmp_path, recipe_of=report)
    whole.run(4)
    first = loop_of(tmp_path, recipe_of=report)
    first.run(2)
    rng = torch.get_rng_state()  # of dropout
    second = loop_of(tmp_path, recipe_of=report)
    second.session.unwrapped.load_state_dict(first.session.unwrapped.state_dict())
    for name in ("optimizer", "scheduler", "scaler", "ema"):
        getattr(second.session.trainer, name).load_state_dict(getattr(first.session.trainer, name).state_dict())
    second.results = first.results
    torch.set_rng_state(rng)
    second.run(4, first=2)
    for name, each in whole.session.unwrapped.state_dict().items():
        assert torch.equal(each, second.session.unwrapped.state_dict()[name]), name
    for name, each in whole.session.trainer.ema.module.state_dict().items():
        assert torch.equal(each, second.session.trainer.ema.module.state_dict()[name]), name
    assert [each.top1 for each in whole.results] == [each.top1 for each in second.results]


def test_evaluation_uses_the_averaged_weights_where_there_are_any(tmp_path):
    loop = loop_of(tmp_path, recipe_of=Recipe(learning_rate=0.1, ema_decay=0.9))
    loop.run(2)
    averaged = loop.results[-1].validation_loss
    loop.session.trainer.ema = None
    assert loop._evaluated(1, Trained(steps=1, samples=8)).validation_loss != averaged  # of the same weights


def test_epochs_since_the_best_count_from_the_first_of_equals():
    assert epochs_since_best([]) == 0
    assert epochs_since_best(scored(0.5)) == 0
    assert epochs_since_best(scored(0.5, 0.7, 0.7, 0.6)) == 2
    assert epochs_since_best(scored(0.5, 0.4, 0.6)) == 0


def test_a_run_stops_when_its_patience_is_over(tmp_path):
    loop = loop_of(tmp_path, recipe_of=Recipe(learning_rate=1e-9, patience=2), epochs=9)
    loop.run(9)
    assert len(loop.results) == 3  # nothing changes, so the first stays the best


def test_without_patience_every_epoch_is_trained(tmp_path):
    loop = loop_of(tmp_path, recipe_of=Recipe(learning_rate=1e-9), epochs=5)
    loop.run(5)
    assert len(loop.results) == 5


@pytest.mark.parametrize(("found", "epochs"), [(True, 0), (False, 5)])
def test_the_decision_to_stop_is_rank_0s_whatever_this_rank_thinks(tmp_path, monkeypatch, found, epochs):
    loop = loop_of(tmp_path, recipe_of=Recipe(learning_rate=1e-9, patience=1), epochs=5)
    monkeypatch.setattr(
        FirstOfTwo, "gather", lambda self, value: [found, value] if isinstance(value, bool) else [value]
    )
    loop.run(5)
    assert len(loop.results) == epochs


def test_phases_that_the_model_or_the_images_cannot_follow_are_found_before_training(tmp_path):
    loop = loop_of(tmp_path)
    for phase, complaint in (
        (Phase(from_epoch=3, augment=("hue",)), "not in colour"),
        (Phase(from_epoch=3, augment=("blur",)), "no augmentation"),
    ):
        with pytest.raises(WorkloadError, match=complaint):
            check_phases(Recipe(phases=(phase,)), loop.session.unwrapped, loop.session.batches)
    with pytest.raises(WorkloadError, match="the model has no dropout layers"):
        check_phases(Recipe(phases=(Phase(from_epoch=3, dropout=0.1),)), nn.Linear(2, 2), loop.session.batches)
    one = loop_of(tmp_path, batch=1).session.batches
    with pytest.raises(WorkloadError, match="a rank has 1"):
        check_phases(Recipe(phases=(Phase(from_epoch=3, mixup=0.1),)), loop.session.unwrapped, one)
    before = loop.session.batches.augmentations, loop.session.batches.mixup
    check_phases(PHASED, loop.session.unwrapped, loop.session.batches)
    assert (loop.session.batches.augmentations, loop.session.batches.mixup) == before


def test_gradients_are_clipped_to_the_norm(tmp_path):
    """At a rate of 1, without momentum, the weights move by exactly the clipped gradient."""
    for clip_norm in (0.01, 1e9):
        loop = loop_of(tmp_path, recipe_of=Recipe(learning_rate=1.0, momentum=0.0, clip_norm=clip_norm))
        before = [each.detach().clone() for each in loop.session.unwrapped.parameters()]
        loop.train(itertools.islice(loop.session.batches.epoch(0), 1), 1, epoch=0, in_window=True)
        moved = torch.cat([(a - b).flatten() for a, b in zip(loop.session.unwrapped.parameters(), before, strict=True)])
        if clip_norm == 0.01:
            assert moved.norm().item() == pytest.approx(0.01, rel=1e-3)
        else:
            assert moved.norm().item() > 0.02


def test_with_a_scaler_gradients_are_clipped_after_their_scale_is_taken_off(tmp_path):
    """The scaler's factor of 65,536 would make any norm too large."""
    moved = []
    for precision in ("fp32", "fp16"):
        loop = loop_of(tmp_path, recipe_of=Recipe(learning_rate=1.0, momentum=0.0, clip_norm=0.5))
        loop.session.trainer.precision = precision
        loop.session.trainer.__post_init__()
        torch.manual_seed(1)
        before = [each.detach().clone() for each in loop.session.unwrapped.parameters()]
        loop.train(itertools.islice(loop.session.batches.epoch(0), 1), 1, epoch=0, in_window=True)
        moved.append(
            torch.cat([(a - b).flatten() for a, b in zip(loop.session.unwrapped.parameters(), before, strict=True)])
        )
    assert moved[0].norm().item() == pytest.approx(0.5, rel=1e-3)
    assert torch.allclose(moved[0], moved[1], atol=5e-3)


class Reads(TorchDispatchMode):
    """Remembers every operation that would make a host wait for its device: reading values back, sending some there."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "lift_fresh", "is_nonzero", "unique")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if name.startswith(self.WAITING):
            self.seen.append(name)
        return func(*args, **(kwargs or {}))


ALL = Recipe(
    learning_rate=0.01, schedule="cosine", warmup_epochs=1, mixup=0.2, cutmix=1.0, clip_norm=0.5, ema_decay=0.9
)
WORDS = ("crop", "flip", "affine:0.1", "jitter:0.2", "cutout:3")


def reads_of(loop, steps=3):
    """What the steps of one segment read, the two sums after its end left out."""
    batches = loop.session.batches.epoch(0)
    first = next(batches)  # an epoch is drawn on the host, before its first step

    with Reads() as reads:
        loop.train(itertools.chain([first], batches), steps, epoch=0, in_window=True)
    assert reads.seen[-2:] == ["_local_scalar_dense"] * 2
    return reads.seen[:-2]


def test_no_step_reads_a_value_back_whatever_the_recipe_asks_for(tmp_path):
    """Without a GPU at hand the operations themselves are looked at: none of them may wait for a device."""
    assert reads_of(loop_of(tmp_path, recipe_of=ALL, augmentations=WORDS)) == []


def test_a_step_that_reads_its_loss_is_found(tmp_path):
    loop = loop_of(tmp_path)
    loss_of = loop.session.trainer.loss

    def reading(logits, labels):
        loss = loss_of(logits, labels)
        loss.item()
        return loss

    loop.session.trainer.loss = reading
    assert reads_of(loop) == ["_local_scalar_dense"] * 3
