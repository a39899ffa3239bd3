"""What `bench scale` and `bench run` share: parse -> plan -> run -> analyse -> render, each one call."""

import contextlib
import json
import os
import secrets
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from bench.errors import DONE, GATE, INTERRUPTED, PARTIAL, TERMINATED, UsageError
from bench.verbs import data, exits

if TYPE_CHECKING:
    from bench.analysis.result import Study
    from bench.dna.fingerprint import AskNumbers
    from bench.dna.machine import Machine
    from bench.plan import Plan
    from bench.settings import Settings
    from bench.store.commit import Store
    from bench.study import Host
    from launchers import Launcher, Request


@dataclass(frozen=True, kw_only=True)
class Talk:
    """How to talk about it; the flags of that name."""

    as_json: bool
    plain: bool
    no_color: bool
    wide: bool


def measure(
    flags: Mapping[str, Any],
    profile: str | None,
    *,
    one_row: bool,
    dry_run: bool,
    resume: bool,
    fail_on: str | None = None,
    **talking: bool,
) -> int:
    """Measure what the flags and the settings around them ask for; returns the exit code.

    Raises:
        BenchError: the request, the machine or the workload itself stands in the way; nothing finished is lost.
    """
    from bench.dna.machine import here
    from bench.settings import resolve
    from bench.verbs import submission
    from bench.verbs.options import pass_on_variables, refuse_unknown_names
    from launchers import FOLLOW, SUBMIT

    talk = Talk(**talking)
    settings = resolve(flags, os.environ, Path.cwd(), profile)
    refuse_unknown_names(settings)
    pass_on_variables(settings)
    gates, given = exits.gates(fail_on, settings), submission.given_study()
    study_id = given or _new_study_id(settings)
    store_path = Path(settings.study.store)
    module = submission.launcher_of(settings)
    part = module.part(os.environ)
    request = submission.request_of(settings, study_id)
    if part == FOLLOW and not dry_run:
        return submission.follow(module)
    if part == SUBMIT:
        _refuse_without_nodes(settings)
        words = submission.words_of(sys.argv[1:], settings.study.launcher)
        if dry_run:
            with submission.in_our_words():
                print(module.script(words, request))
            return DONE
        submission.submitted(module, request, words, store_path)
        from bench import study

        return _tell(study.analysed(store_path, study_id), store_path, DONE, talk, gates)
    machine = here()
    plan = _plan(settings, machine, study_id, one_row=one_row, quiet=talk.as_json)
    if dry_run:
        _tell_plan(plan, machine, settings.study.store, talk)
        return DONE
    from bench import study
    from bench.store.commit import Store

    store = Store.open(store_path, needs_bytes=plan.estimated_bytes, needs_files=plan.estimated_files)
    ran, code = _run(
        plan,
        partial(_begun, plan, store, resume=resume, given=given is not None),
        store,
        machine,
        _opened(module, request),
        when_busy=settings.study.when_busy,
        demo=settings.profile == "demo",
        talk=talk,
    )
    return _tell(study.analysed(store.path, ran.study_id), store.path, code, talk, gates)


def run_again(plan: "Plan", store_path: Path, machine: "Machine", *, when_busy: str, talk: Talk) -> int:
    """Run a plan that was made elsewhere, on this host, as a new study of a store; its table is the caller's to print.

    Args:
        plan: under a name of its own.
        store_path: where its results go.
        machine: this one.
        when_busy: of bench.plan.WHEN_BUSY.
        talk: how to tell of progress.

    Returns:
        The exit code.
    """
    import launchers
    from bench import study
    from bench.store.commit import Store

    store = Store.open(store_path, needs_bytes=plan.estimated_bytes, needs_files=plan.estimated_files)
    opening = contextlib.closing(launchers.find("local").open())
    begun = partial(_begun, plan, store, resume=False, given=False)
    _, code = _run(plan, begun, store, machine, opening, when_busy=when_busy, demo=False, talk=talk)
    return exits.settled(code, study.analysed(store.path, plan.study_id))


def _begun(plan: "Plan", store: "Store", *, resume: bool, given: bool) -> "Plan":
    """The plan to run: a new study, written down, or the one that is gone on with."""
    from bench import resuming
    from bench.plan import to_json
    from bench.store import index

    if given and plan.study_id in index.studies(store.path):
        # Whoever runs the study again by its name, as a queue does after a node died, says that nobody else runs it.
        resuming.take_up(store, plan.study_id, force=True)
        return index.plan(store.path, plan.study_id)
    if resume:
        plan = resuming.unfinished(store, plan)
        resuming.take_up(store, plan.study_id, tell=_say)
        return plan
    store.create_study(to_json(plan))
    return plan


def _new_study_id(settings: "Settings") -> str:
    from bench import planning

    return planning.new_study_id(settings.model.name or "", datetime.now(UTC), secrets.randbits(16))


def _refuse_without_nodes(settings: "Settings") -> None:
    """What the plan would say, for a plan that is made elsewhere."""
    if settings.scale.nodes is None:
        raise UsageError(f"--launcher {settings.study.launcher} needs to know how many hosts", "add --nodes 1,2,4")


def _plan(settings: "Settings", machine: "Machine", study_id: str, *, one_row: bool, quiet: bool) -> "Plan":
    from bench import planning

    asked = settings.study.order_seed
    order_seed = secrets.randbelow(2**31) if asked is None else asked
    return planning.build(
        settings,
        machine,
        study_id=study_id,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=_command(order_seed if asked is None else None),
        order_seed=order_seed,
        one_row=one_row,
        data=data.account_of(settings, quiet=quiet),
    )


def _command(drawn_seed: int | None) -> str:
    """What repeats this study: the words as they were typed, with the seed that was drawn for them."""
    words = ["bench", *(word for word in sys.argv[1:] if word not in {"--json", "--resume", "--debug"})]
    return shlex.join(words if drawn_seed is None else [*words, "--order-seed", str(drawn_seed)])


def _tell_plan(plan: "Plan", machine: "Machine", store: str, talk: Talk) -> None:
    import launchers
    from bench.study import commands
    from reports.running import plans

    told = commands(plan, _host(launchers.find("local").open(), machine), Path(store))
    print(json.dumps(plans.document(plan, told), indent=1) if talk.as_json else "\n".join(plans.lines(plan, told)))


def _run(
    plan: "Plan",
    begun: Callable[[], "Plan"],
    store: "Store",
    machine: "Machine",
    opening: AbstractContextManager["Launcher"],
    *,
    when_busy: str,
    demo: bool,
    talk: Talk,
) -> tuple["Plan", int]:
    """Look at the machine, write the study down, and run every launch.

    Args:
        plan: what is asked for.
        begun: writes it down, or finds the study that is gone on with; not called when nothing may run here.
        store: where results go.
        machine: what there is to run it on.
        opening: what starts launches.
        when_busy: of bench.plan.WHEN_BUSY.
        demo: nothing was asked for.
        talk: how to tell of it.

    Returns:
        What was run, and the exit code so far.
    """
    from bench import health, host_lock, study
    from bench.dna import numbers
    from bench.verbs.interruptions import Terminated, listened_for
    from reports.running import plans, progress
    from reports.text.console import console_for

    checks = health.preflight(plan, machine, store.path, share=when_busy != "refuse")
    health.refuse(checks)
    if not talk.as_json:
        lines = plans.opening(plan, demo=demo)
        lines += [f"Warning  {each.text}: {each.fix}" for each in checks if each.level == health.WARNING]
        plans.show(lines, console_for(sys.stderr, color=not talk.no_color))
    watching = progress.for_stream(sys.stderr, plain=talk.plain or talk.no_color, json=talk.as_json)
    code: int | None = None
    with host_lock.held(when_busy, _say) as shared, opening as launcher:
        ask = numbers.read if talk.as_json else partial(numbers.read, tell=_say)
        if when_busy == "wait":  # as it is now that the others are done
            health.refuse(checks := health.preflight(plan, machine, store.path))
        disturbed = [shared] if shared else []
        disturbed += [each.text for each in checks if (each.name, each.level) == (health.GPU_PROCESSES, health.WARNING)]
        host = replace(_host(launcher, machine, tuple(disturbed), ask), shares_gpus=when_busy == "share")
        plan = begun()
        try:
            with listened_for(lambda: _say("\nEnding after this launch; Ctrl-C again ends it now.")) as asked:
                study.run(plan, store, host, watching, draining=lambda: asked.draining)
                code = asked.code
        except KeyboardInterrupt:
            code = INTERRUPTED
        except Terminated:
            code = TERMINATED
        finally:
            watching.finished()
    return plan, code or DONE


@contextlib.contextmanager
def _opened(module: ModuleType, request: "Request") -> Iterator["Launcher"]:
    """A launcher for as long as the study runs."""
    from bench.verbs.submission import in_our_words

    with in_our_words():
        launcher: Launcher = module.open(request)
    try:
        yield launcher
    finally:
        launcher.close()


def _host(
    launcher: "Launcher", machine: "Machine", warnings: tuple[str, ...] = (), ask: "AskNumbers | None" = None
) -> "Host":
    """What launches are started on and by; without `ask`, no canary is run."""
    from bench.dna import ceilings
    from bench.dna.fingerprint import fingerprint
    from bench.study import Host

    found = ceilings.joined(fingerprint(ask), len(machine.cpu_ids))
    return Host(launcher=launcher, machine=machine, fingerprint=found, warnings=warnings)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _tell(findings: "Study", store: Path, code: int, talk: Talk, gates: tuple[str, ...] = ()) -> int:
    from reports.learning import table
    from reports.scaling import document, terminal
    from reports.text.console import console_for

    code = exits.settled(code, findings)
    missed = list(table.missed(findings)) if exits.ACCURACY in gates else []
    if missed and code in {DONE, PARTIAL}:
        code = GATE
    if talk.as_json:
        print(json.dumps(document.scale_document(findings, store, code), indent=1))
    else:
        terminal.show(findings, console_for(sys.stdout, color=not talk.no_color), store=str(store), wide=talk.wide)
    for each in missed:
        _say(f"gate failed: {each}")
    return code
