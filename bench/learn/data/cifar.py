"""CIFAR-10 and CIFAR-100 (A. Krizhevsky, 2009): 50,000 training and 10,000 test images of 3x32x32.

Read as the authors' pickles (the folders that torchvision unpacks) or as parquet in the hub's layout.
"""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.learn import WorkloadError
from bench.learn.data import hub
from bench.learn.data.dataset import DataSet, Request, described, refuse_other_sizes
from bench.learn.data.decoded import Images, Labels
from bench.learn.data.places import data_folder, missing, torn
from bench.learn.naming import named

_SHAPE = (3, 32, 32)


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """Where one of the two keeps what."""

    classes: int
    pickles: str  # the folder of the authors' archive
    train: tuple[str, ...]
    test: str
    meta: str
    names_key: str
    labels_key: str
    hub_folders: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


_CIFAR10 = _Layout(
    classes=10,
    pickles="cifar-10-batches-py",
    train=tuple(f"data_batch_{part}" for part in range(1, 6)),
    test="test_batch",
    meta="batches.meta",
    names_key="label_names",
    labels_key="labels",
    hub_folders=(".", "plain_text", "data"),
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
)
_CIFAR100 = _Layout(
    classes=100,
    pickles="cifar-100-python",
    train=("train",),
    test="test",
    meta="meta",
    names_key="fine_label_names",
    labels_key="fine_labels",
    hub_folders=(".", "cifar100", "data"),
    mean=(0.5071, 0.4865, 0.4409),
    std=(0.2673, 0.2564, 0.2762),
)


@named("cifar10")
def cifar10(request: Request) -> DataSet:
    """CIFAR-10: 10 classes, 5,000 training and 1,000 test images of each. Raises as `_load` does."""
    return _load(request, _CIFAR10)


@named("cifar100")
def cifar100(request: Request) -> DataSet:
    """CIFAR-100 with its 100 fine labels. Raises as `_load` does."""
    return _load(request, _CIFAR100)


def _load(request: Request, layout: _Layout) -> DataSet:
    """Find the data set, read it whole, and check that labels and class names agree.

    Raises:
        WorkloadError: the files are missing, incomplete or damaged, or another shape was asked for.
    """
    refuse_other_sizes(request, _SHAPE, layout.classes)
    root = data_folder(request.folder)
    tops = (root, root / request.name)
    pickled = next((each for top in tops for each in (top, top / layout.pickles) if _holds_any(each, layout)), None)
    parquet = next((top / each for top in tops for each in layout.hub_folders if _holds_parquet(top / each)), None)
    if pickled is not None:
        (train_images, train_labels), (test_images, test_labels), names = _from_pickles(pickled, layout)
    elif parquet is not None:
        (train_images, train_labels), (test_images, test_labels), names = _from_parquet(parquet)
    else:
        raise missing(request.name, root, f"{layout.pickles} and no train-*.parquet")
    source = pickled or parquet
    names = names or tuple(str(label) for label in range(layout.classes))
    highest = max(int(train_labels.max()), int(test_labels.max()))
    if len(names) != layout.classes or highest >= layout.classes:
        found = max(len(names), highest + 1)
        raise WorkloadError(
            f"{source} holds {found} classes; {request.name} has {layout.classes}.", "Check --data-dir."
        )
    train, test = torch.from_numpy(train_images), torch.from_numpy(test_images)
    return DataSet(
        name=request.name,
        train_images=train,
        train_labels=torch.from_numpy(train_labels),
        test_images=test,
        test_labels=torch.from_numpy(test_labels),
        class_names=names,
        mean=layout.mean,
        std=layout.std,
        described=described(request.name, train, test, layout.classes, str(source)),
    )


def _holds_any(folder: Path, layout: _Layout) -> bool:
    return any((folder / name).is_file() for name in (*layout.train, layout.test, layout.meta))


def _holds_parquet(folder: Path) -> bool:
    return bool(hub.parts(folder, "train") or hub.parts(folder, "test"))


def _from_parquet(folder: Path) -> tuple[tuple[Images, Labels], tuple[Images, Labels], tuple[str, ...] | None]:
    splits = {split: hub.parts(folder, split) for split in ("train", "test")}
    for split, files in splits.items():
        if not files:
            raise WorkloadError(f"{folder} has no {split}-*.parquet.", "Get the missing part.")
    return hub.read(splits["train"], _SHAPE), hub.read(splits["test"], _SHAPE), hub.class_names(splits["train"][0])


def _from_pickles(
    folder: Path, layout: _Layout
) -> tuple[tuple[Images, Labels], tuple[Images, Labels], tuple[str, ...] | None]:
    lacking = [name for name in (*layout.train, layout.test, layout.meta) if not (folder / name).is_file()]
    if lacking:
        raise WorkloadError(f"{folder} lacks {', '.join(lacking)}.", "Unpack the archive again.")
    names = tuple(_unpickled(folder / layout.meta).get(layout.names_key, ())) or None
    return _pictures(folder, layout.train, layout), _pictures(folder, (layout.test,), layout), names


def _pictures(folder: Path, files: Sequence[str], layout: _Layout) -> tuple[Images, Labels]:
    images, labels = [], []
    for name in files:
        batch = _unpickled(folder / name)
        try:
            images.append(np.asarray(batch["data"], dtype=np.uint8).reshape(-1, *_SHAPE))
            labels.append(np.asarray(batch[layout.labels_key], dtype=np.int64))
        except (KeyError, ValueError, TypeError) as error:
            raise torn(folder / name, f"it holds no images and {layout.labels_key}") from error
        if len(images[-1]) != len(labels[-1]):
            raise torn(folder / name, f"it holds {len(images[-1])} images and {len(labels[-1])} labels")
    return np.concatenate(images), np.concatenate(labels)


class _ArraysOnly(pickle.Unpickler):
    """A data file is data: it may make arrays and plain values, and nothing else that a pickle could ask for."""

    _ALLOWED = frozenset(
        {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
            *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
            *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def _unpickled(file: Path) -> dict[str, Any]:
    """A dictionary with text keys, whether Python 2 or 3 wrote it."""
    try:
        with file.open("rb") as stream:
            content = _ArraysOnly(stream, encoding="latin1").load()
        return dict(content)
    except Exception as error:  # a torn pickle can raise nearly anything
        told = (str(error).splitlines() or [type(error).__name__])[0]
        raise torn(file, told) from error
