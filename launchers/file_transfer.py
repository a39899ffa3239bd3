"""Files between the hosts of a launch, in pieces that are messages of a `Wire`."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from launchers.wire import Message

_PIECE_BYTES = 1 << 18  # every piece is a sign of life, on a slow link too


def pieces(file: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """A file, as facts and bodies of messages of kind "file"; see `save`."""
    with file.open("rb") as opened:
        written = os.fstat(opened.fileno())
        last = False
        while not last:
            body = opened.read(_PIECE_BYTES)
            last = len(body) < _PIECE_BYTES
            # An age and not a time: the clocks of two hosts differ.
            yield {"name": file.name, "last": last, "age_ns": time.time_ns() - written.st_mtime_ns}, body


def save(message: Message, folder: Path) -> None:
    """Take a piece of a file into a folder; the file is there once its last piece is, and as old as it was.

    Raises:
        OSError: it cannot be written, or its name is not that of a file in this folder.
    """
    name = str(message.facts["name"])
    if "/" in name or name in {"", ".", ".."}:
        raise OSError(f"{name!r} is no plain file name")
    draft = folder / f".{name}.part"
    with draft.open("ab") as opened:
        opened.write(message.body)
    if message.facts["last"]:
        received_ns = time.time_ns() - (time.monotonic_ns() - message.received_ns)
        written_ns = received_ns - max(0, int(message.facts["age_ns"]))
        os.utime(draft, ns=(written_ns, written_ns))
        draft.replace(folder / name)
