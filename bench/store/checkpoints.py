"""Which attempt of a launch has its checkpoints, and how the next one takes them over. Standard library only.

What is in such a file, and what it is called, is the worker's business (`bench.worker.checkpoint_file`).
"""

from pathlib import Path

from bench.store import fsops
from bench.store.layout import Layout


def resumed_folder(layout: Layout, study_id: str, launch_id: str, attempt: int) -> Path:
    """The folder of this attempt's checkpoints, with what the attempts before it have left.

    It is the last one's folder under a new name: one step, after which a rank of an earlier attempt that is still at
    work somewhere finds no folder to write into.

    Raises:
        OSError: the disk does not take it.
    """
    own = layout.checkpoints(study_id, launch_id, attempt)
    for earlier in range(attempt - 1, -1, -1):
        left = layout.checkpoints(study_id, launch_id, earlier)
        if left.is_dir():
            fsops.move_folder(left, own)
            return own
    fsops.make_folder(own)
    return own


def kept(layout: Layout, study_id: str, launch_id: str, attempt: int) -> list[Path]:
    """The checkpoints of an attempt, and the names that point to them, in the order of their names."""
    return sorted(layout.checkpoints(study_id, launch_id, attempt).glob("[!.]*.pt"))
