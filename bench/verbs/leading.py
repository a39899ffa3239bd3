"""A study that this process leads: look at the machine, write the study down, run every launch, read it back."""

import contextlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import launchers
from bench import health, host_lock, resuming, study
from bench.analysis.result import Study
from bench.dna import ceilings, numbers
from bench.dna.fingerprint import AskNumbers, fingerprint
from bench.dna.machine import Machine, here
from bench.errors import DONE, INTERRUPTED, PARTIAL, TERMINATED
from bench.output import say
from bench.plan import Plan, to_json
from bench.store import index
from bench.store.commit import Store
from bench.study import Host
from bench.verbs.interruptions import Terminated, listened_for
from bench.verbs.study_flags import OutputOptions
from bench.verbs.study_request import StudyRequest, as_bench_errors
from reports.running import plans, progress
from reports.text.console import console_for


@dataclass(frozen=True, kw_only=True)
class Led:
    """What a study came to."""

    study: Study
    code: int  # DONE, INTERRUPTED or TERMINATED

    @property
    def exit_code(self) -> int:
        """The code once it is known what the rows came to: one gave no number, or its numbers must not be used."""
        failed = any(row.launches_failed or row.is_invalid for row in self.study.rows)
        return PARTIAL if self.code == DONE and failed else self.code


def lead(request: StudyRequest, watcher: study.Watcher | None = None) -> Led:
    """Measure what is asked for, launch by launch; the table is the caller's to print.

    Args:
        request: what is asked for.
        watcher: told of everything; None: what the request's options say, on stderr.

    Raises:
        BenchError: the request, the machine or the workload itself stands in the way; nothing finished is lost.
    """
    machine, output = here(), request.options.output
    plan = request.plan(machine)
    store = _store_for(plan, request.store)
    when_busy, demo = request.settings.study.when_busy, request.settings.profile == "demo"
    with _host_for(plan, store, machine, _opened(request), when_busy=when_busy, output=output, demo=demo) as host:
        plan = _written_down(plan, store, request)
        code = _run(plan, store, host, watcher or _on_stderr(output))
    return Led(study=study.analyse(store.path, plan.study_id), code=code)


def run_again(plan: Plan, store_path: Path, machine: Machine, *, when_busy: str, output: OutputOptions) -> Led:
    """Run a plan that was made by others, on this host, as a new study of a store; its table is the caller's to print.

    Args:
        plan: under a name of its own.
        store_path: where its results go.
        machine: this one.
        when_busy: of bench.plan.WHEN_BUSY.
        output: how to tell of progress.
    """
    store = _store_for(plan, store_path)
    opening = contextlib.closing(launchers.find("local").open())
    with _host_for(plan, store, machine, opening, when_busy=when_busy, output=output) as host:
        store.create_study(to_json(plan))
        code = _run(plan, store, host, _on_stderr(output))
    return Led(study=study.analyse(store.path, plan.study_id), code=code)


def planned(request: StudyRequest) -> tuple[Plan, list[launchers.Command]]:
    """What would be run here, and what each launch would start; starts nothing."""
    machine = here()
    plan = request.plan(machine)
    return plan, commands(plan, machine, request.store)


def commands(plan: Plan, machine: Machine, store: Path) -> list[launchers.Command]:
    """What each launch of a plan would start on this host."""
    return study.commands(plan, _host(launchers.find("local").open(), machine), store)


def _store_for(plan: Plan, path: Path) -> Store:
    return Store.open(path, needs_bytes=plan.estimated_bytes, needs_files=plan.estimated_files)


@contextlib.contextmanager
def _opened(request: StudyRequest) -> Iterator[launchers.Launcher]:
    """A launcher for as long as the study runs."""
    with as_bench_errors():
        launcher: launchers.Launcher = request.launcher.open(request.for_launcher())
    with contextlib.closing(launcher):
        yield launcher


@contextlib.contextmanager
def _host_for(
    plan: Plan,
    store: Store,
    machine: Machine,
    opening: AbstractContextManager[launchers.Launcher],
    *,
    when_busy: str,
    output: OutputOptions,
    demo: bool = False,
) -> Iterator[Host]:
    """This host, found fit for the plan and kept from others while it runs."""
    checks = health.preflight(plan, machine, store.path, share=when_busy != "refuse")
    health.refuse(checks)
    if not output.as_json:
        lines = plans.opening(plan, demo=demo)
        lines += [f"Warning  {each.text}: {each.fix}" for each in checks if each.level == health.WARNING]
        plans.show(lines, console_for(sys.stderr, color=not output.no_color))
    with host_lock.held(when_busy, say) as shared, opening as launcher:
        ask = numbers.read if output.as_json else partial(numbers.read, tell=say)
        if when_busy == "wait":  # as it is now that the others are done
            health.refuse(checks := health.preflight(plan, machine, store.path))
        disturbed = [shared] if shared else []
        disturbed += [each.text for each in checks if (each.name, each.level) == (health.GPU_PROCESSES, health.WARNING)]
        host = _host(launcher, machine, ask)
        yield replace(host, warnings=tuple(disturbed), shares_gpus=when_busy == "share")


def _host(launcher: launchers.Launcher, machine: Machine, ask: AskNumbers | None = None) -> Host:
    """What launches are started on and by; without `ask`, no canary is run."""
    found = ceilings.joined(fingerprint(ask), len(machine.cpu_ids))
    return Host(launcher=launcher, machine=machine, fingerprint=found)


def _written_down(plan: Plan, store: Store, request: StudyRequest) -> Plan:
    """The plan to run: a new study, written down, or the one that is resumed."""
    if request.is_named_outside and plan.study_id in index.studies(store.path):
        # Whoever runs the study again by its name, as a queue does after a node died, says that nobody else runs it.
        resuming.prepare_resume(store, plan.study_id, force=True)
        return index.plan(store.path, plan.study_id)
    if request.options.resume:
        plan = resuming.unfinished(store, plan)
        resuming.prepare_resume(store, plan.study_id, tell=say)
        return plan
    store.create_study(to_json(plan))
    return plan


def _run(plan: Plan, store: Store, host: Host, watcher: study.Watcher) -> int:
    """Every launch that has no result yet, until the last or until somebody ends it; returns which of these."""
    try:
        with listened_for(lambda: say("\nEnding after this launch; Ctrl-C again ends it now.")) as draining:
            study.run(plan, store, host, watcher, draining=draining.is_set)
            return INTERRUPTED if draining.is_set() else DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Terminated:
        return TERMINATED
    finally:
        watcher.finished()


def _on_stderr(output: OutputOptions) -> study.Watcher:
    return progress.for_stream(sys.stderr, plain=output.plain or output.no_color, json=output.as_json)
