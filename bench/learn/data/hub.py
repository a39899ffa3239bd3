"""Image sets as the Hugging Face hub lays them out: parquet with a struct column {bytes, path} and a label column."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.learn import WorkloadError
from bench.learn.data.decoded import Images, Labels, remembered
from bench.learn.data.pictures import decode
from bench.learn.data.places import torn

_PICTURE_COLUMNS = ("img", "image")
_LABEL_COLUMNS = ("fine_label", "label")
_OF = re.compile(r"-of-(\d+)\.parquet$")


def parts(folder: Path, split: str) -> list[Path]:
    """The files of a split in order, `train-00000-of-00002.parquet` and so on; empty when there is none."""
    return sorted(folder.glob(f"{split}-*.parquet"))


def read(files: list[Path], shape: tuple[int, int, int]) -> tuple[Images, Labels]:
    """All pictures and labels of one split, in order of files and rows.

    Raises:
        WorkloadError: a part is missing or damaged, or holds no pictures and labels.
    """
    announced = _OF.search(files[-1].name)
    if announced and int(announced[1]) != len(files):
        raise WorkloadError(
            f"{files[0].parent} holds {len(files)} of {int(announced[1])} parts of {files[0].name.split('-')[0]}.",
            "Get the missing parts.",
        )
    return remembered(files, shape, lambda: _decoded(files, shape))


def class_names(file: Path) -> tuple[str, ...] | None:
    """The names the file's own metadata gives its classes; None when it gives none.

    Raises:
        WorkloadError: the file is damaged.
    """
    try:
        metadata = pq.read_schema(file).metadata or {}
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    except (pa.ArrowInvalid, OSError, ValueError) as error:
        raise torn(file, _first_line(error)) from error
    return next((tuple(features[key]["names"]) for key in _LABEL_COLUMNS if "names" in features.get(key, {})), None)


def _decoded(files: list[Path], shape: tuple[int, int, int]) -> tuple[Images, Labels]:
    images, labels = zip(*(_part(file, shape) for file in files), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _part(file: Path, shape: tuple[int, int, int]) -> tuple[Images, Labels]:
    try:
        table = pq.read_table(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise torn(file, _first_line(error)) from error
    blobs = pc.struct_field(table[_column(file, table, _PICTURE_COLUMNS)], "bytes").to_pylist()
    labels = np.asarray(table[_column(file, table, _LABEL_COLUMNS)], dtype=np.int64)
    images = np.empty((len(blobs), *shape), dtype=np.uint8)
    for row, blob in enumerate(blobs):  # not in threads: at this size holding the interpreter's lock is most of it
        try:
            images[row] = decode(blob or b"", shape)
        except ValueError as error:
            raise torn(file, f"row {row}: {_first_line(error)}") from error
    return images, labels


def _column(file: Path, table: Any, names: tuple[str, ...]) -> str:
    found = next((name for name in names if name in table.column_names), None)
    if found is None:
        raise WorkloadError(
            f"{file} has no column {' or '.join(names)}.", f"Its columns are: {', '.join(table.column_names)}."
        )
    return found


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
