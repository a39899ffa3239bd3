"""Class-folder trees: `train/<class>/*.jpg` beside `val/` or `test/`, or one flat `<class>/` tree to be split."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from math import prod
from pathlib import Path

import numpy as np
import psutil

from bench.account import VALIDATION, Account
from bench.learn import WorkloadError
from bench.learn.naming import named
from bench.learn.sources.decoded import remembered
from bench.learn.sources.file_tree import Tree, Where, shown, walked
from bench.learn.sources.pictures import CHANNELS, PictureFacts, PixelsError, decode, summary, threads
from bench.learn.sources.source import (
    DataRequest,
    Shape,
    SlowWork,
    Source,
    Split,
    data_folder,
    digest_of,
    missing,
    refuse_empty_classes,
)
from bench.learn.sources.tree_layout import Classes, TreeLayout, understood
from bench.printable import first_line

_SHARE_OF_FREE_MEMORY = 4  # at most a quarter of it
_NOT_TAKEN = "of folders that are not used"

Picture = tuple[Where, int]  # place, label


@named("folder")
def folder(request: DataRequest) -> Source:
    """Pictures scaled and centre-cropped to `input_shape` (default 3x224x224), all of them in memory as uint8.

    A tree without a folder for validation is split 80 to 20 within each class by a hash of each file's name: the same
    on every machine, and unmoved by new pictures.

    Raises:
        WorkloadError: no such tree, an empty class, or more pictures than a quarter of the free memory.
    """
    shape = request.input_shape or (3, 224, 224)
    if shape[0] not in CHANNELS:
        raise WorkloadError(f"Pictures have 1 or 3 channels, not {shape[0]}.", "Set --input-shape, such as 3,224,224.")
    root = data_folder(request.folder)
    if not root.is_dir():
        raise missing(request.name, root, "class folders with pictures in them")
    tree = walked(root, request.tell)
    layout = understood(tree)
    training, validation = (layout.training, layout.validation) if layout.validation is not None else _split(layout)
    names = tuple(sorted({*training, *validation}))
    if request.classes not in (None, len(names)):
        raise WorkloadError(
            f"{root} has {len(names)} classes with pictures, not {request.classes}.",
            f"Look for the ones that are missing or empty; if these are all, say --classes {len(names)}.",
        )
    account = _account(tree, layout, names, training, validation)
    refuse_empty_classes(request, account)
    _refuse_too_many(sum((*account.training, *account.validation)), shape)
    parts = _numbered(names, training), _numbered(names, validation)
    colour = shape[0] == 3
    return Source(
        name=request.name,
        shape=shape,
        class_names=names,
        mean=(0.485, 0.456, 0.406) if colour else (0.449,),  # ImageNet's, and their mean
        std=(0.229, 0.224, 0.225) if colour else (0.226,),
        place=str(root),
        account=account,
        read=lambda: (_read(root, parts[0], names, shape, request), _read(root, parts[1], names, shape, request)),
        namer=lambda row: shown(parts[1][row][0]),
    )


def _split(layout: TreeLayout) -> tuple[Classes, Classes]:
    """One picture in five of each class for validation; at least one of each, where the class has two."""
    training: dict[str, Sequence[Where]] = {}
    validation: dict[str, Sequence[Where]] = {}
    for name, pictures in layout.training.items():
        lots = {each: _lot(name, each[layout.depth :]) for each in pictures}
        ranked = sorted(pictures, key=lambda each: (lots[each] % 5 != 0, lots[each]))
        count = sum(lot % 5 == 0 for lot in lots.values())
        chosen = set(ranked[: min(max(count, 1), len(ranked) - 1)])
        training[name] = [each for each in pictures if each not in chosen]
        validation[name] = [each for each in pictures if each in chosen]
    return training, validation


def _lot(name: str, place: Where) -> int:
    """A number that depends on the class and the file's name in it alone."""
    path = "/".join((name, *place)).encode(errors="surrogateescape")
    return int.from_bytes(blake2b(path, digest_size=8).digest())


def _account(tree: Tree, layout: TreeLayout, names: Sequence[str], training: Classes, validation: Classes) -> Account:
    taken = {each for part in (training, validation) for pictures in part.values() for each in pictures}
    for each in tree.pictures:
        if each not in taken:
            in_a_part = "/".join(each[:-1]) in {*layout.folders.values(), ""}
            what = "outside of class folders" if in_a_part else _NOT_TAKEN
            tree.leave_out(f"pictures {what}", each, "move them into a class folder of a part to use them")
    where = layout.folders.get(VALIDATION)
    return Account(
        name="folder",
        found=tree.found,
        taken=len(taken),
        left_out=tree.left_out,
        folders=layout.folders,
        split=f"{where}/ is for validation" if where else "one in five of each class is for validation",
        classes=tuple(names),
        training=tuple(len(training.get(name, ())) for name in names),
        validation=tuple(len(validation.get(name, ())) for name in names),
        remarks=layout.remarks,
    )


def _numbered(names: Sequence[str], classes: Mapping[str, Sequence[Where]]) -> list[Picture]:
    return [(place, label) for label, name in enumerate(names) for place in classes.get(name, ())]


def _refuse_too_many(count: int, shape: Shape) -> None:
    wanted, free = count * prod(shape), psutil.virtual_memory().available
    size = "x".join(map(str, shape))
    if wanted > free / _SHARE_OF_FREE_MEMORY:
        raise WorkloadError(
            f"{count:,} pictures of {size} are {wanted / 2**30:.1f} GiB; {free / 2**30:.1f} GiB are free.",
            "Only a quarter of the free memory is used so far: ask for smaller images with --input-shape.",
        )


def _read(root: Path, pictures: Sequence[Picture], names: Sequence[str], shape: Shape, request: DataRequest) -> Split:
    files = [root.joinpath(*place) for place, _ in pictures]
    labels = [label for _, label in pictures]
    return remembered(files, shape, [names, labels], lambda: _decoded(root, pictures, shape, request))


def _decoded(root: Path, pictures: Sequence[Picture], shape: Shape, request: DataRequest) -> Split:
    """Every picture; those that cannot be read are all found before the first of them is named."""
    images = np.empty((len(pictures), *shape), dtype=np.uint8)
    digests = np.empty(len(pictures), dtype=np.uint64)
    progress = SlowWork(request.tell, f"Data     decoding {len(pictures):,} pictures of {root}")

    def put(row: int) -> PictureFacts | tuple[str, str]:
        place = pictures[row][0]
        try:
            blob = root.joinpath(*place).read_bytes()
            images[row], look = decode(blob, shape)
        except OSError as error:
            return f"cannot be read: {error.strerror or first_line(error)}", "Allow it, or leave the file out."
        except PixelsError as error:
            return f"cannot be taken: {error}", "Convert it, or leave it out."
        except ValueError as error:
            return f"is damaged: {first_line(error)}", "Delete it or get it again."
        digests[row] = digest_of(blob)
        progress.at(row + 1, len(pictures))
        return look

    with ThreadPoolExecutor(threads()) as pool:
        results = list(pool.map(put, range(len(pictures))))
    damaged = [(row, each) for row, each in enumerate(results) if isinstance(each, tuple)]
    if damaged:
        row, (reason, way_out) = damaged[0]
        more = f"; {len(damaged) - 1} more of {len(pictures):,} cannot be taken either" if len(damaged) > 1 else ""
        raise WorkloadError(f"{root.joinpath(*pictures[row][0])} {reason}{more}.", way_out)
    looks = [each for each in results if isinstance(each, PictureFacts)]
    return Split(images, np.array([label for _, label in pictures], dtype=np.int64), digests, summary(looks))
