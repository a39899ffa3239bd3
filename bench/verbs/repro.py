"""`bench repro`: would another machine agree, or this one, again?"""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import plan as nouns
from bench.errors import DONE, GATE, PARTIAL, UsageError
from bench.output import say
from bench.verbs.study_flags import busy_option, data_dir_option, json_option, store_option, workload_options

if TYPE_CHECKING:
    from bench.analysis.repro.nouns import Agreement
    from bench.dna.machine import Machine
    from bench.repro.capsule import Capsule
    from bench.repro.runs import Stage

ENDING = ".capsule"


@click.group(
    epilog="""\b
Examples:
  bench repro record --model lenet-large --data digits -o lenet.capsule
  bench repro check lenet.capsule --fail-on different
  bench repro run colleague-results"""
)
def command() -> None:
    """Say whether another machine computes the same, how far rounding may carry it, and where it first does not."""


@command.command(
    epilog="""\b
Examples:
  bench repro record --model resnet18 --data cifar10 --steps 20 -o resnet18.capsule
  bench repro record --model lenet-large --data digits --ranks 1,2,3 -o lenet.capsule
  bench repro record --profile demo --seeds 5 -o demo.capsule"""
)
@workload_options
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The capsule's file.")
@click.option("--seeds", type=click.IntRange(min=0), default=0, help="Also train N seeds, to compare what is learned.")
@click.option(
    "--no-envelope", is_flag=True, help="Do not measure how far rounding goes: a check is bitwise or nothing."
)
@json_option
def record(
    *, flags: Mapping[str, Any], profile: str | None, output: Path, seeds: int, no_envelope: bool, as_json: bool
) -> int:
    """Train a few steps in deterministic mode and write down what is seen, for others to check.

    Data, weights, activations, gradients, losses (--steps of them, 50 unless said). Several --ranks share one global
    batch and are compared with one process; exits with 4 when they compute something else. No speed is taken from it.
    """
    from bench.dna.machine import here
    from bench.repro import capsule, runs
    from bench.verbs import repro_inputs
    from reports.repro import agreement

    if not output.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {output.absolute().parent}", "make it, or name another file: -o CAPSULE")
    machine = here()
    repro_run, ranks, when_busy = repro_inputs.asked(flags, profile, machine)
    with _uninterrupted(when_busy, as_json):
        stage = _stage(machine, as_json)
        nudges = 0 if no_envelope else runs.NUDGES
        found = runs.recorded(repro_run, stage, nudges=nudges, seeds=seeds, ranks=ranks)
    capsule.write(output, found)
    code = DONE if all(each.agrees for each in found.ranks) else GATE
    if as_json:
        print(json.dumps(agreement.record_document(found, str(output), output.stat().st_size, code), indent=1))
    else:
        agreement.show_recorded(found, str(output), output.stat().st_size, _console())
    return code


@command.command(
    epilog="""\b
Examples:
  bench repro check lenet.capsule
  bench repro check lenet.capsule --device cuda
  bench repro check lenet.capsule --fail-on different --json"""
)
@click.argument("file", metavar="CAPSULE", type=click.Path(path_type=Path))
@click.option("--fail-on", metavar="WORD", help="Exit 4 at this verdict: different; several with commas.")
@click.option("--device", type=click.Choice(nouns.DEVICES), help="Rehearse on another kind than the capsule's.")
@click.option("--cores-per-rank", type=click.IntRange(min=1), help="Other than the capsule's.")
@data_dir_option
@busy_option
@json_option
def check(
    *,
    file: Path,
    fail_on: str | None,
    device: str | None,
    cores_per_rank: int | None,
    data_dir: str | None,
    when_busy: str,
    as_json: bool,
) -> int:
    """Rehearse a capsule here and say whether this machine agrees.

    bitwise, equivalent-numerics (no further off than rounding), equivalent-statistics (learns as well), different, not
    comparable, or inconclusive; with the first tensor that differs, and the likely cause.
    """
    from bench.repro import capsule
    from reports.repro import agreement

    gates = _gates(fail_on)
    reference = capsule.read(file)
    with _uninterrupted(when_busy, as_json):
        found = _checked(reference, device, cores_per_rank, data_dir, as_json=as_json)
    code = GATE if found.verdict in gates else DONE
    if as_json:
        print(json.dumps(agreement.document(found, code), indent=1))
    else:
        agreement.show(found, _console())
    return code


@command.command(
    epilog="""\b
Examples:
  bench repro run colleague-results
  bench repro run colleague-results --study 2611220824-lenet --store mine"""
)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--study", default="@last", show_default=True, help="Which of its studies.")
@store_option
@data_dir_option
@busy_option
@json_option
def run(*, bundle: Path, study: str, store: Path, data_dir: str | None, when_busy: str, as_json: bool) -> int:
    """Repeat a study of somebody's store BUNDLE here; judge its speed, and its numbers by a capsule that lies with it.

    The study is run as it was planned, into --store, under a new name; rows that need more than this machine has are
    left out. Every file NAME.capsule in the bundle's folder is checked.
    """
    from bench.dna.machine import here
    from bench.repro import capsule
    from bench.store import index
    from bench.verbs import leading, repro_inputs, study_refs
    from bench.verbs.study_flags import OutputOptions
    from reports.comparing import comparison, document
    from reports.repro import agreement

    machine = here()
    theirs = index.resolve(bundle, study)
    capsules = [(file.name, capsule.read(file)) for file in sorted(bundle.glob(f"*{ENDING}"))]
    again = repro_inputs.here(index.plan(bundle, theirs), machine, data_dir)
    led = leading.run_again(again, store, machine, when_busy=when_busy, output=OutputOptions(as_json=as_json))
    code = led.exit_code
    if code not in {DONE, PARTIAL}:
        say(f"Broken off; what was finished is kept as {again.study_id} in {store}")
        if as_json:
            print(json.dumps(agreement.repeat_document(again.study_id, {}, None, code), indent=1))
        return code
    numbers: dict[str, Agreement] = {}
    with _uninterrupted(when_busy, as_json):
        for name, reference in capsules:
            numbers[name] = _checked(reference, None, None, data_dir, as_json=as_json)
    there, now = (
        study_refs.Wanted(text=f"{place}::{name}", store=place, study_id=name)
        for place, name in ((bundle, theirs), (store, again.study_id))
    )
    speed = next(study_refs.comparisons(there, now, again.margin))
    if as_json:
        speed_document = document.document(speed, [], code)
        print(json.dumps(agreement.repeat_document(again.study_id, numbers, speed_document, code), indent=1))
        return code
    console = _console()
    comparison.show(speed, console)
    for name, each in numbers.items():
        agreement.show(each, console, title=name)
    if not numbers:
        agreement.show_no_capsule(str(bundle), console)
    return code


def _checked(
    reference: "Capsule", device: str | None, cores_per_rank: int | None, data_dir: str | None, *, as_json: bool
) -> "Agreement":
    """Run a capsule here, with its seeds too where the numbers alone do not decide."""
    from bench.analysis.repro import agree
    from bench.dna.machine import here
    from bench.repro import runs
    from bench.verbs import repro_inputs

    machine = here()
    repro_run = repro_inputs.placed(reference.repro_run, machine, device, cores_per_rank, data_dir)
    stage = _stage(machine, as_json)
    observed = runs.observed(repro_run, stage)
    found = agree.judge(reference, observed)
    if agree.wants_seeds(found, reference):
        finals = runs.accuracies(repro_run, reference.finals or (), stage)
        found = agree.judge(reference, replace(observed, finals=finals))
    return found


def _stage(machine: "Machine", as_json: bool) -> "Stage":
    from bench.dna import numbers
    from bench.dna.fingerprint import fingerprint
    from bench.repro.runs import Stage

    dna = fingerprint(numbers.read)
    ids = {"hw_id": dna.hw_id, "sw_id": dna.sw_id, "num_id": dna.num_id}
    return Stage(machine=machine, ids=ids, say=(lambda _: None) if as_json else say)


def _uninterrupted(when_busy: str, as_json: bool) -> AbstractContextManager[object]:
    """A repro run times nothing, but it would disturb whoever does."""
    from bench import host_lock

    quiet: Callable[[str], None] = lambda _: None  # noqa: E731 - a name for what a reader would skip
    return host_lock.held(when_busy, quiet if as_json else say)


def _gates(fail_on: str | None) -> tuple[str, ...]:
    from bench.analysis.repro.nouns import VERDICTS

    asked = tuple(word.strip() for word in (fail_on or "").split(",") if word.strip())
    for word in asked:
        if word not in VERDICTS:
            raise UsageError(f"--fail-on: no verdict {word!r}", f"there is {', '.join(VERDICTS)}")
    return asked


def _console() -> Any:
    from reports.text.console import console_for

    return console_for(sys.stdout)
