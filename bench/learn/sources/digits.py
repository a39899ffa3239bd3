"""Hand-written digits, 8x8 pixels of 16 grey levels: small enough to travel inside the package.

`digits.csv.gz` is the copy that scikit-learn ships of the test part of "Optical Recognition of Handwritten Digits"
(E. Alpaydin and C. Kaynak, 1998; UCI Machine Learning Repository, https://doi.org/10.24432/C50P49), licensed CC BY 4.0.
A row is 64 pixels of 0 to 16 and the label.
"""

import gzip
from pathlib import Path

import numpy as np

from bench.account import Account, PicturesSeen
from bench.learn.naming import named
from bench.learn.sources.source import DataRequest, Source, Split, digest_of, refuse_other_sizes

_FILE = Path(__file__).with_name("digits.csv.gz")
_ENLARGED = 4  # 8 pixels to 32, so that a LeNet's two poolings leave something
_SHAPE = (1, 32, 32)
_TRAINING = (142, 146, 141, 147, 144, 146, 145, 143, 139, 144)  # of each digit
_VALIDATION = (36, 36, 36, 36, 37, 36, 36, 36, 35, 36)


@named("digits")
def digits(request: DataRequest) -> Source:
    """1,437 training and 360 test images of 1x32x32: each pixel of the 8x8 repeated 4x4, levels stretched to 0..255.

    The split is always the same one: in order of class, every fifth image is for testing.

    Raises:
        WorkloadError: another shape or number of classes was asked for.
    """
    refuse_other_sizes(request, _SHAPE, 10)
    names = tuple("0123456789")
    return Source(
        name=request.name,
        shape=_SHAPE,
        class_names=names,
        mean=(0.305,),
        std=(0.376,),
        place="the package itself",
        account=Account(
            name=request.name,
            found=0,
            taken=0,
            split="every fifth image of a class is for validation",
            classes=names,
            training=_TRAINING,
            validation=_VALIDATION,
        ),
        read=_read,
    )


def _read() -> tuple[Split, Split]:
    with gzip.open(_FILE, "rt") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.uint8)
    table = table[np.argsort(table[:, 64], kind="stable")]
    for_test = np.arange(len(table)) % 5 == 0
    return _part(table[~for_test]), _part(table[for_test])


def _part(rows: np.ndarray) -> Split:
    levels = np.rint(rows[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    images = levels.repeat(_ENLARGED, axis=2).repeat(_ENLARGED, axis=3)
    sizes = dict.fromkeys(("smallest", "usual", "largest"), "8x8")
    digests = np.array([digest_of(row[:64].tobytes()) for row in rows], dtype=np.uint64)
    return Split(images, rows[:, 64].astype(np.int64), digests, PicturesSeen(sizes=sizes, modes={"L": len(rows)}))
