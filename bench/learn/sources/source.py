"""What data sets are spoken of with: what is asked for, where it is looked for, what was found, why it is refused."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from bench import folders
from bench.account import TRAINING, VALIDATION, Account, PicturesSeen
from bench.learn import WorkloadError

Shape = tuple[int, int, int]  # channels, height, width
Images = NDArray[np.uint8]  # [n, channels, height, width]
Labels = NDArray[np.int64]  # [n]
Digests = NDArray[np.uint64]  # [n], of each picture as it is stored
Tell = Callable[[str], None]

_EVERY_S = 2.0  # a word of how far slow work is


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """What was asked of a data set; None: the data set's own."""

    name: str
    folder: str | None = None
    input_shape: Shape | None = None
    classes: int | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    allow_empty_classes: bool = False
    tell: Tell = lambda _: None  # told how far it is, when that takes longer than a moment


@dataclass(frozen=True, eq=False)
class Split:
    """Training or validation pictures, in the order in which they are numbered."""

    images: Images
    labels: Labels
    digests: Digests
    seen: PicturesSeen


@dataclass(frozen=True, eq=False)
class Arrays:
    """All pictures of a data set, and the account of them."""

    training: Split
    validation: Split
    account: Account
    digest: str  # of what is trained on: equal on two machines that hold the same pictures under the same labels


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set that was found and counted."""

    name: str
    shape: Shape
    class_names: tuple[str, ...]
    mean: tuple[float, ...]  # per channel, of pixels as 0..1
    std: tuple[float, ...]
    place: str  # in words
    account: Account | None = None  # None: made up, there are no files and nothing to evaluate on
    read: Callable[[], tuple[Split, Split]] | None = None  # training and validation
    namer: Callable[[int], str] = lambda row: f"number {row}"  # of a validation picture

    def arrays(self) -> Arrays:
        """Every picture, and the account with what was seen in them.

        Raises:
            WorkloadError: some cannot be decoded.
        """
        if self.account is None or self.read is None:
            raise WorkloadError(f"{self.name} has no pictures on a disk.", "Use another --data.")
        training, validation = self.read()
        known = np.isin(validation.digests, training.digests)
        account = replace(
            self.account,
            seen={TRAINING: training.seen, VALIDATION: validation.seen},
            shared=int(known.sum()),
            shared_example=self.namer(int(known.argmax())) if known.any() else "",
            repeated=len(training.digests) - len(np.unique(training.digests)),
        )
        return Arrays(training, validation, account, self._digest(training, validation))

    def _digest(self, training: Split, validation: Split) -> str:
        """Of classes, labels and pictures. The shape is no part of it: that is asked for, not found."""
        digest = blake2b(repr((self.name, self.class_names)).encode(), digest_size=16)
        for part in (training, validation):
            digest.update(len(part.labels).to_bytes(8))
            digest.update(part.labels.astype("<i8").tobytes())
            digest.update(part.digests.astype("<u8").tobytes())
        return digest.hexdigest()


def digest_of(blob: Any) -> int:
    """Of one picture's bytes, for telling copies and data sets apart."""
    return int.from_bytes(blake2b(blob, digest_size=8).digest())


def refuse_other_sizes(request: DataRequest, input_shape: Shape, classes: int) -> None:
    """For data sets whose images come in one size.

    Raises:
        WorkloadError: another shape or number of classes was asked for.
    """
    shape = request.input_shape and ",".join(map(str, request.input_shape))
    for flag, wanted, own in (
        ("--input-shape", shape, ",".join(map(str, input_shape))),
        ("--classes", request.classes, classes),
    ):
        if wanted not in (None, own):
            raise WorkloadError(
                f"{request.name} has {flag} {own}, not {wanted}.", f"Leave {flag} away, in a profile too."
            )


def refuse_empty_classes(request: DataRequest, account: Account) -> None:
    """A class that is only trained has no accuracy, one that is only evaluated is always wrong.

    Raises:
        WorkloadError: there is one, and nobody allowed it.
    """
    if request.allow_empty_classes:
        return
    for part, own, other, others in (
        (TRAINING, account.training, VALIDATION, account.validation),
        (VALIDATION, account.validation, TRAINING, account.training),
    ):
        lacking = [name for name, mine, theirs in zip(account.classes, own, others, strict=True) if theirs and not mine]
        if lacking:
            each_part = [
                f"{each} pictures{f' ({where}/)' if (where := account.folders.get(each)) else ''}"
                for each in (other, part)
            ]
            more = f", as {len(lacking) - 1} more of {len(account.classes)}" if len(lacking) > 1 else ""
            raise WorkloadError(
                f"Class {lacking[0]!r} has {each_part[0]} and no {each_part[1]}{more}.",
                "Every class needs some in every part; if that is meant: --allow-empty-classes",
            )


def refuse_labels(numbers: NDArray[Any], classes: int, where: str) -> None:
    """Labels that are no class.

    Raises:
        WorkloadError: there is one; `where` names its place, with {row} for its number.
    """
    wrong = (numbers < 0) | (numbers >= classes)
    if wrong.any():
        row = int(wrong.argmax())
        trouble = f"{where.format(row=row)} is {numbers[row]}; there are classes 0 to {classes - 1}"
        if (numbers >= classes).any():
            trouble += f", and {int(numbers.max()) + 1} in this file"
        raise WorkloadError(f"{trouble}.", "Check --data and --data-dir, or mend the labels.")


def cache_folder() -> Path:
    """BENCH_CACHE_DIR, else the platform's own cache folder for `bench`."""
    given = os.environ.get("BENCH_CACHE_DIR")
    return folders.expanded(given) if given else folders.of_user(user_cache_path)


def data_folder(given: str | None) -> Path:
    """The folder asked for, else BENCH_DATA_DIR, else `data` in the cache folder."""
    given = given or os.environ.get("BENCH_DATA_DIR")
    return folders.expanded(given) if given else cache_folder() / "data"


def missing(name: str, root: Path, wanted: str, instead: str = "") -> WorkloadError:
    """The error for a data set that is not where it was looked for."""
    state = f"has no {wanted}" if root.is_dir() else "is a file" if root.exists() else "does not exist"
    return WorkloadError(
        f"{name} was not found: {root} {state}.",
        instead or "Give its folder with --data-dir, or set BENCH_DATA_DIR.",
    )


def torn(file: Path, what: str) -> WorkloadError:
    """The error for a file that is there and cannot be read."""
    return WorkloadError(f"{file} is damaged: {what}.", "Delete it and get it again.")


class SlowWork:
    """How far one piece of work is, told now and then; silent when it takes no longer than a moment."""

    def __init__(self, tell: Tell, what: str) -> None:
        self._tell, self._what, self._last = tell, what, time.monotonic()

    def at(self, done: int, of: int | None = None) -> None:
        """So many are done; says so when the last word is older than two seconds."""
        if time.monotonic() - self._last > _EVERY_S:
            self._last = time.monotonic()
            self._tell(f"{self._what}: {f'{done / of:.0%}' if of else f'{done:,} so far'}")
