"""Checkpoints as files: what they are called, which are kept, how they are written and read.

A file is a dictionary of tensors and plain values that `torch.load(file, weights_only=True)` opens. Rank 0 writes it
under another name, syncs it and renames it, so a crash at any moment leaves the earlier files and no torn one.
"""

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bench.learn import WorkloadError
from bench.printable import first_line
from bench.store import fsops

SCHEMA = "bench.checkpoint/1"
LAST, BEST = "last.pt", "best.pt"  # names that point to one of the others

_NAME = re.compile(r"epoch(\d+)(?:-step(\d+))?\.pt")
_HINT = "Name another file with --from, or leave it out to begin anew."


@dataclass(frozen=True, order=True)
class Place:
    """How far training had come: whole epochs, and steps into the next."""

    epochs: int
    steps: int = 0

    @property
    def file_name(self) -> str:
        return f"epoch{self.epochs:04d}{f'-step{self.steps:06d}' if self.steps else ''}.pt"

    def __str__(self) -> str:
        return f"epoch {self.epochs}{f', step {self.steps}' if self.steps else ''}"


@dataclass(frozen=True)
class Folder:
    """The checkpoints of one launch."""

    path: Path

    def places(self) -> list[Place]:
        """What is here, the one that has trained longest first."""
        found = [_NAME.fullmatch(file.name) for file in self.path.glob("epoch*.pt")]
        return sorted((Place(int(each[1]), int(each[2] or 0)) for each in found if each), reverse=True)

    def file(self, place: Place) -> Path:
        return self.path / place.file_name

    def write(self, place: Place, content: dict[str, Any], *, best: int | None, keep: set[int]) -> None:
        """Write a checkpoint, have `last.pt` and `best.pt` point to theirs, and remove what is no longer kept.

        Args:
            place: how far training has come.
            content: of the file.
            best: whole epochs after which the best file was written; None where it is not kept.
            keep: whole epochs whose files stay; of those within an epoch only the newest stays.

        Raises:
            OSError: the disk does not take it; the files before it are as they were.
        """
        final = self.file(place)
        staged = final.with_name(f".{final.name}.tmp")
        fsops.remove(staged)  # of a rank that died while it wrote
        buffer = io.BytesIO()
        torch.save(content, buffer)
        fsops.write_new(staged, buffer.getvalue())
        fsops.replace(staged, final)
        fsops.point(self.path / LAST, final.name)
        if best is not None:
            fsops.point(self.path / BEST, Place(best).file_name)
        for old in self.places():
            if old != place and (old.steps or old.epochs not in keep):
                fsops.remove(self.file(old))
        for left in self.path.glob(".*.tmp"):
            fsops.remove(left)


def kept_epochs(words: Sequence[str], scores: Sequence[float]) -> tuple[set[int], int | None]:
    """Which epochs' files are kept, and which epoch was the best (None: none has ended), as numbers of whole epochs.

    Args:
        words: last, last:K, best, every:K; see `bench.plan.Checkpointing`.
        scores: of the epochs so far, greater is better; the first of equals is the best.
    """
    done = len(scores)
    best = max(range(done), key=scores.__getitem__) + 1 if scores else None
    kept: set[int] = set()
    for word in words:
        name, _, number = word.partition(":")
        count = int(number or 1)
        if name == "last":
            kept |= set(range(max(1, done - count + 1), done + 1))
        elif name == "every":
            kept |= set(range(count, done + 1, count))
        elif best is not None:
            kept.add(best)
    return kept, best


def read(file: Path) -> dict[str, Any]:
    """A checkpoint's content, on the CPU.

    Raises:
        WorkloadError: it is not there, torn, damaged, or no checkpoint of ours.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            torn = archive.testzip()  # torch itself does not look at the checksums
        content = torch.load(file, map_location="cpu", weights_only=True) if torn is None else None
    except FileNotFoundError:
        raise WorkloadError(f"There is no checkpoint {file}.", _HINT) from None
    except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        why = first_line(error)
        raise WorkloadError(f"{file} is torn, or no checkpoint ({why}).", _HINT) from None
    except Exception as error:  # pickle's own, of which a user can make nothing
        raise WorkloadError(f"{file} holds more than tensors and plain values.", _HINT) from error
    if torn is not None:
        raise WorkloadError(f"{file} is damaged: {torn} does not fit its checksum.", _HINT)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise WorkloadError(f"{file} is no checkpoint of bench, or of another version.", _HINT)
    return content
