"""Image sets as the Hugging Face hub lays them out: parquet with a column of encoded pictures and one of labels."""

import filecmp
import json
import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.learn import WorkloadError
from bench.learn.sources.decoded import remembered
from bench.learn.sources.pictures import PictureFacts, PixelsError, decode, summary
from bench.learn.sources.source import DataRequest, Labels, Shape, SlowWork, Split, digest_of, refuse_labels, torn
from bench.printable import first_line

_PICTURE_COLUMNS = ("img", "image")
_LABEL_COLUMNS = ("fine_label", "label")
# train-00000-of-00002.parquet, with the hash that older sets have, or without a number of parts
_NAME = re.compile(r"^(?P<split>.+?)-(?P<number>\d+)(-of-(?P<of>\d+))?(-[0-9a-f]{8,})?\.parquet$")


def parts(folder: Path, split: str) -> list[Path]:
    """The files of a split in order, `train-00000-of-00002.parquet` and so on; empty when there is none.

    Raises:
        WorkloadError: some are missing, or are there twice.
    """
    single = folder / f"{split}.parquet"
    found = sorted(folder.glob(f"{split}-*.parquet")) or sorted((folder / split).glob("[0-9]*.parquet"))
    if single.is_file() and not found:
        return [single]
    # In a folder of their own, as train/0000.parquet, the hub's converted sets have names that are numbers alone.
    names = {file: file.name if file.parent == folder else f"{split}-{file.name}" for file in found}
    named = [(match, file) for file in found if (match := _NAME.match(names[file])) and match["split"] == split]
    if not named:
        return found
    totals = sorted({int(match["of"]) for match, _ in named if match["of"]})
    if len(totals) > 1:
        raise WorkloadError(
            f"{folder} holds parts of two sets of {split}: {' and '.join(f'-of-{each:05d}' for each in totals)}.",
            "Keep those of one set.",
        )
    numbers = Counter(int(match["number"]) for match, _ in named)
    twice = next((number for number, count in numbers.items() if count > 1), None)
    if twice is not None:
        both = " and ".join(file.name for match, file in named if int(match["number"]) == twice)
        raise WorkloadError(f"{folder} holds one part twice: {both}.", "Keep the one that belongs to the others.")
    expected = range(totals[0]) if totals else range(min(numbers), max(numbers) + 1)
    lacking = [number for number in expected if number not in numbers]
    if lacking or (not totals and min(numbers) > 1):
        which = ", ".join(f"{split}-{number:05d}" for number in lacking[:3] or range(min(numbers)))
        of = f"{len(numbers)} of {len(expected)} parts" if totals else f"{len(numbers)} parts"
        raise WorkloadError(f"{folder} holds {of} of {split}: {which} is missing.", "Get the missing parts.")
    files = [file for _, file in sorted(named, key=lambda each: int(each[0]["number"]))]
    for one, other in combinations(files, 2):
        if one.stat().st_size == other.stat().st_size and filecmp.cmp(one, other, shallow=False):
            raise WorkloadError(f"{other} is a copy of {one.name}.", "Get it again.")
    return files


def labels(files: Sequence[Path], classes: int) -> Labels:
    """All labels of one split, in order of files and rows; no picture is read.

    Raises:
        WorkloadError: a file is damaged or has no such columns, or a label is no class.
    """
    return np.concatenate([_labels(file, classes) for file in files])


def read(files: Sequence[Path], shape: Shape, numbers: Labels, request: DataRequest) -> Split:
    """All pictures of one split, in order of files and rows, with the labels that `labels` found.

    Raises:
        WorkloadError: a part is damaged, or a picture is none or has another size.
    """
    return remembered(files, shape, [request.name, numbers.tolist()], lambda: _decoded(files, shape, numbers, request))


def class_names(file: Path) -> tuple[str, ...] | None:
    """The names the file's own metadata gives its classes; None when it gives none.

    Raises:
        WorkloadError: the file is damaged.
    """
    metadata = _schema(file).metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        found = next((features[key]["names"] for key in _LABEL_COLUMNS if "names" in features.get(key, {})), None)
    except (ValueError, AttributeError, TypeError) as error:
        raise WorkloadError(f"{file}: its metadata cannot be read ({first_line(error)}).", "Get it again.") from error
    return None if found is None else tuple(map(str, found))


def _schema(file: Path) -> Any:
    try:
        return pq.read_schema(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise torn(file, first_line(error)) from error


def _column(file: Path, names: tuple[str, ...]) -> tuple[str, Any]:
    """The first of these columns that is there: its name, and what it holds."""
    schema = _schema(file)
    found = next((name for name in names if name in schema.names), None)
    if found is None:
        raise WorkloadError(
            f"{file} has no column {' or '.join(names)}.", f"Its columns are: {', '.join(schema.names)}."
        )
    try:
        return found, pq.read_table(file, columns=[found])[found]
    except (pa.ArrowInvalid, OSError) as error:
        raise torn(file, first_line(error)) from error


def _labels(file: Path, classes: int) -> Labels:
    name, column = _column(file, _LABEL_COLUMNS)
    if pa.types.is_dictionary(column.type):
        column = pc.cast(column, column.type.value_type)
    if not pa.types.is_integer(column.type):
        example = next((value for value in column.to_pylist() if value is not None), None)
        raise WorkloadError(
            f"{file}: column {name} holds {column.type}, as {str(example)[:40]!r}; labels are whole numbers.",
            f"Write it with the number of each class, 0 to {classes - 1}.",
        )
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py()
        raise WorkloadError(
            f"{file}: row {row} of column {name} is null.", "Every picture needs a label; leave it out."
        )
    numbers = column.to_numpy()
    refuse_labels(numbers, classes, f"{file}: row {{row}} of column {name}")
    return numbers.astype(np.int64)  # type: ignore[no-any-return]


def _blobs(file: Path) -> list[bytes | None]:
    """The encoded pictures of one file."""
    name, column = _column(file, _PICTURE_COLUMNS)
    kind = column.type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 and _is_binary(kind.field("bytes").type):
        column = pc.struct_field(column, "bytes")
    elif not _is_binary(kind):
        raise WorkloadError(
            f"{file}: column {name} holds {str(kind)[:60]}, and no encoded pictures.",
            "Write PNG or JPEG bytes, as datasets.Image() does: a struct of bytes and path.",
        )
    return column.to_pylist()  # type: ignore[no-any-return]


def _is_binary(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _decoded(files: Sequence[Path], shape: Shape, numbers: Labels, request: DataRequest) -> Split:
    images = np.empty((len(numbers), *shape), dtype=np.uint8)
    digests = np.empty(len(numbers), dtype=np.uint64)
    looks: list[PictureFacts] = []
    progress = SlowWork(request.tell, f"Data     decoding {len(numbers):,} pictures of {files[0].parent}")
    for file in files:  # not in threads: at this size holding the interpreter's lock is most of it
        for row, blob in enumerate(_blobs(file)):
            if blob is None:
                raise WorkloadError(
                    f"{file}: row {row} has no picture in it, or only the path of one.",
                    "Write the bytes of the pictures into the file.",
                )
            try:
                pixels, look = decode(blob, shape, only=(shape[2], shape[1]))
            except PixelsError as error:
                raise WorkloadError(
                    f"{file}: row {row} cannot be taken: {error}.",
                    "Convert it, or check --data-dir.",
                ) from error
            except ValueError as error:
                raise torn(file, f"row {row}: {first_line(error)}") from error
            images[len(looks)] = pixels
            digests[len(looks)] = digest_of(pixels.tobytes())
            looks.append(look)
            progress.at(len(looks), len(numbers))
    return Split(images, numbers, digests, summary(looks))
