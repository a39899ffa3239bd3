"""A launch of a tiny training in this very process, or as Gloo ranks; used by the tests beside it.

`python tiny_training.py FOLDER RANK WORLD PORT OPTIONS` is one rank.
"""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from bench.learn.data import DataSet
from bench.plan import Checkpointing, Configuration, Workload
from bench.recipe import Phase, Recipe
from bench.worker import job, session
from bench.worker import run as launch
from bench.worker.bootstrap import Rank
from launchers.heartbeat import PHASES, Heart

ONECYCLE = Recipe(learning_rate=0.05, momentum=0.9, schedule="onecycle", weight_decay=5e-4)
EVERYTHING = Recipe(
    optimizer="adamw",
    learning_rate=0.01,
    schedule="cosine",
    mixup=0.2,
    label_smoothing=0.1,
    clip_norm=1.0,
    ema_decay=0.9,
    patience=9,
    phases=(Phase(from_epoch=0, dropout=0.3), Phase(from_epoch=2, dropout=0.1, mixup=0.0, augment=("flip",))),
)
RECIPES = {"onecycle": ONECYCLE, "everything": EVERYTHING}


class Net(nn.Sequential):
    """With norms, whose statistics differ by rank, and dropout, which draws random numbers."""

    def __init__(self, width: int = 6) -> None:
        super().__init__(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(width * 16, 6),
        )


def data(shift: int = 0) -> DataSet:
    """96 training and 24 test images of 8x8 in six classes that can be learned."""
    rng = torch.Generator().manual_seed(1 + shift)
    labels = torch.arange(120) % 6
    images = torch.randint(0, 120, (120, 1, 8, 8), generator=rng)
    images[torch.arange(120), 0, labels] += 120
    pixels = images.to(torch.uint8)
    names = tuple("abcdef")
    return DataSet("tiny", pixels[:96], labels[:96], pixels[96:], labels[96:], names, (0.4,), (0.3,), "tiny")


def job_of(world: int = 1, recipe: Recipe = ONECYCLE, **changes) -> job.Job:
    row = Configuration(
        strategy="single" if world == 1 else "ddp",
        ranks=world,
        device="cpu",
        backend=None if world == 1 else "gloo",
        cores_per_rank=1,
        batch_per_rank=16 // world,
        batch_global=16,
    )
    work = Workload(
        model="tiny", data="tiny", augment=("crop", "flip"), epochs=4, warmup_steps=2, seed=3, recipe=recipe
    )
    work = replace(work, **changes.pop("workload", {}))
    whole = {"launch_id": "x", "workload": work, "configuration": row, "oversubscribed": True, "stall_s": 60.0}
    return job.Job(**whole, minimum_steps=1, **changes)


def stand_in(patch=setattr, *, width: int = 6, shift: int = 0) -> None:
    """Have every launch of this process train the tiny model on the tiny data."""
    patch(session, "build", lambda *_: Net(width))
    patch(session, "of_workload", lambda *_, **__: data(shift))
    patch(gc, "collect", lambda: 0)  # ten times as long as all the rest
    patch(torch, "set_num_interop_threads", lambda _: None)  # may be said once a process


def rank_of(folder: Path, rank: int = 0, world: int = 1) -> Rank:
    folder.mkdir(parents=True, exist_ok=True)
    places = {"rank": rank, "world_size": world, "local_rank": rank, "node": 0}
    return Rank(**places, folder=folder, heart=Heart(folder, rank))


def die_at(step: int) -> None:
    """Have this process killed at the end of an optimizer step, counted over the launch from 1."""
    at_step(setattr, step, lambda: os.kill(os.getpid(), signal.SIGKILL))


class BrokenOffError(Exception):
    """Stands for a kill where the process has to live on."""


def broken_off(patch: pytest.MonkeyPatch, step: int) -> None:
    """Have the training stop at the end of an optimizer step, counted over the launch from 1."""

    def stop() -> None:
        raise BrokenOffError

    at_step(patch.setattr, step, stop)


def at_step(patch: Callable[..., None], step: int, what: Callable[[], None]) -> None:
    original, made = Heart.beat, 0

    def beat(self, number: int) -> None:
        nonlocal made
        original(self, number)
        made += PHASES[self._phase] in {"warm-up", "window"} and number > 0
        if made == step:
            what()

    patch(Heart, "beat", beat)


def ended(folder: Path) -> job.RankResult:
    result = job.read_result(folder, 0)
    assert result is not None
    assert result["status"] == "ok", result
    return job.RankResult.from_json(result)


def what_was_learned(result: job.RankResult) -> list:
    """Everything of the epochs that is not a duration, and the losses that a launch prints."""
    epochs = [{**vars(each), "train_s": 0, "evaluate_s": 0} for each in result.epochs]
    return [*epochs, result.loss_first, result.loss_last]


def same_bits(one, other) -> bool:
    """Whether two checkpoints' contents are equal to the last bit; durations aside."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(
            same_bits(one[name], other[name]) for name in one if name not in {"train_s", "evaluate_s", "versions"}
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same_bits(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return one == other


def of_ranks(
    folder: Path, world: int, recipe: str, keep: Checkpointing, checkpoints: Path, die: int | None = None
) -> None:
    """A launch of Gloo ranks to its end, or until one of them (the last) is killed at a step."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = json.dumps({"recipe": recipe, "keep": vars(keep), "checkpoints": str(checkpoints), "die": die})
    words = [
        (sys.executable, __file__, str(folder), str(rank), str(world), str(port), options) for rank in range(world)
    ]
    ranks = [subprocess.Popen(each, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for each in words]
    if die is not None:
        ranks[-1].wait(600)
        assert ranks[-1].returncode == -signal.SIGKILL, ranks[-1].communicate()[0]
        for each in ranks[:-1]:
            each.kill()  # as the supervisor would
    said = [each.communicate(timeout=600)[0] for each in ranks]
    if die is None:
        assert [each.returncode for each in ranks] == [0] * world, "\n".join(said)


def main() -> None:
    folder, rank, world, port, options = sys.argv[1:]
    asked = json.loads(options)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, RANK=rank, WORLD_SIZE=world)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    stand_in()
    if asked["die"] is not None and int(rank) == int(world) - 1:
        die_at(asked["die"])
    keep = Checkpointing(**{**asked["keep"], "checkpoint": tuple(asked["keep"]["checkpoint"])})
    if int(world) == 1:
        os.environ.pop("MASTER_PORT")
    launch.run(
        rank_of(Path(folder), int(rank), int(world)),
        job_of(int(world), RECIPES[asked["recipe"]], keep=keep, checkpoints=asked["checkpoints"]),
    )
    os._exit(0)


if __name__ == "__main__":
    main()
