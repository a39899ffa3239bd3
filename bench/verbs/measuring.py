"""What `bench scale` and `bench run` share: parse -> plan -> run -> analyse -> render, each one call."""

import contextlib
import json
import os
import secrets
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import DONE, INTERRUPTED, PARTIAL, TERMINATED

if TYPE_CHECKING:
    from bench.analysis.result import Row, Study
    from bench.dna.machine import Machine
    from bench.plan import Plan
    from bench.settings import Settings
    from bench.store.commit import Store
    from bench.study import Host


@dataclass(frozen=True, kw_only=True)
class Talk:
    """How to talk about it; the flags of that name."""

    as_json: bool
    plain: bool
    no_color: bool
    wide: bool


class Terminated(BaseException):
    """SIGTERM arrived. Not an Exception: nothing on the way may swallow it."""


def measure(
    flags: Mapping[str, Any], profile: str | None, *, one_row: bool, dry_run: bool, resume: bool, **talking: bool
) -> int:
    """Measure what the flags and the settings around them ask for; returns the exit code.

    Raises:
        BenchError: the request, the machine or the workload itself stands in the way; nothing finished is lost.
    """
    from bench.dna.machine import here
    from bench.settings import resolve
    from bench.verbs.options import refuse_unknown_names

    talk = Talk(**talking)
    settings = resolve(flags, os.environ, Path.cwd(), profile)
    refuse_unknown_names(settings)
    machine = here()
    plan = _plan(settings, machine, one_row=one_row)
    if dry_run:
        _tell_plan(plan, machine, settings.study.store, talk)
        return DONE
    from bench.plan import to_json
    from bench.store.commit import Store

    store = Store.open(Path(settings.study.store), needs_bytes=plan.estimated_bytes)
    if resume:
        from bench.study import unfinished

        plan = unfinished(store, plan)
    else:
        store.create_study(to_json(plan))
    return _run(plan, store, machine, settings, talk)


def _plan(settings: "Settings", machine: "Machine", *, one_row: bool) -> "Plan":
    from bench import planning

    now = datetime.now(UTC)
    asked = settings.study.order_seed
    order_seed = secrets.randbelow(2**31) if asked is None else asked
    return planning.build(
        settings,
        machine,
        study_id=planning.new_study_id(settings.model.name or "", now, secrets.randbits(16)),
        created_at=now.isoformat(timespec="seconds"),
        command=_command(order_seed if asked is None else None),
        order_seed=order_seed,
        one_row=one_row,
    )


def _command(drawn_seed: int | None) -> str:
    """What repeats this study: the words as they were typed, with the seed that was drawn for them."""
    words = ["bench", *(word for word in sys.argv[1:] if word not in {"--json", "--resume", "--debug"})]
    return shlex.join(words if drawn_seed is None else [*words, "--order-seed", str(drawn_seed)])


def _tell_plan(plan: "Plan", machine: "Machine", store: str, talk: Talk) -> None:
    from bench.study import commands
    from reports import plans

    told = commands(plan, _host(machine), Path(store))
    if talk.as_json:
        print(json.dumps(plans.document(plan, told), indent=1))
    else:
        print("\n".join(plans.lines(plan, told)))


def _run(plan: "Plan", store: "Store", machine: "Machine", settings: "Settings", talk: Talk) -> int:
    from bench import study
    from reports import plans, progress

    if not talk.as_json:
        print("\n".join(plans.opening(plan, demo=settings.profile == "demo")), file=sys.stderr, flush=True)
    watching = progress.for_stream(sys.stderr, plain=talk.plain or talk.no_color, json=talk.as_json)
    code = DONE
    try:
        with _sigterm_raises():
            study.run(plan, store, _host(machine), watching)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Terminated:
        code = TERMINATED
    finally:
        watching.finished()
    return _tell(study.analysed(store.path, plan.study_id), store.path, code, talk)


def _host(machine: "Machine") -> "Host":
    import launchers
    from bench.dna.fingerprint import fingerprint
    from bench.study import Host

    return Host(launcher=launchers.find("local").open(), machine=machine, fingerprint=fingerprint())


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    def raise_it(_number: int, _frame: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, raise_it)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(findings: "Study", store: Path, code: int, talk: Talk) -> int:
    from reports import document, terminal
    from reports.console import console_for

    if code == DONE and any(_failed(row) for row in findings.rows):
        code = PARTIAL
    if talk.as_json:
        print(json.dumps(document.scale_document(findings, store, code), indent=1))
    else:
        terminal.show(findings, console_for(sys.stdout, color=not talk.no_color), store=str(store), wide=talk.wide)
    return code


def _failed(row: "Row") -> bool:
    """Some launch of the row gave no number, or its numbers must not be used."""
    from bench.analysis.result import INVALID

    return bool(row.launches_failed) or (row.verdict is not None and row.verdict.word == INVALID)
