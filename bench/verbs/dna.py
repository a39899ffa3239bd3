"""`bench dna`: what machine this is and how it computes, or how two differ."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.errors import CannotError, UsageError
from bench.plan import WHEN_BUSY
from bench.verbs.study_flags import json_option, setting_option, store_option

if TYPE_CHECKING:
    from bench.dna.fingerprint import Fingerprint

DIFF_SCHEMA = "bench.dna_diff/1"
HERE = "here"

# Told canary by canary in a document; in a comparison, by which of them differ.
_CANARIES = ("numeric.one_thread.", "numeric.all_threads.", "numeric.ulp.", "numeric.failed.", "numeric.accelerators.")


@click.command(
    epilog="""\b
Examples:
  bench dna
  bench dna --measure --json > laptop.json
  bench dna --diff laptop.json here
  bench dna --export mlperf"""
)
@click.option("--measure", is_flag=True, help="Also what it can do at most: half a minute.")
@click.option("--diff", metavar="A B", nargs=2, help="How two differ: FILE of --json, a study, or here.")
@click.option("--anonymize", is_flag=True, help="Leave out what belongs to one moment or one site.")
@click.option("--export", type=click.Choice(["mlperf"]), help="Another form: MLPerf's system description.")
@setting_option(
    "--when-busy",
    "study.when_busy",
    type=click.Choice(WHEN_BUSY),
    help="If a study measures on this host: share runs canaries and --measure all the same [refuse].",
)
@store_option
@json_option
@click.option("--no-color", is_flag=True, help="No colour.")
def command(
    *,
    measure: bool,
    diff: tuple[str, str] | None,
    anonymize: bool,
    export: str | None,
    when_busy: str,
    store: Path,
    as_json: bool,
    no_color: bool,
) -> None:
    """Show this machine's fingerprint: hardware, software, how it computes, and its state now.

    With equal hardware, software and numbers, two results may be compared with each other. No names of hosts or people,
    no addresses, paths or serial numbers are in it.
    """
    from reports.repro import dna
    from reports.text.console import console_for

    console = console_for(sys.stdout, color=not no_color)
    if diff is not None:
        if measure or anonymize or export:
            raise UsageError("--diff shows two fingerprints as they are", "leave out the other flags")
        compared = _compared(diff, store, partial(_here, when_busy, as_json=as_json))
        if as_json:
            click.echo(json.dumps(compared, indent=2))
        else:
            dna.show_difference(compared, console)
        return
    found = _here(when_busy, as_json=as_json)
    if measure:
        found = _measured(found, store, when_busy)
    document = found.document()
    if anonymize:
        from bench.analysis.anonymous import without_names
        from bench.dna.export import anonymized
        from bench.verbs.own_names import own_names

        document = without_names(anonymized(document), own_names())
    if export is not None:
        from bench.dna.export import mlperf

        document = mlperf(document)
    if as_json or export is not None:
        click.echo(json.dumps(document, indent=2))
    else:
        dna.show(document, console)


def _here(when_busy: str, *, as_json: bool) -> "Fingerprint":
    """This machine's; its canaries are not run beside a study, which they would slow, unless the user says so."""
    from bench import host_lock
    from bench.dna import numbers
    from bench.dna.fingerprint import fingerprint

    if when_busy != "share" and host_lock.is_held():
        return fingerprint(numbers.kept)
    return fingerprint(numbers.read if as_json else partial(numbers.read, tell=partial(click.echo, err=True)))


def _measured(found: "Fingerprint", store: Path, when_busy: str) -> "Fingerprint":
    """The fingerprint with its measured layer."""
    from bench import host_lock
    from bench.dna import ceilings, machine
    from bench.dna.facts import UnavailableError

    here = machine.here()
    try:
        with host_lock.held(when_busy, partial(click.echo, err=True)) as shared:
            measured = ceilings.measure(here, store)
    except UnavailableError as error:
        return replace(found, unavailable={**found.unavailable, "measured": str(error)})
    flags = [*measured["flags"], *([shared] if shared else [])]
    whole = ceilings.of_measured(found, measured | {"measured_at": ceilings.today(), "flags": flags})
    ceilings.keep(whole, len(here.cpu_ids))
    return whole


def _compared(names: tuple[str, str], store: Path, here: Callable[[], "Fingerprint"]) -> dict[str, Any]:
    """How B differs from A, as a document."""
    from bench.analysis.comparing import dna_effects
    from bench.dna.numeric_causes import diagnose

    a, b = (here() if name == HERE else _found(name, store) for name in names)
    rows = [[each.row("", "")] for each in (a, b)]
    (mine, unread_a), (theirs, unread_b) = map(dna_effects.facts, rows)
    every = dna_effects.differences(mine, theirs, unread_a | unread_b)
    diagnosis = diagnose(a.numeric, b.numeric, {each.field for each in every})
    return {
        "schema": DIFF_SCHEMA,
        "a": _ids(names[0], a),
        "b": _ids(names[1], b),
        "dna": [asdict(each) for each in every if not each.field.startswith(_CANARIES)],
        "canaries": asdict(diagnosis),
        "unread": dna_effects.unread_by(*rows),
        "exit": 0,
    }


def _ids(name: str, found: "Fingerprint") -> dict[str, Any]:
    return {"name": Path(name).name, "hw_id": found.hw_id, "sw_id": found.sw_id, "num_id": found.num_id}


def _found(name: str, store: Path) -> "Fingerprint":
    """The fingerprint of that file or study."""
    if Path(name).is_file():
        return _of_file(Path(name))
    if name.endswith(".json") or os.sep in name:
        raise UsageError(f"there is no file {name}", "write one: bench dna --json > FILE")
    return _of_study(name, store)


def _of_file(file: Path) -> "Fingerprint":
    from bench.dna.fingerprint import of_document

    try:
        document: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return of_document(document)
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} is no fingerprint: {error}", "write one: bench dna --json > FILE") from error


def _of_study(name: str, store: Path) -> "Fingerprint":
    from bench.dna.fingerprint import of_row
    from bench.store import index, read

    study_id = index.resolve(store, name)
    rows = {(each.hw_id, each.sw_id, each.num_id): each for each in read.committed(store, study_id).dna()}
    if len(rows) != 1:
        why = "has no fingerprint: no launch of it has ended" if not rows else f"ran on {len(rows)} machines"
        raise CannotError(f"study {study_id} {why}", "see: bench show " + study_id)
    return of_row(next(iter(rows.values())))
