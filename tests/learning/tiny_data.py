"""Data sets of a few pictures, in the layouts that the real ones come in."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

TRAIN, TEST = 8, 8
KINDS = 11  # of the class-folder tree


def write_all(root):
    """`cifar10/` and `cifar100/` as the hub lays them out, and `folder/` as a class-folder tree; returns the root."""
    for name, classes, label in (("cifar10", 10, "label"), ("cifar100", 100, "fine_label")):
        for split, count in (("train", TRAIN), ("test", TEST)):
            write_parquet(root / name / f"{split}-00000-of-00001.parquet", count, classes, label)
    write_tree(root / "folder")
    return root


def write_parquet(file, count, classes, label):
    rng = np.random.default_rng(len(file.name))  # another one for each part, so that none is in both
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"bytes": _png(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)), "path": None} for _ in range(count)]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {label: {"names": [f"kind {each}" for each in range(classes)], "_type": "ClassLabel"}}
    table = pa.table(
        {"img": pa.array(rows, kind), label: pa.array(np.arange(count) * 7 % classes, pa.int64())},
    )
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}), file)


def write_tree(root):
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for kind in range(KINDS):
            place = root / part / f"kind-{kind:02d}"
            place.mkdir(parents=True)
            (place / "0.png").write_bytes(_png(rng.integers(0, 256, (40, 36, 3), dtype=np.uint8)))


def _png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
