"""The account of a run's data: what was found, taken and left out, and why. Nouns and their words; pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from bench.documents import noun_of

TRAINING, VALIDATION = "training", "validation"
SAID_AT_MOST = 3  # classes or places that one sentence names


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Files of one kind that were found and not taken."""

    kind: str  # in the plural: "files with the extension .txt"
    count: int
    example: str  # relative to the folder of the data
    fix: str


@dataclass(frozen=True, kw_only=True)
class PicturesSeen:
    """What the pictures of one part turned out to be when they were decoded."""

    sizes: Mapping[str, str] = field(default_factory=dict)  # smallest, usual, largest -> width x height
    modes: Mapping[str, int] = field(default_factory=dict)  # Pillow's word (RGB, L, P, CMYK, I;16, …) -> pictures
    turned: int = 0  # with an EXIF orientation that says "turn me"
    transparent: int = 0
    animated: int = 0  # with more than one frame or page
    wide: int = 0  # of 16 bits a pixel


@dataclass(frozen=True, kw_only=True)
class Account:
    """Where a data set's pictures came from, and what was not taken."""

    name: str  # of the data set
    found: int  # files
    taken: int  # of them
    left_out: tuple[LeftOut, ...] = ()
    folders: Mapping[str, str] = field(default_factory=dict)  # training, validation -> folder, relative
    split: str  # who is for validation, in words
    classes: tuple[str, ...]
    training: tuple[int, ...]  # pictures of each class
    validation: tuple[int, ...]
    remarks: tuple[tuple[str, str], ...] = ()  # of the layout: what, and what to do
    seen: Mapping[str, PicturesSeen] = field(default_factory=dict)  # by part; empty before anything was decoded
    shared: int = 0  # validation pictures that are also in training, byte for byte
    shared_example: str = ""
    repeated: int = 0  # training pictures that are there more than once

    @property
    def summary(self) -> str:
        """`folder: 72 training pictures (train/) and 24 validation pictures (val/) in 3 classes`."""
        counts = [
            f"{sum(counts):,} {part} pictures{f' ({place}/)' if (place := self.folders.get(part)) else ''}"
            for part, counts in ((TRAINING, self.training), (VALIDATION, self.validation))
        ]
        return f"{self.name}: {' and '.join(counts)} in {len(self.classes)} classes; {self.split}"

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the data are, then everything that a reader must know of them."""
        return (self.summary, *("; ".join(filter(None, note)) for note in self.notes))

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """What a reader must know of the data, and what to do about it, one pair of texts each."""
        return (*self.remarks, *self._empty(), *self._left_out(), *self._pixels(), *self._copies())

    def _empty(self) -> Iterator[tuple[str, str]]:
        for part, counts in ((TRAINING, self.training), (VALIDATION, self.validation)):
            lacking = [name for name, count in zip(self.classes, counts, strict=True) if not count]
            if lacking:
                yield (
                    f"classes without a {part} picture: {len(lacking)} of {len(self.classes)}, as {several(lacking)}",
                    "their scores say nothing",
                )

    def _left_out(self) -> Iterator[tuple[str, str]]:
        for each in self.left_out:
            yield f"left out {each.kind}: {each.count:,}, as {each.example}", each.fix

    def _pixels(self) -> Iterator[tuple[str, str]]:
        for word, what, fix in (
            ("wide", "of 16 bits a pixel", "scaled to 8 bits by the upper byte, as torchvision.transforms.v2 does"),
            ("turned", "that ask to be turned (EXIF)", "taken as they are stored, as torchvision's ImageFolder does"),
            ("transparent", "that are partly transparent", "transparency is dropped, as Pillow's convert does"),
            ("animated", "of several frames", "the first one is taken"),
        ):
            count = sum(getattr(each, word) for each in self.seen.values())
            if count:
                yield f"pictures {what}: {count:,}", fix

    def _copies(self) -> Iterator[tuple[str, str]]:
        if self.shared:
            yield (
                f"validation pictures that are also in training: {self.shared:,}, as {self.shared_example}",
                "accuracy on them is memory; remove them from one part",
            )
        if self.repeated:
            yield f"training pictures that are copies of others: {self.repeated:,}", "remove them, or know of them"

    def to_json(self) -> str:
        """The text that a launch's row holds."""
        return json.dumps({**asdict(self), "notes": self.notes}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Account":
        """The inverse of `to_json`."""
        document = json.loads(text)
        del document["notes"]
        return noun_of(cls, document)


def several(names: list[str]) -> str:
    """The first few, and how many more: `cat, dog, eel and 4 more`."""
    more = len(names) - SAID_AT_MOST
    return ", ".join(names[:SAID_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def difference(mine: Account, theirs: Account) -> str:
    """How two data sets under one name differ, as far as their accounts tell."""
    if mine.classes != theirs.classes:
        only = sorted(set(mine.classes) ^ set(theirs.classes))
        which = f" ({several(only)})" if only else ", in another order"
        return f"{len(mine.classes)} against {len(theirs.classes)} classes{which}"
    for part in (TRAINING, VALIDATION):
        counts = zip(mine.classes, getattr(mine, part), getattr(theirs, part), strict=True)
        differing = [f"{name} {a:,} against {b:,}" for name, a, b in counts if a != b]
        if differing:
            return f"{part} pictures of {several(differing)}"
    return "as many pictures of each class, with other content or in another order"
