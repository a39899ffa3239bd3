"""Removing what writers that died in the middle of a call left behind: never a launch's own files."""

import secrets
from collections.abc import Sequence
from pathlib import Path

from bench.store import fsops, index, packs
from bench.store.attempts import attempts
from bench.store.layout import Layout, named

_STAGING_S = 3600  # no writer is at one file for as long
_CLAIM_S = 60  # between claiming a name and filling it, where there are no hard links, lies one call; a pack has few


def sweep(root: Path, studies: Sequence[str], *, force: bool = False) -> list[str]:
    """Remove old files of staging, and names that were claimed and never filled; returns their paths from the root.

    Ages are told by the clock of the store's own file system: another machine may have written them.

    Args:
        root: the store's folder.
        studies: whose claims to look at.
        force: an owner that cannot be looked for counts as dead.
    """
    layout = Layout(root)
    now_s = _file_system_time(layout.staging)
    old = [file for file in layout.staging.iterdir() if _age_s(file, now_s) > _STAGING_S]
    for study_id in studies:
        gone = {
            (each.launch_id, each.attempt)
            for each in attempts(root, study_id)
            if each.owner.is_this_process or (alive := each.owner.alive()) is False or (alive is None and force)
        }
        empty = [file for file in layout.attempts(study_id).glob("[!.]*.json") if _is_claim(file, now_s)]
        empty += [
            file
            for file in layout.markers(study_id).glob("[!.]*.json")
            if _is_claim(file, now_s) and named(file.stem) in gone
        ]
        old += empty
    for file in old:
        fsops.remove(file)
    return sorted(file.relative_to(root).as_posix() for file in old)


def sweep_packs(root: Path, studies: Sequence[str]) -> list[str]:
    """Remove what nobody reads of these studies' packs, once no writer can be at it; returns paths from the root."""
    layout = Layout(root)
    found = [
        file
        for study_id in studies
        if layout.packs(study_id).is_dir()
        for file in packs.leftovers(layout, study_id, index.markers(root, study_id, []))
    ]
    now_s = _file_system_time(layout.staging) if found else 0.0
    old = [file for file in found if _age_s(file, now_s) > _CLAIM_S]
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
