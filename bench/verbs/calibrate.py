"""`bench calibrate`: a machine against itself. How far apart do equal launches lie, and do verdicts see ghosts?"""

import json
import os
import secrets
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.errors import DONE, CannotError, UsageError
from bench.verbs import measuring, study_refs
from bench.verbs.measuring import Talk
from bench.verbs.options import pass_on_variables, refuse_unknown_names, study_options

if TYPE_CHECKING:
    from bench.analysis.comparing.nouns import Calibration
    from bench.dna.machine import Machine
    from bench.plan import Plan
    from bench.settings import Settings

PAIR = 2  # launches a round: one for each of the two equal sides


@click.command(
    epilog="""\b
Examples:
  bench calibrate
  bench calibrate --model resnet18 --data cifar10 --rounds 60
  bench calibrate --strategy ddp --ranks 2 --store bench-results"""
)
@study_options
def command(flags: Mapping[str, Any], profile: str | None, *, dry_run: bool, resume: bool, **talking: bool) -> int:
    """Launch one configuration against itself, twice a round, and keep what that says of this machine.

    The spread of its launches and the false alarms of the verdicts on them go into the store beside the study; bench
    compare then calls nothing FASTER, SLOWER or EQUIVALENT that this spread does not allow.
    """
    from bench.dna.machine import here
    from bench.settings import resolve

    talk = Talk(**talking)
    settings = resolve(flags, os.environ, Path.cwd(), profile)
    settings = resolve({**flags, "rounds": str(PAIR * settings.measure.rounds)}, os.environ, Path.cwd(), profile)
    if settings.study.launcher != "local":
        raise UsageError("calibrate is of this machine", hint="leave out --launcher, and run it on each host")
    if resume:
        raise UsageError("a calibration is one session and cannot be resumed", hint="begin a new one, without --resume")
    refuse_unknown_names(settings)
    pass_on_variables(settings)
    machine, store = here(), Path(settings.study.store)
    plan = _plan(settings, machine)
    if dry_run:
        _tell_plan(plan, machine, store, talk)
        return DONE
    code = measuring.run_again(plan, store, machine, when_busy=settings.study.when_busy, talk=talk)
    if code != DONE:
        return code
    found = _judged(plan, store)
    _keep(found, store)
    return _tell(found, store, talk)


def _plan(settings: "Settings", machine: "Machine") -> "Plan":
    from bench import planning
    from bench.verbs.data import account_of

    asked = settings.study.order_seed
    now = datetime.now(UTC)
    return planning.build(
        settings,
        machine,
        study_id=planning.new_study_id(settings.model.name or "", now, secrets.randbits(16)),
        created_at=now.isoformat(timespec="seconds"),
        command=shlex.join(["bench", *sys.argv[1:]]),
        order_seed=secrets.randbelow(2**31) if asked is None else asked,
        one_row=True,
        data=account_of(settings),
    )


def _judged(plan: "Plan", store: Path) -> "Calibration":
    """What the launches say.

    Raises:
        CannotError: too few of them gave a number, or their numbers must not be used.
    """
    from bench import study
    from bench.analysis.comparing import calibration, comparable

    found = study.analysed(store, plan.study_id)
    row = found.rows[0]
    if (why := comparable.no_number(row)) is not None or found.hw_id is None:
        raise CannotError(
            f"nothing to calibrate on: {why or 'the machine has no fingerprint'}", f"study {plan.study_id}"
        )
    try:
        return calibration.calibrate(
            row.rates,
            study_id=plan.study_id,
            created_at=plan.created_at,
            hw_id=found.hw_id,
            workload=comparable.workload_key(plan.workload),
            configuration=row.configuration,
            device=row.device,
            margin=plan.margin,
            seed=plan.order_seed,
        )
    except ValueError as error:
        raise CannotError(f"nothing to calibrate on: {error}", hint="add --rounds 6, or --resume") from error


def _keep(found: "Calibration", store: Path) -> None:
    from bench.analysis.comparing import calibration
    from bench.store.commit import Store
    from bench.store.layout import Layout

    file = Layout(store).plan(found.study_id).with_name(study_refs.CALIBRATION)
    Store.open(store, create=False).publish((json.dumps(calibration.to_json(found), indent=1) + "\n").encode(), file)


def _tell(found: "Calibration", store: Path, talk: Talk) -> int:
    from reports.comparing import calibration, document
    from reports.text.console import console_for

    if talk.as_json:
        click.echo(json.dumps(document.calibration_document(found, str(store), DONE), indent=2))
    else:
        calibration.show(found, console_for(sys.stdout, color=not talk.no_color), store=str(store))
    return DONE


def _tell_plan(plan: "Plan", machine: "Machine", store: Path, talk: Talk) -> None:
    import launchers
    from bench.dna.fingerprint import fingerprint
    from bench.study import Host, commands
    from reports.running import plans

    host = Host(launcher=launchers.find("local").open(), machine=machine, fingerprint=fingerprint())
    told = commands(plan, host, store)
    click.echo(json.dumps(plans.document(plan, told), indent=1) if talk.as_json else "\n".join(plans.lines(plan, told)))
