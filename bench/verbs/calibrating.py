"""A machine against itself: one configuration twice a round, and what that says of this machine's noise."""

import json
import os
import secrets
import shlex
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from bench import planning
from bench.analysis.comparing import calibration, comparable
from bench.analysis.comparing.nouns import Calibration
from bench.analysis.result import Study
from bench.dna.machine import Machine, here
from bench.errors import DONE, CannotError, UsageError
from bench.plan import Plan
from bench.settings import Settings, resolve
from bench.store.commit import Store
from bench.store.layout import Layout
from bench.verbs import leading, study_refs
from bench.verbs.scale import show_plan
from bench.verbs.study_flags import Options
from bench.verbs.study_request import account_of, new_study_id, settings_of
from reports.comparing import calibration as shown
from reports.comparing import document
from reports.text.console import console_for

PAIR = 2  # launches a round: one for each of the two equal sides


def calibrate(options: Options) -> int:
    """Run the pairs, judge them, and keep what they say in the store; returns the exit code."""
    settings = resolve(options.flags, os.environ, Path.cwd(), options.profile)
    if settings.study.launcher != "local":
        raise UsageError("calibrate is of this machine", hint="leave out --launcher, and run it on each host")
    if options.resume:
        raise UsageError("a calibration is one session and cannot be resumed", hint="begin a new one, without --resume")
    settings = settings_of({**options.flags, "rounds": str(PAIR * settings.measure.rounds)}, options.profile)
    machine, store, output = here(), Path(settings.study.store), options.output
    plan = _plan(settings, machine, options.words)
    if options.dry_run:
        show_plan(plan, leading.commands(plan, machine, store), output)
        return DONE
    led = leading.run_again(plan, store, machine, when_busy=settings.study.when_busy, output=output)
    if (code := led.exit_code) != DONE:
        return code
    found = _judged(plan, led.study)
    _keep(found, store)
    if output.as_json:
        click.echo(json.dumps(document.calibration_document(found, str(store), DONE), indent=2))
    else:
        shown.show(found, console_for(sys.stdout, color=not output.no_color), store=str(store))
    return DONE


def _plan(settings: Settings, machine: Machine, words: tuple[str, ...]) -> Plan:
    asked = settings.study.order_seed
    return planning.build(
        settings,
        machine,
        study_id=new_study_id(settings.model.name or ""),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=shlex.join(["bench", *words]),
        order_seed=secrets.randbelow(2**31) if asked is None else asked,
        one_row=True,
        data=account_of(settings),
    )


def _judged(plan: Plan, study: Study) -> Calibration:
    """What the launches say."""
    row = study.rows[0]
    if (why := comparable.no_number(row)) is not None or study.hw_id is None:
        raise CannotError(
            f"nothing to calibrate on: {why or 'the machine has no fingerprint'}", f"study {plan.study_id}"
        )
    try:
        return calibration.calibrate(
            row.rates,
            study_id=plan.study_id,
            created_at=plan.created_at,
            hw_id=study.hw_id,
            workload=comparable.workload_key(plan.workload),
            configuration=row.key,
            device=row.configuration.device,
            margin=plan.margin,
            seed=plan.order_seed,
        )
    except ValueError as error:
        raise CannotError(f"nothing to calibrate on: {error}", hint="add --rounds 6, or --resume") from error


def _keep(found: Calibration, store: Path) -> None:
    file = Layout(store).plan(found.study_id).with_name(study_refs.CALIBRATION)
    Store.open(store, create=False).publish((json.dumps(asdict(found), indent=1) + "\n").encode(), file)
