"""Class-folder trees: `train/<class>/*.jpg` beside `val/` or `test/`, or one flat `<class>/` tree to be split."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from math import prod
from pathlib import Path

import numpy as np
import psutil
import torch

from bench.learn import WorkloadError
from bench.learn.data.dataset import DataSet, Request, Shape, described
from bench.learn.data.decoded import Images, Labels, remembered
from bench.learn.data.pictures import CHANNELS, decode, threads
from bench.learn.data.places import data_folder, missing, torn
from bench.learn.naming import named

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
_TEST_FOLDERS = ("val", "validation", "test")
_SHARE_OF_FREE_MEMORY = 4  # at most a quarter of it

Picture = tuple[Path, int]  # file, label


@named("folder")
def folder(request: Request) -> DataSet:
    """Pictures scaled and centre-cropped to `input_shape` (default 3x224x224), all of them in memory as uint8.

    A tree without a folder for testing is split 80 to 20 by a hash of each file's name: the same on every machine, and
    unmoved by new pictures.

    Raises:
        WorkloadError: no such tree, an empty class, a damaged picture, or more than a quarter of the free memory.
    """
    shape = request.input_shape or (3, 224, 224)
    if shape[0] not in CHANNELS:
        raise WorkloadError(f"Pictures have 1 or 3 channels, not {shape[0]}.", "Set --input-shape, such as 3,224,224.")
    root = data_folder(request.folder)
    training = root / "train" if (root / "train").is_dir() else root
    names = _classes(training)
    if len(names) < 2:
        raise missing(request.name, root, "class folders with pictures in them")
    if request.classes not in (None, len(names)):
        raise WorkloadError(
            f"{training} has {len(names)} classes with pictures, not {request.classes}.",
            f"Look for the ones that are missing or empty; if these are all, say --classes {len(names)}.",
        )
    testing = next((root / each for each in _TEST_FOLDERS if (root / each).is_dir()), None)
    if testing is not None and training != root and (unknown := sorted(set(_classes(testing)) - set(names))):
        raise WorkloadError(
            f"Class {unknown[0]!r} has pictures in {testing} and none in {training}.",
            "Every class needs some in every part.",
        )
    pictures = _pictures(training, names)
    if testing is not None and training != root:
        train, test = pictures, _pictures(testing, names)
    else:
        train = [each for each in pictures if not _for_testing(each[0])]
        test = [each for each in pictures if _for_testing(each[0])]
    if not train or not test:
        raise WorkloadError(f"{root} has too few pictures to train and to test.", "Add pictures, or a folder val/.")
    _refuse_too_many(len(train) + len(test), shape)
    train_images, train_labels = _read(train, shape)
    test_images, test_labels = _read(test, shape)
    colour = shape[0] == 3
    return DataSet(
        name=request.name,
        train_images=torch.from_numpy(train_images),
        train_labels=torch.from_numpy(train_labels),
        test_images=torch.from_numpy(test_images),
        test_labels=torch.from_numpy(test_labels),
        class_names=names,
        mean=(0.485, 0.456, 0.406) if colour else (0.449,),  # ImageNet's, and their mean
        std=(0.229, 0.224, 0.225) if colour else (0.226,),
        described=described(
            request.name, torch.from_numpy(train_images), torch.from_numpy(test_images), len(names), str(root)
        ),
    )


def _classes(root: Path) -> tuple[str, ...]:
    """Folders that hold pictures, in order of name."""
    if not root.is_dir():
        return ()
    folders = (each for each in root.iterdir() if each.is_dir() and not each.name.startswith("."))
    return tuple(sorted(each.name for each in folders if _files(each)))


def _files(place: Path) -> list[Path]:
    return sorted(file for file in place.iterdir() if file.suffix.lower() in _SUFFIXES and file.is_file())


def _pictures(root: Path, names: Sequence[str]) -> list[Picture]:
    pictures = []
    for label, name in enumerate(names):
        files = _files(root / name) if (root / name).is_dir() else []
        if not files:
            raise WorkloadError(f"Class {name!r} has no pictures in {root}.", "Every class needs some in every part.")
        pictures += [(file, label) for file in files]
    return pictures


def _for_testing(file: Path) -> bool:
    digest = blake2b(f"{file.parent.name}/{file.name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % 5 == 0


def _refuse_too_many(count: int, shape: Shape) -> None:
    wanted, free = count * prod(shape), psutil.virtual_memory().available
    sides = "x".join(map(str, shape))
    if wanted > free / _SHARE_OF_FREE_MEMORY:
        raise WorkloadError(
            f"{count:,} pictures of {sides} are {wanted / 2**30:.1f} GiB; {free / 2**30:.1f} GiB are free.",
            "Only a quarter of the free memory is used so far: ask for smaller images with --input-shape.",
        )


def _read(pictures: Sequence[Picture], shape: Shape) -> tuple[Images, Labels]:
    return remembered([file for file, _ in pictures], shape, lambda: _decoded(pictures, shape))


def _decoded(pictures: Sequence[Picture], shape: Shape) -> tuple[Images, Labels]:
    images = np.empty((len(pictures), *shape), dtype=np.uint8)

    def put(row: int) -> None:
        file = pictures[row][0]
        try:
            images[row] = decode(file, shape)
        except ValueError as error:
            raise torn(file, str(error)) from error

    with ThreadPoolExecutor(threads()) as pool:
        for _ in pool.map(put, range(len(pictures))):
            pass  # an error in a thread is raised here
    return images, np.array([label for _, label in pictures], dtype=np.int64)
