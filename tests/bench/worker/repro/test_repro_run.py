"""What a repro run writes down: the bits and nothing else, in order; twice the same; and what each mistake moves.

In this process, on one small model: the launches are in tests/end_to_end/test_repro_verdicts.py.
"""

import hashlib
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from bench import devices
from bench.analysis.repro import distance
from bench.learn import augment, batches, recipe
from bench.plan import Configuration, Recipe, Workload
from bench.repro import capsule
from bench.repro.capsule import ReproRun
from bench.worker import session
from bench.worker.group import Group, World
from bench.worker.repro import run as repro_run
from bench.worker.repro import tensor_digest
from launchers.heartbeat import Heart

ROW = Configuration(
    strategy="single", ranks=1, device="cpu", backend=None, cores_per_rank=1, batch_per_rank=8, batch_global=8
)
WORK = Workload(model="lenet-small", data="digits", steps=3, augment=("crop",), recipe=Recipe(learning_rate=0.05))
REPRO_RUN = ReproRun(workload=WORK, configuration=ROW)


@pytest.fixture(autouse=True)
def deterministic():
    before, random = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    devices.set_float32_precision("fp32")
    repro_run.be_deterministic("cpu")
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(before)
    torch.set_rng_state(random)


@pytest.fixture
def seen(tmp_path):
    """A repro run, here and now."""

    def run(asked: ReproRun = REPRO_RUN):
        world = World(
            configuration=asked.configuration,
            device=torch.device("cpu"),
            places=["here"],
            backend=devices.load("cpu"),
            group=Group(rank=0, world_size=1, backend=None),
            heart=Heart(tmp_path, 0),
        )
        return repro_run.trace(asked, world)

    return run


def first_difference(a, b) -> tuple[str, int, str] | None:
    others = {fact.key: fact.hash for fact in b.facts}
    return next((fact.key for fact in a.facts if others[fact.key] != fact.hash), None)


def test_the_hash_of_a_tensor_is_the_same_on_every_machine_and_in_every_version():
    expected = hashlib.blake2b(b"float32 [4] " + struct.pack("<4f", 0, 1, 2, 3), digest_size=16).hexdigest()
    assert expected == "5a43bfe714193da81a67b7d1b38acd52"
    assert tensor_digest.digest(torch.arange(4, dtype=torch.float32)) == expected


def test_the_hash_covers_type_shape_and_every_bit_and_not_the_layout():
    zeros = torch.zeros(2, 3, 4, 4)
    assert tensor_digest.digest(zeros.to(memory_format=torch.channels_last)) == tensor_digest.digest(zeros)
    negative = zeros.clone()
    negative[1, 2, 3, 3] = -0.0
    a_nan, other_nan = (
        torch.tensor([bits], dtype=torch.int32).view(torch.float32) for bits in (0x7FC00000, 0x7FC00001)
    )
    tensors = (zeros, zeros.half(), zeros.view(3, 2, 4, 4), negative, a_nan, other_nan, zeros.bfloat16())
    assert len({tensor_digest.digest(each) for each in tensors}) == len(tensors)


@pytest.mark.parametrize("count", [1, 511, 512, 513, 4096, 100_003])
def test_the_kept_places_are_distinct_in_range_and_all_of_a_small_tensor(count):
    places = tensor_digest.places(count, 512)
    assert len(set(places.tolist())) == min(count, 512)
    assert places.min() >= 0
    assert places.max() < count


def test_a_fact_keeps_numbers_of_what_has_a_distance_and_only_hashes_the_rest():
    kept = tensor_digest.fact("forward", 0, "0", torch.tensor([1.0, -3.0]))
    assert (kept.largest, kept.total, kept.count) == (3.0, -2.0, 2)
    np.testing.assert_array_equal(kept.sample, np.float32([1.0, -3.0]))
    assert tensor_digest.fact("indices", 0, "samples", torch.tensor([1, 2])).sample is None
    assert tensor_digest.fact("forward", 0, "0", torch.tensor([torch.inf])).largest is None


def test_every_module_and_every_local_gradient_is_noted_in_the_order_it_happens():
    shared = nn.ReLU()
    model = nn.Sequential(nn.Linear(4, 4), shared, nn.Linear(4, 2), shared)
    noted = []
    with tensor_digest.watched(model, noted.append, 512):
        model(torch.ones(2, 4)).sum().backward()
    model(torch.ones(2, 4)).sum().backward()  # nobody watches any more
    keys = [(fact.stage, fact.tensor, fact.kind) for fact in noted]
    assert keys[:4] == [
        ("forward", "0", "Linear"),
        ("forward", "1", "ReLU"),
        ("forward", "2", "Linear"),
        ("forward", "1#2", "ReLU"),
    ]
    assert {tensor for stage, tensor, _ in keys[4:] if stage == "local gradient"} == {
        "0.weight",
        "0.bias",
        "2.weight",
        "2.bias",
    }


def test_two_runs_are_the_same_to_the_last_bit_and_hold_every_stage(seen):
    a, b = seen(), seen()
    assert first_difference(a, b) is None
    assert a.losses == b.losses
    assert len(a.losses) == WORK.steps
    assert {fact.stage for fact in a.facts} == set(capsule.STAGES) - {capsule.REDUCED, capsule.LOSS}
    assert sorted({fact.step for fact in a.facts if fact.stage == capsule.WEIGHTS}) == [1, 2, 3]
    assert a.conditions["threads"] == 1


def test_a_repro_run_trains_as_a_measured_rank_does(seen):
    """The same model, data, order, recipe and loss, by hand."""
    torch.manual_seed(WORK.seed)
    data = batches_data()
    model = session.build("lenet-small", data.input_shape, data.classes).train()
    stream = iter(
        batches.Batches(
            data, device="cpu", rank=0, world_size=1, batch_per_rank=8, seed=WORK.seed, augmentations=WORK.augment
        )
    )
    optimizer, loss_of = recipe.optimizer(model, WORK.recipe), recipe.loss_function(0.0)
    losses = []
    for _ in range(3):
        images, labels = next(stream)
        optimizer.zero_grad()
        loss = loss_of(model(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item().hex())
    assert seen().losses == tuple(losses)


def test_a_repro_run_mixes_and_clips_where_the_recipe_does(seen):
    asked = replace(WORK, recipe=replace(WORK.recipe, mixup=0.3, clip_norm=0.1))
    plain, mixed, again = seen(), *(seen(replace(REPRO_RUN, workload=asked)) for _ in range(2))
    assert first_difference(plain, mixed) == ("augmented batch", 0, "images")
    assert first_difference(mixed, again) is None
    assert mixed.losses == again.losses != plain.losses


def batches_data():
    from tests.bench.learn.loading import load

    return load("digits")


def test_a_nudge_moves_every_weight_by_one_unit_in_the_last_place_and_nothing_before_it(seen):
    plain, nudged = seen(), seen(replace(REPRO_RUN, nudged=1))
    assert first_difference(plain, nudged)[:2] == ("init", 0)
    pairs = [(a, b) for a, b in zip(plain.facts, nudged.facts, strict=True) if a.stage == "init"]
    assert pairs
    assert all(set(np.abs(a.sample.view(np.int32) - b.sample.view(np.int32))) == {1} for a, b in pairs)


def test_products_rounded_otherwise_leave_the_first_weights_and_move_every_layer_by_a_few_units(seen):
    plain, other, again = (
        seen(each) for each in (REPRO_RUN, *(replace(REPRO_RUN, other_kernels=seed) for seed in (1, 1)))
    )
    assert first_difference(plain, other)[:2] == ("forward", 0)
    assert first_difference(other, again) is None
    units = {
        (a.stage, a.tensor): distance.of_facts(a, b)
        for a, b in zip(plain.facts, other.facts, strict=True)
        if a.stage in {"forward", "local gradient"} and a.hash != b.hash
    }
    assert {stage for stage, _ in units} == {"forward", "local gradient"}
    assert all(0 < each < 100 for each in units.values()), units


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        ("momentum", ("weights", 2, "0.weight")),
        ("seed", ("init", 0, "0.weight")),
        ("crop", ("augmented batch", 0, "images")),
        ("shard", ("indices", 1, "samples")),
        ("pixels", ("raw batch", 0, "images")),
    ],
)
def test_a_planted_mistake_shows_first_where_it_was_made(seen, monkeypatch, mistake, expected):
    plain = seen()
    asked = REPRO_RUN
    if mistake == "momentum":
        asked = replace(REPRO_RUN, workload=replace(WORK, recipe=replace(WORK.recipe, momentum=0.9001)))
    elif mistake == "seed":
        built = session.build
        monkeypatch.setattr(session, "build", lambda *args: (torch.manual_seed(7), built(*args))[1])
    elif mistake == "crop":
        drawn = augment.draw
        monkeypatch.setattr(augment, "draw", lambda *args: drawn(*args)[:1].expand(args[0], -1))
    elif mistake == "shard":
        epoch = batches.Batches.epoch

        def swapped(self, number):
            first, second, third, *rest = epoch(self, number)
            yield from (first, third, second, *rest)

        monkeypatch.setattr(batches.Batches, "epoch", swapped)
    else:
        load = session.of_workload

        def decoded(*args, **options):
            data = load(*args, **options)
            return replace(data, train_images=data.train_images ^ 1)

        monkeypatch.setattr(session, "of_workload", decoded)
    found = {fact.key: fact.hash for fact in seen(asked).facts}
    differing = [fact.key for fact in plain.facts if found[fact.key] != fact.hash]
    in_order = sorted(differing, key=lambda key: capsule.STAGES.index(key[0]))
    assert in_order[0] == expected


def test_what_is_still_neither_draws_nor_keeps_statistics(seen, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def build():\n"
        "    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5),\n"
        "                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))\n"
    )
    asked = replace(REPRO_RUN, workload=replace(WORK, model=f"{tmp_path}/mine.py:build"), still=True)
    facts = {fact.key: fact.hash for fact in seen(asked).facts}
    assert facts["weights", 3, "1.running_mean"] == facts["init", 0, "1.running_mean"]
    assert facts["random state", 3, "cpu"] == facts["random state", 0, "cpu"]
    # In reverse the gradient is the same sum: its rounding is all that may differ.
    forwards, backwards = (seen(replace(asked, backwards=turned)) for turned in (False, True))
    pairs = [(a, b) for a, b in zip(forwards.facts, backwards.facts, strict=True) if a.stage == capsule.LOCAL]
    assert all(np.allclose(a.sample, b.sample, rtol=1e-4, atol=1e-5) for a, b in pairs)


def test_an_operation_without_a_deterministic_form_is_refused(seen, tmp_path):
    (tmp_path / "wild.py").write_text(
        "import torch\nfrom torch import nn\n"
        "class Wild(nn.Linear):\n"
        "    def forward(self, x):\n"
        "        if self.training:\n"
        "            torch.empty(2).put_(torch.tensor([0]), torch.ones(1))\n"
        "        return super().forward(x.flatten(1))\n"
        "def build():\n"
        "    return Wild(1024, 10)\n"
    )
    asked = replace(REPRO_RUN, workload=replace(WORK, model=f"{tmp_path}/wild.py:build"))
    with pytest.raises(RuntimeError, match="deterministic"):
        seen(asked)
