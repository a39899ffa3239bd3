"""Who lives, where no process can be looked for: on another host, or in another container.

Whoever runs a study changes a small file in its store every few seconds. Who wants to know watches that file for longer
than the lease, by a clock of their own: only the living change it, and no two clocks are ever compared. An owner that
was only slow is found out too late, and loses nothing by it: see bench/store/late.py.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.store import fsops
from bench.store.attempts import Attempt
from bench.store.layout import Layout

LEASE_S = 60.0  # network mounts keep what they saw for up to a minute
_BEATS = 12  # within a lease
_LOOK_EVERY_S = 0.5


@contextlib.contextmanager
def held(root: Path, study_id: str, token: str, lease_s: float) -> Iterator[None]:
    """Say that this process lives, for as long as the block lasts; a disk that takes no sign costs the sign alone."""
    file, ended = Layout(root).beat(study_id, token), threading.Event()

    def beat() -> None:
        number = 0
        while True:
            with contextlib.suppress(OSError):
                fsops.beat(file, number)
            number += 1
            if ended.wait(lease_s / _BEATS):
                return

    # A thread of its own: a mount that hangs must not keep the supervisor from its ranks.
    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(timeout=1.0)
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class Owners:
    """Attempts by what is known of whoever runs them."""

    running: Sequence[Attempt]
    unknown: Sequence[Attempt]  # they cannot be looked for, and promised no sign of life
    gone: Sequence[Attempt]


def owners(
    root: Path,
    attempts: Sequence[Attempt],
    *,
    own_ended: bool = True,
    force: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Owners:
    """Look for the owners of attempts, and listen for those that cannot be looked for.

    Args:
        root: the store's folder.
        attempts: of one study.
        own_ended: what this process itself began counts as gone.
        force: an owner that cannot be looked for counts as gone.
        tell: takes a line when there is somebody to listen for.
    """
    alive = {each: False if own_ended and each.owner.is_this_process else each.owner.alive() for each in attempts}
    unseen = {each for each in attempts if alive[each] is None}
    promised = {each for each in unseen if each.lease_s > 0 and not force}
    if promised:
        most_s, one = max(each.lease_s for each in promised), min(map(str, promised))
        tell(f"Listening for up to {most_s:.0f} s whether {one} still runs on another host or in another container …")
    gone = unseen if force else silent(root, promised)
    return Owners(
        running=[each for each in attempts if alive[each] or each in promised - gone],
        unknown=[each for each in attempts if each in unseen - promised - gone],
        gone=[each for each in attempts if alive[each] is False or each in gone],
    )


def silent(
    root: Path,
    attempts: Collection[Attempt],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> set[Attempt]:
    """Those of some attempts whose owners gave no sign of life for as long as they had promised one.

    Takes the longest of their leases, or less where all of them are heard sooner. An attempt without a lease, of an
    earlier bench, is never silent: nothing is known of it.
    """
    layout = Layout(root)
    waiting = {each: _sign(layout, each) for each in attempts if each.lease_s > 0}
    watched_s, before, gone = 0.0, clock(), set[Attempt]()
    while waiting:
        sleep(min(_LOOK_EVERY_S, min(each.lease_s for each in waiting) / _BEATS))
        now = clock()
        watched_s += min(now - before, 2 * _LOOK_EVERY_S)  # of a watcher that was stopped, or whose mount hung
        before = now
        for each, first in list(waiting.items()):
            if _sign(layout, each) != first:
                del waiting[each]
            elif watched_s >= each.lease_s:
                gone.add(each)
                del waiting[each]
    return gone


def _sign(layout: Layout, attempt: Attempt) -> object:
    """Whatever a sign of life changes; opened anew each time, so that a network mount looks again."""
    try:
        with layout.beat(attempt.study_id, attempt.owner.token).open("rb") as file:
            return file.read(64)
    except OSError:
        return None
