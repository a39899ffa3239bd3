"""Hand-written digits, 8x8 pixels of 16 grey levels: small enough to travel inside the package.

`digits.csv.gz` is the copy that scikit-learn ships of the test part of "Optical Recognition of Handwritten Digits"
(E. Alpaydin and C. Kaynak, 1998; UCI Machine Learning Repository, https://doi.org/10.24432/C50P49), licensed CC BY 4.0.
A row is 64 pixels of 0 to 16 and the label.
"""

import gzip
from pathlib import Path

import numpy as np
import torch

from bench.learn.data.dataset import DataSet, Request, described, refuse_other_sizes
from bench.learn.naming import named

_FILE = Path(__file__).with_name("digits.csv.gz")
_ENLARGED = 4  # 8 pixels to 32, so that a LeNet's two poolings leave something


@named("digits")
def digits(request: Request) -> DataSet:
    """1,437 training and 360 test images of 1x32x32: each pixel of the 8x8 repeated 4x4, levels stretched to 0..255.

    The split is always the same one: in order of class, every fifth image is for testing.

    Raises:
        WorkloadError: another shape or number of classes was asked for.
    """
    refuse_other_sizes(request, (1, 32, 32), 10)
    with gzip.open(_FILE, "rt") as lines:
        table = np.loadtxt(lines, delimiter=",", dtype=np.uint8)
    table = table[np.argsort(table[:, 64], kind="stable")]
    for_test = np.arange(len(table)) % 5 == 0

    def images(rows: np.ndarray) -> torch.Tensor:
        levels = np.rint(rows[:, :64] * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
        return torch.from_numpy(levels.repeat(_ENLARGED, axis=2).repeat(_ENLARGED, axis=3))

    def labels(rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(rows[:, 64].astype(np.int64))

    train, test = table[~for_test], table[for_test]
    return DataSet(
        name=request.name,
        train_images=images(train),
        train_labels=labels(train),
        test_images=images(test),
        test_labels=labels(test),
        class_names=tuple("0123456789"),
        mean=(0.305,),
        std=(0.376,),
        described=described(request.name, images(train), images(test), 10, "the package itself"),
    )
