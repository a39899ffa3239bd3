"""CIFAR-10 and CIFAR-100 (A. Krizhevsky, 2009): 50,000 training and 10,000 test images of 3x32x32.

Read as the authors' pickles (the folders that torchvision unpacks) or as parquet in the hub's layout.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.account import Account, LeftOut
from bench.learn import WorkloadError
from bench.learn.naming import named
from bench.learn.sources import hub, pickles
from bench.learn.sources.source import (
    DataRequest,
    Labels,
    Source,
    Split,
    data_folder,
    missing,
    refuse_empty_classes,
    refuse_other_sizes,
)

_SHAPE = (3, 32, 32)
_PUBLISHED = (50_000, 10_000)  # training and test pictures of either
_ARCHIVES = ("*.tar.gz", "*.tgz", "*.tar", "*.zip")


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
def cifar10(request: DataRequest) -> Source:
    """CIFAR-10: 10 classes, 5,000 training and 1,000 test images of each.

    Raises:
        WorkloadError: the files are missing, incomplete or damaged, or another shape was asked for.
    """
    return _load(request, _CIFAR10)


@named("cifar100")
def cifar100(request: DataRequest) -> Source:
    """CIFAR-100 with its 100 fine labels. Raises as `cifar10` does."""
    return _load(request, _CIFAR100)


def _load(request: DataRequest, layout: _Layout) -> Source:
    """Find the data set, and check that labels and class names agree."""
    refuse_other_sizes(request, _SHAPE, layout.classes)
    root = data_folder(request.folder)
    tops = (root, root / request.name)
    pickled = next((each for top in tops for each in (top, top / layout.pickles) if _holds_any(each, layout)), None)
    parquet = next((top / each for top in tops for each in layout.hub_folders if _holds_parquet(top / each)), None)
    if pickled is not None:
        return _of_pickles(request, layout, pickled, parquet)
    if parquet is not None:
        return _of_parquet(request, layout, parquet)
    archive = next((each for top in tops for kind in _ARCHIVES for each in sorted(top.glob(kind))), None)
    instead = f"Unpack {archive} first: archives are not read." if archive else ""
    raise missing(request.name, root, f"{layout.pickles} and no train-*.parquet", instead)


def _holds_any(folder: Path, layout: _Layout) -> bool:
    return any((folder / name).is_file() for name in (*layout.train, layout.test, layout.meta))


def _holds_parquet(folder: Path) -> bool:
    names = ("train-*.parquet", "test-*.parquet", "train.parquet", "train/[0-9]*.parquet")
    return any(next(folder.glob(name), None) for name in names)


def _of_parquet(request: DataRequest, layout: _Layout, folder: Path) -> Source:
    files = {split: hub.parts(folder, split) for split in ("train", "test")}
    for split, there in files.items():
        if not there:
            raise WorkloadError(f"{folder} has no {split}-*.parquet.", "Get the missing part.")
    names = hub.class_names(files["train"][0])
    _refuse_other_classes(request, layout, folder, names)
    train, test = (hub.labels(files[split], layout.classes) for split in ("train", "test"))

    def read() -> tuple[Split, Split]:
        return hub.read(files["train"], _SHAPE, train, request), hub.read(files["test"], _SHAPE, test, request)

    taken = [*files["train"], *files["test"]]
    beside = [file for place in {file.parent for file in taken} for file in place.glob("*.parquet")]
    return _source(request, layout, folder, names, (train, test), read, taken, beside)


def _of_pickles(request: DataRequest, layout: _Layout, folder: Path, parquet: Path | None) -> Source:
    everything = (*layout.train, layout.test, layout.meta)
    lacking = [name for name in everything if not (folder / name).is_file()]
    if lacking:
        raise WorkloadError(f"{folder} lacks {', '.join(lacking)}.", "Unpack the archive again.")
    names = pickles.names(folder / layout.meta, layout.names_key)
    _refuse_other_classes(request, layout, folder, names)
    train, test = (
        pickles.read(folder, files, layout.labels_key, _SHAPE, layout.classes)
        for files in (layout.train, (layout.test,))
    )
    remarks = []
    if parquet is not None:
        remarks = [
            (f"the parquet files of {request.name} are not used: {layout.pickles} is there", "remove one of them")
        ]
    files = [folder / name for name in everything]
    beside = [file for file in folder.glob("*batch*") if file.is_file()]
    numbers = train.labels, test.labels
    return _source(request, layout, folder, names, numbers, lambda: (train, test), files, beside, remarks)


def _refuse_other_classes(request: DataRequest, layout: _Layout, folder: Path, names: tuple[str, ...] | None) -> None:
    if names is not None and len(names) != layout.classes:
        raise WorkloadError(
            f"{folder} holds {len(names)} classes; {request.name} has {layout.classes}.", "Check --data and --data-dir."
        )


def _source(  # noqa: PLR0917 - what is known of the files of either layout
    request: DataRequest,
    layout: _Layout,
    folder: Path,
    names: tuple[str, ...] | None,  # None: the files name no classes
    labels: tuple[Labels, Labels],
    read: Callable[[], tuple[Split, Split]],
    taken: Sequence[Path],
    beside: Sequence[Path],  # files of their kind in the same folders, those that are taken among them
    remarks: Sequence[tuple[str, str]] = (),
) -> Source:
    left = sorted({*beside} - {*taken})
    fix = "remove them, or give them a part's name"
    left_out = [
        LeftOut(kind=f"files that are no part of {request.name}", count=len(left), example=str(each), fix=fix)
        for each in [file.relative_to(folder) for file in left[:1]]
    ]
    names = names or tuple(str(label) for label in range(layout.classes))
    training, validation = (tuple(np.bincount(each, minlength=layout.classes).tolist()) for each in labels)
    found = len(labels[0]), len(labels[1])
    if found != _PUBLISHED:
        whole = " and ".join(f"{count:,}" for count in _PUBLISHED)
        what = f"{found[0]:,} training and {found[1]:,} test pictures; {request.name} has {whole}"
        remarks = [*remarks, (what, "do not compare its accuracy with published numbers")]
    account = Account(
        name=request.name,
        found=len(taken) + len(left),
        taken=len(taken),
        left_out=tuple(left_out),
        split="its test part is for validation",
        classes=names,
        training=training,
        validation=validation,
        remarks=tuple(remarks),
    )
    refuse_empty_classes(request, account)
    return Source(
        name=request.name,
        shape=_SHAPE,
        class_names=names,
        mean=layout.mean,
        std=layout.std,
        place=str(folder),
        account=account,
        read=read,
    )
