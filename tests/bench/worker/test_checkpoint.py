"""Training that is broken off and resumed is, bit for bit, the training that was not."""

import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.learn import WorkloadError, rng
from bench.plan import Checkpointing
from bench.worker import checkpoint, checkpoint_file
from bench.worker import run as launch
from tests.bench.worker.tiny_training import (
    EVERYTHING,
    ONECYCLE,
    BrokenOffError,
    broken_off,
    data,
    ended,
    job_of,
    of_ranks,
    rank_of,
    same_bits,
    stand_in,
    what_was_learned,
)

STEPS = 24  # four epochs of six


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Runs a launch in this process, with checkpoints in a folder of that name; returns what rank 0 says."""
    stand_in(monkeypatch.setattr)

    def run(name: str, recipe=ONECYCLE, until: int | None = None, words=("last",), steps=None, **changes):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        keep = Checkpointing(checkpoint=words, checkpoint_steps=steps, **changes.pop("keep", {}))
        asked = job_of(1, recipe, keep=keep, checkpoints=str(folder) if words else None, **changes)
        with monkeypatch.context() as patch:
            if until is None:
                launch.run(rank_of(tmp_path / f"{name}-run"), asked)
                return ended(tmp_path / f"{name}-run")
            broken_off(patch, until)
            with pytest.raises(BrokenOffError):
                launch.run(rank_of(tmp_path / f"{name}-run"), asked)
            return None

    run.last = lambda name: checkpoint_file.read(tmp_path / name / "last.pt")
    return run


@pytest.mark.parametrize(("recipe", "steps"), [(ONECYCLE, None), (EVERYTHING, 4)], ids=["onecycle", "everything"])
def test_a_training_broken_off_at_a_random_step_ends_with_the_bits_of_one_that_was_not(train, recipe, steps):
    whole = train("whole", recipe, steps=steps)
    at = random.randrange(1, STEPS + 1)
    train("broken", recipe, until=at, steps=steps)
    again = train("broken", recipe, steps=steps)
    assert what_was_learned(again) == what_was_learned(whole), f"broken off at step {at}"
    assert same_bits(train.last("broken"), train.last("whole")), f"broken off at step {at}"
    assert len(again.epochs) == 4
    begun = (at - 1) // 6 * 6 if steps is None else max(each for each in (0, 4, 6, 10, 12, 16, 18, 22) if each < at)
    came = (again.resumed_epoch or 0) * 6 + (again.resumed_step or 0)
    assert came == begun, f"broken off at step {at}"


def test_a_training_that_was_killed_after_its_last_epoch_has_nothing_left_to_train(train):
    whole = train("whole")
    again = train("whole")
    assert (again.resumed_epoch, again.resumed_step, again.closure_error) == (4, 0, None)
    assert what_was_learned(again) == what_was_learned(whole)


def test_keeping_checkpoints_changes_nothing_of_what_is_learned(train):
    plain, kept = train("plain", words=()), train("kept", steps=1)
    assert what_was_learned(plain) == what_was_learned(kept)
    assert plain.checkpoint_s is None
    assert kept.checkpoint_s > 0


def test_patience_that_had_ended_a_training_is_not_given_back(train):
    from dataclasses import replace

    recipe = replace(ONECYCLE, patience=1, learning_rate=1e-9)
    whole = train("whole", recipe)
    assert len(whole.epochs) == 2, "the second epoch brings nothing"
    assert len(train("whole", recipe).epochs) == 2


def test_the_last_k_the_best_and_every_k_th_are_kept_and_no_others(train, tmp_path):
    result = train("kept", words=("last:2", "best", "every:3"), workload={"epochs": 7})
    scores = [each.top1 for each in result.epochs]
    best = scores.index(max(scores)) + 1
    names = {f"epoch{number:04d}.pt" for number in {6, 7, best, 3}}
    assert {file.name for file in (tmp_path / "kept").iterdir()} == names | {"last.pt", "best.pt"}
    assert checkpoint_file.read(tmp_path / "kept" / "best.pt")["epoch"] == best
    assert checkpoint_file.read(tmp_path / "kept" / "last.pt")["epoch"] == 7


@pytest.mark.parametrize(
    ("words", "scores", "kept"),
    [
        (("last",), [0.1, 0.2], {2}),
        (("last:3",), [0.1, 0.2], {1, 2}),
        (("best",), [0.1, 0.5, 0.5, 0.2], {2}),
        (("every:2",), [0.0] * 5, {2, 4}),
        (("every:25", "best", "last:5"), [0.0] * 60 + [0.9] + [0.5] * 9, {25, 50, 61, 66, 67, 68, 69, 70}),
        (("last",), [], set()),
    ],
)
def test_which_epochs_are_kept(words, scores, kept):
    assert checkpoint_file.kept_epochs(words, scores)[0] == kept


def test_a_plain_torch_load_of_weights_only_opens_one_with_all_that_it_must_hold(train, tmp_path):
    train("kept", EVERYTHING)
    content = torch.load(tmp_path / "kept" / "last.pt", weights_only=True)
    assert content["schema"] == "bench.checkpoint/1"
    for part in ("model", "optimizer", "scheduler", "ema", "ranks", "results", "workload", "data"):
        assert content[part], part
    assert (content["epoch"], content["step"]) == (4, 0)
    assert set(content["ranks"][0]["rng"]) == {"python", "numpy", "torch", "device"}


def test_random_numbers_go_on_where_they_were():
    device = torch.device("cpu")
    drawn = lambda: (random.random(), np.random.rand(2).tolist(), np.random.randn(), torch.rand(2).tolist())  # noqa: E731, NPY002
    np.random.randn()  # noqa: NPY002 - leaves a second number behind
    state = rng.state(device)
    first = drawn()
    rng.restore(state, device)
    assert drawn() == first


def refusal(train, name: str, file: Path, recipe=ONECYCLE, **changes) -> WorkloadError:
    with pytest.raises(WorkloadError) as refused:
        train(name, recipe, keep={"start": str(file)}, **changes)
    assert refused.value.hint
    return refused.value


def test_a_checkpoint_of_another_training_is_refused_before_anything_is_trained(train, tmp_path, monkeypatch):
    train("kept", words=("last:4",))
    file = tmp_path / "kept" / "epoch0002.pt"
    assert "seed was 3, is 4" in refusal(train, "a", file, workload={"seed": 4}).message
    assert "recipe.optimizer was sgd, is adamw" in refusal(train, "b", file, EVERYTHING).message
    longer = refusal(train, "c", file, workload={"epochs": 9}).message
    assert "onecycle schedule is laid over 4 epochs, not 9" in longer
    done = refusal(train, "d", tmp_path / "kept" / "last.pt")
    assert ("trained 4 epochs already" in done.message, done.hint) == (True, "Ask for more: --epochs 5")
    assert "no checkpoint" in refusal(train, "e", tmp_path / "nowhere.pt").message
    stand_in(monkeypatch.setattr, shift=1)
    assert "other data than this tiny" in refusal(train, "f", file).message
    stand_in(monkeypatch.setattr, width=7)
    assert "another model: its 0.weight is [6, 1, 3, 3], not [7, 1, 3, 3]" in refusal(train, "g", file).message


def test_a_torn_or_damaged_file_is_refused_and_says_so(train, tmp_path):
    train("kept")
    whole = (tmp_path / "kept" / "last.pt").read_bytes()
    torn, bent, foreign, code = (tmp_path / f"{name}.pt" for name in ("torn", "bent", "foreign", "code"))
    torn.write_bytes(whole[: len(whole) // 2])
    assert "is torn, or no checkpoint" in refusal(train, "a", torn).message
    place = whole.index(checkpoint_file.read(tmp_path / "kept" / "last.pt")["model"]["6.weight"].numpy().tobytes()[:64])
    bent.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    torch.load(bent, weights_only=True)  # torch itself does not look
    assert "does not fit its checksum" in refusal(train, "b", bent).message
    torch.save({"model": {}}, foreign)
    assert "no checkpoint of bench" in refusal(train, "c", foreign).message
    torch.save({"path": Path("/")}, code)
    assert "more than tensors and plain values" in refusal(train, "d", code).message


def test_a_launch_whose_newest_checkpoint_is_damaged_goes_on_from_the_one_before_and_says_so(train, tmp_path):
    whole = train("whole", words=("last:4",))
    train("broken", words=("last:4",), until=20)
    newest = tmp_path / "broken" / "epoch0003.pt"
    newest.write_bytes(newest.read_bytes()[:-100])
    again = train("broken", words=("last:4",))
    assert again.resumed_epoch == 2
    assert "epoch0003.pt is torn" in again.warnings[0]
    assert what_was_learned(again) == what_was_learned(whole)


def test_another_number_of_ranks_is_converted_at_an_epochs_end_and_refused_within_one():
    content = {"configuration": {"batch_global": 16}, "ranks": [{}, {}], "step": 0}
    assert checkpoint.converted(Path("a.pt"), content, 2, 16) == []
    (note,) = checkpoint.converted(Path("a.pt"), content, 1, 16)
    assert "of 2 ranks, converted to 1" in note
    assert "not bitwise" in note
    with pytest.raises(WorkloadError, match=r"global batch of 16, asked for are 32.*--scaling strong --batch 16"):
        checkpoint.converted(Path("a.pt"), content, 2, 32)
    with pytest.raises(WorkloadError, match="saved within an epoch by 2 ranks"):
        checkpoint.converted(Path("a.pt"), {**content, "step": 3}, 1, 16)


def test_data_is_known_by_its_labels_and_pictures():
    assert checkpoint.data_digest(data()) == checkpoint.data_digest(data())
    assert checkpoint.data_digest(data()) != checkpoint.data_digest(data(shift=1))


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("recipe", ["onecycle", "everything"])
def test_gloo_ranks_of_which_one_was_killed_go_on_to_the_same_bits(tmp_path, recipe, world):
    if world == 3 and recipe == "everything":
        pytest.skip("a sum of three ranks is tested with the other recipe")
    keep = Checkpointing(checkpoint=("last",), checkpoint_steps=4)
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    of_ranks(tmp_path / "a", world, recipe, keep, tmp_path / "whole")
    at = random.randrange(5, STEPS + 1)
    of_ranks(tmp_path / "b", world, recipe, keep, tmp_path / "broken", die=at)
    of_ranks(tmp_path / "c", world, recipe, keep, tmp_path / "broken")
    ours, theirs = ended(tmp_path / "c"), ended(tmp_path / "a")
    assert ours.resumed_epoch is not None
    assert what_was_learned(ours) == what_was_learned(theirs), f"killed at step {at}"
    contents = [checkpoint_file.read(tmp_path / name / "last.pt") for name in ("broken", "whole")]
    assert same_bits(*contents), f"killed at step {at}"
    assert not any(math.isnan(each.train_loss) for each in ours.epochs)


@pytest.mark.slow
def test_a_process_killed_at_a_random_step_ten_times_of_ten_ends_with_the_same_bits(tmp_path):
    keep = Checkpointing(checkpoint=("last",), checkpoint_steps=4)
    (tmp_path / "whole").mkdir()
    of_ranks(tmp_path / "a", 1, "everything", keep, tmp_path / "whole")
    expected = checkpoint_file.read(tmp_path / "whole" / "last.pt")
    for number, at in enumerate(random.sample(range(1, STEPS + 1), 10)):
        folder = tmp_path / str(number)
        folder.mkdir()
        of_ranks(folder / "b", 1, "everything", keep, folder, die=at)
        of_ranks(folder / "c", 1, "everything", keep, folder)
        assert what_was_learned(ended(folder / "c")) == what_was_learned(ended(tmp_path / "a")), f"killed at step {at}"
        assert same_bits(checkpoint_file.read(folder / "last.pt"), expected), f"killed at step {at}"
