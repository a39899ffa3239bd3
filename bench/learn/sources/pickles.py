"""CIFAR as its authors pickled it, checked value by value: a cast would make wrong pictures of wrong numbers."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.account import PicturesSeen
from bench.learn import WorkloadError
from bench.learn.sources.source import Images, Labels, Shape, Split, digest_of, refuse_labels, torn
from bench.printable import first_line

_SAVED_AS = "Save uint8 rows of all red, then green, then blue values"


def read(folder: Path, files: Sequence[str], labels_key: str, shape: Shape, classes: int) -> Split:
    """Pictures and labels of one part, in order of files.

    Raises:
        WorkloadError: a file is torn, or holds what no picture or label can be; with the value.
    """
    images, labels, digests = [], [], []
    seen: dict[bytes, str] = {}
    for name in files:
        batch = unpickled(folder / name)
        pixels = _pixels(folder / name, batch, shape)
        numbers = _labels(folder / name, batch, labels_key, classes)
        if len(pixels) != len(numbers):
            raise torn(folder / name, f"it holds {len(pixels)} images and {len(numbers)} labels")
        own = np.array([digest_of(each.tobytes()) for each in pixels], dtype=np.uint64)
        other = seen.setdefault(own.tobytes(), name)
        if other != name and len(own):
            raise WorkloadError(
                f"{folder / name} holds the same pictures as {other}.", "One of them is a copy; get it again."
            )
        images.append(pixels)
        labels.append(numbers)
        digests.append(own)
    count = sum(map(len, images))
    size = f"{shape[2]}x{shape[1]}"
    seen_there = PicturesSeen(sizes=dict.fromkeys(("smallest", "usual", "largest"), size), modes={"RGB": count})
    return Split(np.concatenate(images), np.concatenate(labels), np.concatenate(digests), seen_there)


def unpickled(file: Path) -> dict[str, Any]:
    """A dictionary with text keys, whether Python 2 or 3 wrote it, and whether its keys are texts or bytes.

    Raises:
        WorkloadError: it is torn, or holds anything but arrays and plain values.
    """
    try:
        with file.open("rb") as stream:
            content = _ArraysOnly(stream, encoding="latin1").load()
    except _ForbiddenError as error:
        raise WorkloadError(
            f"{file} holds {error}, and only NumPy arrays, lists and texts are read.", "Save its arrays as NumPy's."
        ) from error
    except PermissionError as error:
        raise WorkloadError(f"{file} cannot be read: {error.strerror}.", "Allow it.") from error
    except Exception as error:  # a torn pickle can raise nearly anything
        raise torn(file, first_line(error)) from error
    if not isinstance(content, Mapping):
        raise WorkloadError(
            f"{file} holds a {type(content).__name__}, and no dictionary of images and labels.", _SAVED_AS
        )
    return {_text(key): value for key, value in content.items()}


def names(file: Path, key: str) -> tuple[str, ...] | None:
    """The class names of a meta file; None where it has none.

    Raises:
        WorkloadError: it is torn, or its names are no list of texts that differ.
    """
    given = unpickled(file).get(key, [])
    listed = given.tolist() if isinstance(given, np.ndarray) else given
    if not isinstance(listed, list | tuple) or not all(isinstance(each, str | bytes) for each in listed):
        raise WorkloadError(f"{file}: {key} is {str(listed)[:40]!r}, not a list of texts.", "Give each class a name.")
    found = tuple(map(_text, listed))
    twice = next((name for name in found if found.count(name) > 1), None)
    if twice is not None:
        raise WorkloadError(f"{file}: {key} gives two classes the name {twice!r}.", "Names have to differ.")
    return found or None


def _text(key: Any) -> str:
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)


def _pixels(file: Path, batch: Mapping[str, Any], shape: Shape) -> Images:
    if "data" not in batch:
        raise WorkloadError(f"{file} has no data; it has {', '.join(batch) or 'nothing'}.", "Check --data-dir.")
    try:
        array = np.asarray(batch["data"])
    except ValueError as error:
        raise WorkloadError(f"{file}: data has rows of different lengths.", _SAVED_AS) from error
    count, length = len(array) if array.ndim else 0, int(np.prod(shape))
    if array.shape not in {(count, length), (count, *shape)}:
        found = "x".join(map(str, array.shape)) or "a single value"
        turned = array.shape == (count, *shape[1:], shape[0])
        way = f"{_SAVED_AS}: data.transpose(0, 3, 1, 2).reshape(-1, {length})" if turned else _SAVED_AS
        raise WorkloadError(f"{file}: data is {found}, not {count} rows of {length}.", way)
    if not np.issubdtype(array.dtype, np.integer):
        example = array.reshape(-1)[0] if array.size else None
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            example = array[~np.isfinite(array)][0]
        raise WorkloadError(
            f"{file}: data is {array.dtype}, as {example}; pixels are whole numbers from 0 to 255.",
            f"{_SAVED_AS}; fractions of 1 times 255.",
        )
    if array.size and (array.min() < 0 or array.max() > 255):
        wrong = array[(array < 0) | (array > 255)][0]
        raise WorkloadError(f"{file}: data holds {wrong}; pixels are whole numbers from 0 to 255.", _SAVED_AS)
    return array.astype(np.uint8).reshape(-1, *shape)


def _labels(file: Path, batch: Mapping[str, Any], key: str, classes: int) -> Labels:
    if key not in batch:
        raise WorkloadError(f"{file} has no {key}; it has {', '.join(batch)}.", "Check --data and --data-dir.")
    values = batch[key]
    listed = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(listed, list | tuple):
        raise WorkloadError(f"{file}: {key} is {str(listed)[:40]!r}, not a list of numbers.", "One label a picture.")
    for row, value in enumerate(listed):
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
            raise WorkloadError(
                f"{file}: label {row} of {key} is {value!r}; labels are whole numbers, 0 to {classes - 1}.",
                "Mend the file, or get it again.",
            )
    numbers = np.array([min(max(value, -(2**62)), 2**62) for value in listed], dtype=np.int64)
    refuse_labels(numbers, classes, f"{file}: label {{row}} of {key}")
    return numbers


class _ForbiddenError(Exception):
    """A pickle asks for something that is no array."""


class _ArraysOnly(pickle.Unpickler):
    """A data file is data: it may make arrays and plain values, and nothing else that a pickle could ask for."""

    _ALLOWED = frozenset(
        {
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
            *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
            *((f"numpy.{core}.multiarray", "scalar") for core in ("core", "_core")),
            *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise _ForbiddenError(f"{module}.{name}")
        return super().find_class(module, name)
