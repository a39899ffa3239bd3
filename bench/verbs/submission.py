"""A study that is not run by this process: handed to a queue and waited for, or followed at a leader's word."""

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from bench.errors import CannotError, UsageError

if TYPE_CHECKING:
    from bench.settings import Settings
    from launchers import Request, Submitted

STUDY = "BENCH_STUDY"  # the study's id, given from outside: begun once, gone on with afterwards
_LOOK_EVERY_S = 2.0
_LOST_SIGHT_AFTER = 3  # looks without a word of the queue


def launcher_of(settings: "Settings") -> ModuleType:
    """The module of the launcher that is asked for."""
    import launchers

    return launchers.find(settings.study.launcher)


def request_of(settings: "Settings", study_id: str) -> "Request":
    """What the settings ask of a launcher beyond this host."""
    from launchers import Request

    scale, slurm = settings.scale, settings.slurm
    gpus = slurm.gpus_per_node or (scale.ranks_per_node or 0 if scale.device == "cuda" else 0)
    options = (
        slurm.model_dump(exclude_none=True, exclude={"gpus_per_node"}) if settings.study.launcher == "slurm" else {}
    )
    if settings.study.launcher == "torchrun":
        options = {"rdzv": settings.study.rdzv}
        # Every node must come to the same name, of the same command; the leader names the study itself.
        study_id = (
            f"bench-{hashlib.blake2b(repr(words_of(sys.argv[1:], 'torchrun')).encode(), digest_size=6).hexdigest()}"
        )
    return Request(
        name=study_id,
        nodes=max(scale.nodes or (1,)),
        ranks_per_node=scale.ranks_per_node or gpus or 1,
        cores_per_rank=scale.cores_per_rank,
        gpus_per_node=gpus,
        options=options,
    )


def words_of(arguments: Sequence[str], launcher: str) -> tuple[str, ...]:
    """The command line that the study is run with elsewhere: as it was typed, without what is for this process.

    A queue's job has a log, and the table is printed here; of torchrun's nodes the leader prints it. `--rdzv` is not
    needed once torchrun has met there, and torchrun would take it for the beginning of words of its own.
    """
    ours = {"--dry-run", "--debug", *(("--json",) if launcher == "slurm" else ())}
    kept = []
    words = iter(arguments)
    for word in words:
        if word == "--rdzv":
            next(words, None)
        elif word not in ours and not word.startswith("--rdzv="):
            kept.append(word)
    return tuple(kept)


@contextlib.contextmanager
def in_our_words() -> Iterator[None]:
    """What a launcher complains of, as errors that a user can act on.

    Raises:
        UsageError: for a ValueError, which says what to write otherwise.
        CannotError: for anything else that hosts, networks and queues do.
    """
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error), "see what is started where: --dry-run") from error
    except (OSError, RuntimeError, LookupError) as error:
        raise CannotError(str(error), "see what is started where: --dry-run") from error


def submitted(module: ModuleType, request: "Request", words: Sequence[str], store: Path) -> None:
    """Hand the study over, and wait until the queue has done with it; progress goes to stderr.

    Ctrl-C once has it end after the launch that is running, twice now; the queue's job goes on when this process dies.

    Raises:
        CannotError: it cannot be handed over, or it ended without a launch in the store.
    """
    folder = store / "studies" / request.name
    with in_our_words():
        job = module.submit(tuple(words), request, folder)
    _say(f"Study {request.name}: handed over as job {job.name}; results go to {store}")
    _wait_for(job, request.name, store)
    if not _committed(store, request.name):
        tail = "\n".join(job.log_tail().splitlines()[-2:])
        raise CannotError(f"job {job.name} has ended without a result\n{tail}".rstrip(), f"its log is in {folder}")


def follow(module: ModuleType) -> int:
    """Do what the leader says until it has done."""
    _say("Following the leader of this study; it prints the table.")
    with in_our_words():
        code: int = module.follow()
    return code


def _wait_for(job: "Submitted", study_id: str, store: Path) -> None:
    from bench.verbs.interruptions import listened_for

    last = ""
    unseen = 0

    def told() -> None:
        _say("\nEnding after the launch that is running; Ctrl-C again ends it now.")
        job.drain()

    with listened_for(told):
        try:
            while unseen < _LOST_SIGHT_AFTER:
                state = job.state()
                unseen = 0 if state else unseen + 1
                now = f"{state} · {_committed(store, study_id)} launches done" if state else last
                if now != last:
                    _say(f"Job {job.name}: {now}")
                    last = now
                time.sleep(_LOOK_EVERY_S)
        except BaseException:
            job.cancel()
            raise


def _committed(store: Path, study_id: str) -> int:
    from bench.store.layout import Layout

    return sum(1 for _ in Layout(store).markers(study_id).glob("[!.]*.json"))


def given_study() -> str | None:
    """The id that whoever started this process gave the study; None when it is to have a new one.

    Raises:
        UsageError: it cannot be an id.
    """
    from bench.store.layout import Layout

    study_id = os.environ.get(STUDY) or None
    if study_id is not None:
        try:
            Layout(Path()).plan(study_id)
        except ValueError as error:
            raise UsageError(f"{STUDY}: {error}") from error
    return study_id


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
