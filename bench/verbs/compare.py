"""`bench compare`: is B faster than A, and did it learn the same? Of many machines: which is not like the others?"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.errors import DONE, GATE, UsageError
from bench.verbs import sides
from bench.verbs.options import json_option, store_option

if TYPE_CHECKING:
    from bench.verbs.sides import Wanted


@click.command(
    epilog="""\b
Examples:
  bench compare @-2 @last
  bench compare @last/single-cpu-1x2 @last/ddp-cpu-2x1
  bench compare old-results new-results --fail-on slower,diverged --threshold 5%
  bench compare node1::@last node2::@last node3::@last node4::@last node5::@last"""
)
@click.argument("things", metavar="A B [C...]", nargs=-1, required=True)
@store_option
@click.option("--fail-on", metavar="LIST", default="", help="Gates, as in slower,diverged: exit 4 when one fails.")
@click.option(
    "--threshold", metavar="SHARE", help="Differences below it count as none, as in 5% or 0.05.  [the studies' margin]"
)
@json_option
@click.option("--wide", is_flag=True, help="Every column.")
@click.option("--no-color", is_flag=True, help="No colour.")
def command(things: tuple[str, ...], store: Path, fail_on: str, threshold: str | None, **talking: bool) -> int:
    """Hold B against A: fingerprints first, then a verdict for every row and quantity that both have.

    A and B are studies, STUDY/ROW, launches (STUDY.r00p01) or stores (folders); STORE::STUDY is a study of another
    store. From three on, each is a machine, and the ones that are not like the others are named.
    """
    from bench.analysis import gates

    asked = [gate.strip() for gate in fail_on.split(",") if gate.strip()]
    if unknown := [gate for gate in asked if gate not in gates.GATES]:
        raise UsageError(f"no gate {unknown[0]!r}", hint=f"there is {', '.join(gates.GATES)}")
    margin = _share(threshold) if threshold is not None else None
    if len(things) < 2:
        raise UsageError("compare needs two things or more", hint="bench compare @-2 @last")
    wanted = [sides.find(text, store) for text in things]
    if len(wanted) == 2:
        return _two(wanted[0], wanted[1], margin, asked, **talking)
    return _many(wanted, margin, asked, **talking)


def _two(
    a: "Wanted", b: "Wanted", margin: float | None, asked: list[str], *, as_json: bool, wide: bool, no_color: bool
) -> int:
    from bench.analysis import gates
    from bench.analysis.compare import compare
    from reports import comparison, comparison_document
    from reports.console import console_for

    documents: list[dict[str, Any]] = []
    broken: list[str] = []
    console = console_for(sys.stdout, color=not no_color)
    known = list(sides.calibrations([a.store, b.store]))
    for pair in sides.paired_off(a, b):
        mine, theirs = (sides.read(each, known) for each in pair)
        found = compare(mine, theirs, margin or max(mine.plan.margin, theirs.plan.margin))
        failed = list(gates.failed(found, asked))
        broken += failed
        if as_json:
            documents.append(comparison_document.document(found, failed, GATE if failed else DONE))
        else:
            comparison.show(found, console, wide=wide)
        if asked and not found.comparable and not failed:
            click.echo(
                "warning: nothing could be compared, so no gate was tried (--fail-on invalid fails then)", err=True
            )
    code = GATE if broken else DONE
    if as_json:
        whole = documents[0] if len(documents) == 1 else comparison_document.several(documents, code)
        click.echo(json.dumps(whole, indent=2))
    _tell(broken)
    return code


def _many(
    wanted: "list[Wanted]", margin: float | None, asked: list[str], *, as_json: bool, wide: bool, no_color: bool
) -> int:
    from bench.analysis import gates, machines
    from reports import comparison_document
    from reports import machines as told
    from reports.console import console_for

    read = [sides.read(each, ()) for each in sides.one_of_each(wanted)]
    found = machines.held_together(read, margin or max(side.plan.margin for side in read))
    failed = list(gates.slow_machines(found, asked))
    code = GATE if failed else DONE
    if as_json:
        click.echo(json.dumps(comparison_document.machines_document(found, failed, code), indent=2))
    else:
        told.show(found, console_for(sys.stdout, color=not no_color), wide=wide)
    if others := [gate for gate in asked if gate != "slower"]:
        click.echo(f"warning: over many machines only the gate slower is tried, not {', '.join(others)}", err=True)
    _tell(failed)
    return code


def _tell(failed: list[str]) -> None:
    for each in failed:
        click.echo(f"gate failed: {each}", err=True)


def _share(text: str) -> float:
    """`5%` and `0.05` alike."""
    number, percent, rest = text.partition("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = 0.0
    if rest.strip() or not 0 < share < 1:
        raise UsageError(f"--threshold {text!r} is not a share", hint="as in 5% or 0.05")
    return share
