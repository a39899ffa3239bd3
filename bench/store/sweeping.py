"""Removing what writers that died in the middle of a call left behind: never a launch's own files."""

import secrets
from collections.abc import Sequence
from pathlib import Path

from bench.store import fsops, index, packs
from bench.store.attempts import attempts, files
from bench.store.layout import Layout, named

_STAGING_S = 3600  # no writer is at one file for as long
_CLAIM_S = 60  # between claiming a name and filling it, where there are no hard links, lies one call; a pack has few


def sweep_staging(root: Path) -> list[str]:
    """Remove old files of staging; returns their paths from the root.

    Ages are told by the clock of the store's own file system: another machine may have written them.
    """
    layout = Layout(root)
    now_s = _file_system_time(layout.staging)
    return _removed(root, [file for file in layout.staging.iterdir() if _age_s(file, now_s) > _STAGING_S])


def sweep_claims(root: Path, study_id: str, *, force: bool = False) -> list[str]:
    """Remove names that were claimed for a study's files and never filled; returns their paths from the root.

    Args:
        root: the store's folder.
        study_id: a whole id.
        force: an owner that cannot be looked for counts as dead.

    Raises:
        UnreadableError: the study cannot be looked into.
    """
    layout = Layout(root)
    now_s = _file_system_time(layout.staging)
    gone = {
        (each.launch_id, each.attempt)
        for each in attempts(root, study_id)
        if each.owner.is_this_process or (alive := each.owner.alive()) is False or (alive is None and force)
    }
    begun = [file for file in files(layout.attempts(study_id), study_id) if _is_claim(file, now_s)]
    ended = [file for file in files(layout.markers(study_id), study_id) if _is_claim(file, now_s)]
    return _removed(root, [*begun, *(file for file in ended if named(file.stem) in gone)])


def sweep_packs(root: Path, study_id: str) -> list[str]:
    """Remove what nobody reads of a study's packs, once no writer can be at it; returns paths from the root."""
    layout = Layout(root)
    if not layout.packs(study_id).is_dir():
        return []
    found = packs.leftovers(layout, study_id, index.markers(root, study_id, []))
    now_s = _file_system_time(layout.staging) if found else 0.0
    return _removed(root, [file for file in found if _age_s(file, now_s) > _CLAIM_S])


def _removed(root: Path, old: Sequence[Path]) -> list[str]:
    for file in old:
        fsops.remove(file)
    return sorted(file.relative_to(root).as_posix() for file in old)


def _is_claim(file: Path, now_s: float) -> bool:
    return file.is_file() and file.stat().st_size == 0 and _age_s(file, now_s) > _CLAIM_S


def _age_s(file: Path, now_s: float) -> float:
    try:
        return now_s - file.stat().st_mtime
    except FileNotFoundError:  # its writer has just removed it
        return 0.0


def _file_system_time(staging: Path) -> float:
    probe = staging / f"clock.{secrets.token_hex(8)}"
    fsops.make_folder(staging)
    try:
        fsops.write_new(probe, b"what time is it here?\n")
        return probe.stat().st_mtime
    finally:
        fsops.remove(probe)
