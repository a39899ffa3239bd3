"""Decoded images are kept: 60,000 JPEGs take seconds, and every launch of a study would pay them again.

A pair of .npy files for each source, in the cache folder. A copy is known by its files' paths, sizes and times, so a
changed source is decoded anew; a copy that is torn or does not fit is ignored; a folder that cannot be written is too.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.learn.data.places import cache_folder

Images = NDArray[np.uint8]  # [n, channels, height, width]
Labels = NDArray[np.int64]  # [n]
_PAGE_BYTES = 4096
_FORMAT = 1  # raise it when the same files would decode to something else


def remembered(
    files: Sequence[Path], shape: tuple[int, int, int], decode: Callable[[], tuple[Images, Labels]]
) -> tuple[Images, Labels]:
    """What `decode` returns for these files, from the kept copy where there is one; images are then memory-mapped."""
    facts = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    key = sha256(json.dumps([_FORMAT, shape, facts]).encode()).hexdigest()[:32]
    places = (cache_folder() / "decoded" / f"{key}.images.npy", cache_folder() / "decoded" / f"{key}.labels.npy")
    kept = _read(*places, shape)
    if kept is not None:
        return kept
    fresh = decode()
    with suppress(OSError):
        _write(places[0], fresh[0])
        _write(places[1], fresh[1])
    return fresh


def _read(images_file: Path, labels_file: Path, shape: tuple[int, int, int]) -> tuple[Images, Labels] | None:
    try:
        images = np.load(images_file, mmap_mode="c")  # "c": torch wants memory that could be written
        labels = np.load(labels_file)
    except (OSError, ValueError, EOFError):
        return None
    fits = images.dtype == np.uint8 and labels.dtype == np.int64 and labels.ndim == 1
    if not fits or images.shape != (len(labels), *shape):
        return None
    images.reshape(-1)[::_PAGE_BYTES].sum()  # fault every page in now, not in the middle of a measurement
    return images, labels


def _write(file: Path, array: Images | Labels) -> None:
    """Whole or not at all: another rank may be reading."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        with partial.open("wb") as stream:
            np.save(stream, array)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
