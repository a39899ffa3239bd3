"""Is a checkpoint of this very training? Compared setting by setting, before anything is trained."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import Any

from torch import nn

from bench.learn import WorkloadError
from bench.learn.data import DataSet
from bench.plan import Workload

# May differ; epochs: see `_differences`.
_NO_MATTER = ("data_dir", "allow_empty_classes", "warmup_steps", "steps", "seconds", "epochs")
_LAID_OUT = ("warmup_epochs", "batch_warmup_epochs", "phases")  # over a run's length, whatever the schedule
_PICTURES = 256  # of the training set, that tell it from another one
_NAMED_AT_MOST = 4


def refuse(file: Path, content: dict[str, Any], workload: Workload, data: DataSet, model: nn.Module) -> None:
    """Refuse a checkpoint of something else.

    Raises:
        WorkloadError: with what differs.
    """
    differences = list(_differences(content["workload"], plain(workload)))
    if differences:
        more = f"; {len(differences) - _NAMED_AT_MOST} more" if len(differences) > _NAMED_AT_MOST else ""
        raise WorkloadError(
            f"{file} is of another training: {'; '.join(differences[:_NAMED_AT_MOST])}{more}.",
            "Ask for what it was trained with, or leave out --from to begin anew.",
        )
    if content["data"] != data_digest(data):
        raise WorkloadError(
            f"{file} was trained on other data than this {data.name}.",
            "Look at --data-dir, or leave out --from to begin anew.",
        )
    theirs, ours = content["model"], model.state_dict()
    if theirs.keys() != ours.keys():
        differing = sorted(theirs.keys() ^ ours.keys())
        raise WorkloadError(
            f"{file} is of another model: {len(differing)} tensors are in one of them only, as {differing[0]}.",
            "Look at --model, or leave out --from to begin anew.",
        )
    for name, tensor in theirs.items():
        if tensor.shape != ours[name].shape:
            raise WorkloadError(
                f"{file} is of another model: its {name} is {list(tensor.shape)}, not {list(ours[name].shape)}.",
                "Look at --model, --input-shape and --classes, or leave out --from to begin anew.",
            )


def converted(file: Path, content: dict[str, Any], ranks: int, batch_global: int) -> list[str]:
    """Take a checkpoint of another number of ranks: at the end of an epoch, for the same global batch, and aloud.

    Returns:
        What is to be said of it; nothing where nothing changes.

    Raises:
        WorkloadError: it cannot be.
    """
    then, was = content["configuration"], len(content["ranks"])
    if then["batch_global"] != batch_global:
        raise WorkloadError(
            f"{file} was trained with a global batch of {then['batch_global']}, asked for are {batch_global}.",
            f"Ask for the same: --scaling strong --batch {then['batch_global']}",
        )
    if was == ranks:
        return []
    if content["step"]:
        raise WorkloadError(
            f"{file} was saved within an epoch by {was} ranks, and cannot be shared out to {ranks}.",
            f"Go on with {was} ranks, or from a checkpoint at the end of an epoch.",
        )
    said = (
        f"the checkpoint is of {was} rank{'s' * (was != 1)}, converted to {ranks}: the same global batches, "
        "weights and optimizer, but other random numbers on a rank (dropout) and another order of sums: not bitwise"
    )
    return [said]


def data_digest(data: DataSet) -> str:
    """What tells a training set from another: its labels, its size, and every so many-th picture."""
    digest = blake2b(f"{data.name} {list(data.train_images.shape)}".encode(), digest_size=16)
    digest.update(data.train_labels.contiguous().numpy().data)
    stride = max(1, len(data.train_images) // _PICTURES)
    digest.update(data.train_images[::stride].contiguous().numpy().data)
    return digest.hexdigest()


def plain(noun: Any) -> dict[str, Any]:
    """A dataclass in the types that JSON gives back."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(noun)))
    return document


def _differences(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What is trained otherwise now, setting by setting."""
    then, now = (work | {f"recipe.{name}": each for name, each in work["recipe"].items()} for work in (then, now))
    for name in now:
        if name == "recipe" or name in _NO_MATTER:
            continue
        if then.get(name) != now[name]:
            yield f"{name} was {then.get(name)}, is {now[name]}"
    lengths = [name for name in _LAID_OUT if now[f"recipe.{name}"]]
    if then["epochs"] != now["epochs"] and (now["recipe.schedule"] != "constant" or lengths):
        yield f"its {now['recipe.schedule']} schedule is laid over {then['epochs']} epochs, not {now['epochs']}"
