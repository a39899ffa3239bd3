"""A study that this process does not lead: handed to a queue and waited for, or followed at a leader's word."""

import time
from pathlib import Path
from types import ModuleType

from bench.errors import CannotError, UsageError
from bench.output import say
from bench.store.layout import Layout
from bench.verbs.interruptions import listened_for
from bench.verbs.study_request import StudyRequest, as_bench_errors, forwarded_words
from launchers import Request, Submitted

_LOOK_EVERY_S = 2.0
_LOST_SIGHT_AFTER = 3  # looks without a word of the queue


def submit(request: StudyRequest) -> None:
    """Hand the study over, and wait until the queue has done with it; progress goes to stderr.

    Ctrl-C once has it end after the launch that is running, twice now; the queue's job goes on when this process dies.

    Raises:
        UsageError: nothing says on how many hosts.
        CannotError: it cannot be handed over, or it ended without a launch in the store.
    """
    hand_over(_words(request), request.for_launcher(), request.launcher, request.store)


def hand_over(words: tuple[str, ...], asked: Request, launcher: ModuleType, store: Path) -> None:
    """The same for a command line, and what is asked of a launcher; arguments as of a launcher's `submit`."""
    folder = store / "studies" / asked.name
    with as_bench_errors():
        job = launcher.submit(words, asked, folder)
    say(f"Study {asked.name}: handed over as job {job.name}; results go to {store}")
    _wait_for(job, asked.name, store)
    if not _committed(store, asked.name):
        tail = "\n".join(job.log_tail().splitlines()[-2:])
        raise CannotError(f"job {job.name} has ended without a result\n{tail}".rstrip(), f"its log is in {folder}")


def script(request: StudyRequest) -> str:
    """The exact text that would be submitted.

    Raises:
        UsageError: nothing says on how many hosts, or where they meet.
    """
    words = _words(request)
    with as_bench_errors():
        text: str = request.launcher.script(words, request.for_launcher())
    return text


def follow(module: ModuleType) -> int:
    """Do what the leader says until it has done; returns the exit code."""
    say("Following the leader of this study; it prints the table.")
    with as_bench_errors():
        code: int = module.follow()
    return code


def _words(request: StudyRequest) -> tuple[str, ...]:
    """The command line that is handed over; refused here where the plan, which others make, would be refused."""
    launcher = request.settings.study.launcher
    if request.settings.scale.nodes is None:
        raise UsageError(f"--launcher {launcher} needs to know how many hosts", "add --nodes 1,2,4")
    return forwarded_words(request.options.words, launcher)


def _wait_for(job: Submitted, study_id: str, store: Path) -> None:
    last = ""
    unseen = 0

    def drain() -> None:
        say("\nEnding after the launch that is running; Ctrl-C again ends it now.")
        job.drain()

    with listened_for(drain):
        try:
            while unseen < _LOST_SIGHT_AFTER:
                state = job.state()
                unseen = 0 if state else unseen + 1
                now = f"{state} · {_committed(store, study_id)} launches done" if state else last
                if now != last:
                    say(f"Job {job.name}: {now}")
                    last = now
                time.sleep(_LOOK_EVERY_S)
        except BaseException:
            job.cancel()
            raise


def _committed(store: Path, study_id: str) -> int:
    return sum(1 for _ in Layout(store).markers(study_id).glob("[!.]*.json"))
