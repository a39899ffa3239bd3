"""Where results will lie: whether it can be written, and how much fits."""

import tempfile
from functools import partial
from pathlib import Path

from bench.health.check import REFUSAL, WARNING, Check, gathered, ok, refusal, warning
from bench.health.demand import Demand
from bench.store import fsops

_SPARE_FILES = 1000
_SPARE_BYTES = 10**9  # what should be left once the study is saved: a full disk hurts everybody on it


def checks(demand: Demand, store: Path) -> list[Check]:
    """Whether the store, which need not be there yet, can be written and has room."""
    return gathered((partial(_store, demand, store),))


def _store(demand: Demand, store: Path) -> Check:
    place = next((each for each in (store, *store.absolute().parents) if each.exists()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(b"can this be written?\n")
    except OSError as error:
        return refusal(
            "store",
            f"the store {store} cannot be written: {error.strerror or error}",
            "name another place with --store DIR or BENCH_STORE",
        )
    free, files = (room := fsops.room(place)).bytes, room.files
    fix = "make room, or name another place with --store DIR"
    if files is not None and files < _SPARE_FILES:
        text = f"the disk of the store {store} has {files:,} inodes left (df -i): room for that many files"
        return Check(name="store", level=WARNING if files else REFUSAL, text=text, fix=fix)
    if free is None:
        return ok("store", f"the store {store} can be written; how much fits is not told")
    left = f"the store {store} has {free / 1e6:,.0f} MB of room"
    if free < demand.store_bytes:
        text = f"{left}, and this study may take {demand.store_bytes / 1e6:,.0f} MB"
        return refusal("store", text, fix)
    if free - demand.store_bytes < _SPARE_BYTES:
        return warning("store", f"{left} left", fix)
    return ok("store", f"the store {store} can be written, {free / 1e9:,.0f} GB free")
