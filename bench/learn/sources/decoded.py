"""Decoded images are kept: 60,000 JPEGs take seconds, and every launch of a study would pay them again.

Three files for each part, in the cache folder. A copy is known by its files' paths, sizes and times, by the labels and
class names they were taken for, the shape, and the version that decoded it: whatever changes, it is decoded anew. A
copy that is torn or does not fit is ignored; a folder that cannot be written is too.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from bench import whole_file
from bench.account import PicturesSeen
from bench.learn.sources.source import Split, cache_folder

_PAGE_BYTES = 4096
_FORMAT = 2  # raise it when the same files would decode to something else


def remembered(
    files: Sequence[Path], shape: tuple[int, int, int], taken_for: Any, decode: Callable[[], Split]
) -> Split:
    """What `decode` returns for these files, from the kept copy where there is one; images are then memory-mapped.

    Args:
        files: what is decoded.
        shape: of an image.
        taken_for: what else the result depends on, in JSON's types: labels, class names.
        decode: makes it.
    """
    facts = []
    for file in files:
        known = file.stat()  # the change time too: a copy tool restores the other one
        facts.append((str(file.absolute()), known.st_ino, known.st_size, known.st_mtime_ns, known.st_ctime_ns))
    key = sha256(json.dumps([_FORMAT, PIL.__version__, shape, facts, taken_for]).encode()).hexdigest()[:32]
    place = cache_folder() / "decoded" / key
    kept = _read(place, shape)
    if kept is not None:
        return kept
    fresh = decode()
    with suppress(OSError):  # each whole: another rank may be reading
        place.parent.mkdir(parents=True, exist_ok=True)
        for name, array in (("images", fresh.images), ("labels", fresh.labels), ("digests", fresh.digests)):
            with whole_file.drafted(place.with_suffix(f".{name}.npy")) as stream:
                np.save(stream, array)
        whole_file.write({place.with_suffix(".seen.json"): json.dumps(asdict(fresh.seen)).encode()})
    return fresh


def fault_in(images: np.ndarray) -> None:
    """Have every page of a memory-mapped array in memory now, not in the middle of a measurement."""
    images.reshape(-1)[::_PAGE_BYTES].sum()


def _read(place: Path, shape: tuple[int, int, int]) -> Split | None:
    try:
        images = np.load(place.with_suffix(".images.npy"), mmap_mode="c")  # "c": torch wants memory to be writable
        labels = np.load(place.with_suffix(".labels.npy"))
        digests = np.load(place.with_suffix(".digests.npy"))
        seen = PicturesSeen(**json.loads(place.with_suffix(".seen.json").read_bytes()))
    except (OSError, ValueError, EOFError, TypeError):
        return None
    fits = images.dtype == np.uint8 and labels.dtype == np.int64 and digests.dtype == np.uint64 and labels.ndim == 1
    if not fits or images.shape != (len(labels), *shape) or digests.shape != labels.shape:
        return None
    return Split(images, labels, digests, seen)
