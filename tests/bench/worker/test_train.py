"""The timed loop, the proofs around it and the assertion of the world: one process, no group underneath."""

import gc
import itertools
import math
import statistics
import time

import pytest
import torch
from torch import nn

from bench.devices import cpu
from bench.plan import Configuration
from bench.worker import afterwards, group
from bench.worker.group import Group, WorldMismatchError
from bench.worker.train import Trainer, train_segment
from launchers import heartbeat

SINGLE = Group(rank=0, world_size=1, backend=None)


def trainer_of(model: nn.Module, folder, learning_rate: float = 0.1) -> Trainer:
    return Trainer(
        model=model,
        loss=nn.CrossEntropyLoss(),
        optimizer=torch.optim.SGD(model.parameters(), lr=learning_rate),
        scheduler=None,
        precision="fp32",
        device=torch.device("cpu"),
        backend=cpu,
        group=SINGLE,
        heart=heartbeat.Heart(folder, 0),
    )


def batches_of(size: int = 8):
    torch.manual_seed(0)
    return itertools.repeat((torch.randn(size, 4), torch.randint(0, 3, (size,))))


def segment_of(trainer: Trainer, steps: int = 5, **options):
    asked = {"batch": 8, "phase": "window", "step_ns": 10**6, "count_correct": False} | options
    return train_segment(trainer, batches_of(), steps, **asked)


def test_every_step_is_timed_once_and_the_segment_closes(tmp_path) -> None:
    class Slow(nn.Linear):
        def forward(self, x):
            time.sleep(0.02)
            return super().forward(x)

    seen = segment_of(trainer_of(Slow(4, 3), tmp_path), steps=6)
    assert list(seen.times.steps) == [1] * 6
    assert all(length >= 20_000_000 for length in seen.times.step_ns)
    assert seen.samples == 48
    assert seen.times.closure_error < 0.001


def test_gradients_do_not_pile_up_from_step_to_step(tmp_path) -> None:
    """At a learning rate of zero every step has the same gradient; without zero_grad the fifth would be five of it."""
    model = nn.Linear(4, 3)
    trainer = trainer_of(model, tmp_path, learning_rate=0.0)
    segment_of(trainer, steps=1)
    first = model.weight.grad.clone()
    segment_of(trainer, steps=5)
    assert torch.equal(model.weight.grad, first)


def test_training_moves_the_weights_and_the_digest_sees_it(tmp_path) -> None:
    model = nn.Linear(4, 3)
    before = afterwards.weights_digest(model)
    assert afterwards.weights_digest(model) == before
    trainer = trainer_of(model, tmp_path)
    segment_of(trainer, steps=20)
    assert afterwards.weights_digest(model) != before
    assert trainer.last_loss < trainer.first_loss


def test_the_digest_sees_a_single_bit() -> None:
    model = nn.Linear(4, 3)
    before = afterwards.weights_digest(model)
    with torch.no_grad():
        model.weight.view(torch.int32)[1, 2] ^= 1
    assert afterwards.weights_digest(model) != before


def test_the_digest_takes_weights_of_any_layout_and_kind() -> None:
    pointwise = nn.Conv2d(64, 64, 1).to(memory_format=torch.channels_last)
    wide = nn.Conv2d(3, 8, 3).to(memory_format=torch.channels_last)
    same = nn.Conv2d(3, 8, 3)
    same.load_state_dict(wide.state_dict())
    assert afterwards.weights_digest(wide) == afterwards.weights_digest(same)
    assert len({afterwards.weights_digest(each) for each in (pointwise, wide, nn.Linear(3, 2).bfloat16())}) == 3


def test_one_loss_that_is_not_a_number_spoils_the_sum_of_the_segment(tmp_path) -> None:
    class Sick(nn.Linear):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return super().forward(x) * (math.nan if self.calls == 3 else 1.0)

    seen = segment_of(trainer_of(Sick(4, 3), tmp_path, learning_rate=0.0), steps=5)
    assert not math.isfinite(seen.loss_sum)


class Cycles(nn.Linear):
    """Each forward leaves a reference cycle, and so many other objects that the collector would run in any loop."""

    left = 0

    def forward(self, x):
        garbage = Garbage()
        garbage.itself, garbage.many = garbage, [[] for _ in range(1500)]
        return super().forward(x)


class Garbage:
    def __init__(self) -> None:
        Cycles.left += 1

    def __del__(self) -> None:
        Cycles.left -= 1


def most_left_by(train, steps: int) -> int:
    """The most garbage that there was at a time, while a model trained."""
    most = 0

    class Watching(Cycles):
        def forward(self, x):
            nonlocal most
            most = max(most, Cycles.left)
            return super().forward(x)

    gc.collect()
    train(Watching(4, 3), steps)
    return most


def test_what_a_model_leaves_behind_is_collected_while_it_trains_as_in_a_bare_loop(tmp_path) -> None:
    """Without the collector there would be a piece of garbage for each step, however many."""

    def bare(model: nn.Module, steps: int) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for images, labels in itertools.islice(batches_of(), steps):
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()

    ours = most_left_by(lambda model, steps: segment_of(trainer_of(model, tmp_path), steps), 120)
    assert ours <= 2 * most_left_by(bare, 120)
    assert ours < 60


def test_a_model_that_switched_the_collector_off_finds_it_off(tmp_path) -> None:
    gc.disable()
    try:
        segment_of(trainer_of(nn.Linear(4, 3), tmp_path))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_right_answers_are_counted_when_asked(tmp_path) -> None:
    trainer = trainer_of(nn.Linear(4, 3), tmp_path, learning_rate=0.5)
    assert segment_of(trainer).correct is None
    segment_of(trainer, steps=300)
    assert segment_of(trainer, steps=2, count_correct=True).correct > 8


def test_the_heartbeat_tells_the_phase_and_the_step(tmp_path) -> None:
    segment_of(trainer_of(nn.Linear(4, 3), tmp_path), steps=5, phase="warm-up")
    beat = heartbeat.read(tmp_path, 0)
    assert (beat.phase, beat.step, beat.steps) == ("warm-up", 5, 5)
    assert beat.monotonic_ns > 0


def test_our_own_calls_cost_little_beside_even_the_smallest_step(tmp_path) -> None:
    """The step of a 15-parameter model takes 0.1 to 0.2 ms; a twentieth of it is 0.2 to 0.5 % of a 2 ms step."""
    trainer = trainer_of(nn.Linear(4, 3), tmp_path)
    segment_of(trainer, steps=50)
    step_ns = statistics.median(segment_of(trainer, steps=200).times.step_ns)
    cost_ns = afterwards.clock_ns_per_step(cpu, torch.device("cpu"), heartbeat.Heart(tmp_path, 0))
    assert 0 < cost_ns < step_ns / 20


def test_operations_are_counted_forward_and_backward_per_sample() -> None:
    """A 4x3 matrix: 24 operations forward, 24 for the weights' gradient; the input's gradient is not needed."""
    model = nn.Linear(4, 3, bias=False)
    assert afterwards.flop_per_sample(model, torch.randn(2, 4)) == 48


def configuration_of(ranks: int = 2, cores: int | None = 1, nodes: int = 1) -> Configuration:
    return Configuration(
        strategy="ddp",
        ranks=ranks,
        device="cpu",
        backend="gloo",
        cores_per_rank=cores,
        batch_per_rank=8,
        batch_global=8 * ranks,
        nodes=nodes,
    )


class World(Group):
    """A world that formed, as its ranks would tell of it."""

    def gather(self, value):
        return self.told


def world_of(found: list[tuple[int, str, int]], nodes: tuple[int, ...] = (0, 0, 0, 0)) -> Group:
    world = World(rank=0, world_size=len(found), backend="gloo")
    object.__setattr__(world, "told", [(*each, node, "torch 2") for each, node in zip(found, nodes, strict=False)])
    return world


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        ([(0, "0", 1)], "1 ranks formed a world; 2 were planned"),
        ([(0, "0", 1), (1, "1", 1), (2, "2", 1)], "3 ranks formed"),
        ([(0, "0", 1), (1, "0", 1)], "share a device"),
        ([(0, "0", 1), (1, "1", 2)], "threads per rank"),
    ],
)
def test_a_world_that_is_not_the_planned_one_is_refused(found, complaint) -> None:
    with pytest.raises(WorldMismatchError, match=complaint):
        group.assert_world(
            world_of(found), configuration_of(), node=0, place="0", threads=1, software="torch 2", oversubscribed=False
        )


def test_the_planned_world_passes_and_so_does_sharing_cores_when_it_was_asked_for() -> None:
    good = world_of([(0, "0", 1), (1, "1", 1)])
    assert group.assert_world(
        good, configuration_of(), node=0, place="0", threads=1, software="torch 2", oversubscribed=False
    ) == [
        "0",
        "1",
    ]
    shared = world_of([(0, "0", 1), (1, "0", 1)])
    assert group.assert_world(
        shared, configuration_of(), node=0, place="0", threads=1, software="torch 2", oversubscribed=True
    ) == [
        "0",
        "0",
    ]


def test_ranks_on_other_nodes_than_planned_are_refused() -> None:
    seen = [(0, "node 0 0", 1), (1, "node 0 1", 1)]
    with pytest.raises(WorldMismatchError, match=r"ranks are on nodes \[0, 0\]; 2 equal nodes were planned"):
        group.assert_world(
            world_of(seen),
            configuration_of(nodes=2),
            node=0,
            place="0",
            threads=1,
            software="torch 2",
            oversubscribed=False,
        )


def test_the_same_core_of_two_nodes_is_two_devices() -> None:
    seen = world_of([(0, "node 0 0", 1), (1, "node 1 0", 1)], nodes=(0, 1))
    assert group.assert_world(
        seen, configuration_of(nodes=2), node=0, place="0", threads=1, software="torch 2", oversubscribed=False
    )


def test_hosts_with_different_versions_are_refused() -> None:
    world = world_of([(0, "node 0 0", 1), (1, "node 1 0", 1)], nodes=(0, 1))
    object.__setattr__(world, "told", [(*each[:-1], f"torch 2.1{number}") for number, each in enumerate(world.told)])
    with pytest.raises(WorldMismatchError, match=r"different software: torch 2\.10; torch 2\.11"):
        group.assert_world(
            world, configuration_of(nodes=2), node=0, place="0", threads=1, software="torch 2.10", oversubscribed=False
        )
