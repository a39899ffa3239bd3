"""Small files that appear whole or not at all: whoever reads meanwhile finds the older one, or none.

They outlive the process that wrote them, not a power cut: what must is the store's (`bench.store.fsops`).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def drafted(file: Path) -> Iterator[BinaryIO]:
    """A draft beside the file, to be written to: it takes the file's name when the block is left without an error.

    Raises:
        OSError: the disk or the folder does not take it; what had the name has it still.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as stream:
            yield stream
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def write(contents: Mapping[Path, bytes]) -> None:
    """Write files: the first takes its name once every one of them is complete on the disk.

    Raises:
        OSError: the disk or a folder does not take one; what had the names has them still.
    """
    with ExitStack() as drafts:
        for file, content in contents.items():
            stream = drafts.enter_context(drafted(file))
            stream.write(content)
            stream.flush()
