"""`bench compare`: is B faster than A, and did it learn the same? Of many machines: which is not like the others?"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.errors import DONE, GATE, UsageError
from bench.verbs.study_flags import json_option, store_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.analysis.comparing.gates import Ruling
    from bench.verbs.study_refs import Wanted


@dataclass(frozen=True)
class _Gates:
    """What was asked for with --fail-on and --undecided."""

    names: tuple[str, ...]
    undecided_fails: bool

    def exit_code(self, rulings: "Sequence[Ruling]") -> int:
        from bench.analysis.comparing import gates

        decision = gates.decision(rulings)
        fails = decision == gates.FAIL or (decision == gates.UNDECIDED and self.undecided_fails)
        return GATE if fails else DONE


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
    "--undecided",
    type=click.Choice(["pass", "fail"]),
    help="What an undecided gate does: exit 0 or 4.  [pass]",
)
@click.option(
    "--threshold", metavar="SHARE", help="Differences below it count as none, as in 5% or 0.05.  [the studies' margin]"
)
@click.option("--other-source", is_flag=True, help="Compare although the files of the model differ.")
@json_option
@click.option("--wide", is_flag=True, help="Every column.")
@click.option("--no-color", is_flag=True, help="No colour.")
def command(
    things: tuple[str, ...],
    store: Path,
    fail_on: str,
    undecided: str | None,
    threshold: str | None,
    **talking: bool,
) -> int:
    """Compare B with A: fingerprints first, then a verdict for every row and quantity that both have.

    A and B are studies, STUDY/ROW, launches (STUDY.r00p01) or stores (folders); STORE::STUDY is a study of another
    store. From three on, each is a machine, and the ones that are not like the others are named.
    """
    from bench.analysis.comparing import gates
    from bench.verbs import study_refs

    gate_names = tuple(dict.fromkeys(gate.strip() for gate in fail_on.split(",") if gate.strip()))
    if unknown := [gate for gate in gate_names if gate not in gates.GATES]:
        raise UsageError(f"no gate {unknown[0]!r}", hint=f"there is {', '.join(gates.GATES)}")
    if undecided is not None and not gate_names:
        raise UsageError("--undecided is about gates, and none is asked for", hint="add --fail-on slower")
    asked = _Gates(gate_names, undecided_fails=undecided == "fail")
    margin = share(threshold) if threshold is not None else None
    if len(things) < 2:
        raise UsageError("compare needs two things or more", hint="bench compare @-2 @last")
    names = "AB" if len(things) == 2 else things
    wanted = [study_refs.find_side(name, text, store) for name, text in zip(names, things, strict=True)]
    if len(wanted) == 2:
        return _two(wanted[0], wanted[1], margin, asked, **talking)
    return _many(wanted, margin, asked, **talking)


def _two(a: "Wanted", b: "Wanted", margin: float | None, asked: _Gates, **talking: bool) -> int:
    from bench.analysis.comparing import gates
    from bench.verbs import study_refs
    from reports.comparing import comparison, document
    from reports.text.console import console_for

    documents: list[dict[str, Any]] = []
    every_ruling: list[gates.Ruling] = []
    console = console_for(sys.stdout, color=not talking["no_color"])
    for found in study_refs.comparisons(a, b, margin, other_source=talking["other_source"]):
        rulings = gates.rulings(found, asked.names)
        every_ruling += rulings
        if talking["as_json"]:
            documents.append(document.document(found, rulings, asked.exit_code(rulings)))
        else:
            comparison.show(found, console, wide=talking["wide"])
    code = asked.exit_code(every_ruling)
    if talking["as_json"]:
        whole = documents[0] if len(documents) == 1 else document.several(documents, every_ruling, code)
        click.echo(json.dumps(whole, indent=2))
    _show_rulings(every_ruling, code)
    return code


def _many(wanted: "list[Wanted]", margin: float | None, asked: _Gates, **talking: bool) -> int:
    from bench.analysis.comparing import gates, machines
    from bench.verbs import study_refs
    from reports.comparing import document
    from reports.comparing import machines as shown
    from reports.text.console import console_for

    read = [study_refs.read(each, ()) for each in study_refs.one_of_each(wanted)]
    found = machines.held_together(read, margin or max(side.plan.margin for side in read))
    rulings = gates.of_machines(found, asked.names)
    code = asked.exit_code(rulings)
    if talking["as_json"]:
        click.echo(json.dumps(document.machines_document(found, rulings, code), indent=2))
    else:
        shown.show(found, console_for(sys.stdout, color=not talking["no_color"]), wide=talking["wide"])
    _show_rulings(rulings, code)
    return code


def _show_rulings(rulings: "Sequence[Ruling]", code: int) -> None:
    """What each gate came to, the failures first; nothing where none was asked for."""
    from bench.analysis.comparing import gates
    from reports.text import fmt

    for decision, said in ((gates.FAIL, "failed"), (gates.UNDECIDED, "undecided")):
        for each in rulings:
            if each.decision == decision:
                click.echo(f"gate {said}: {fmt.clean(str(each))}", err=True)
    if gates.decision(rulings) == gates.PASS:
        click.echo(f"gates passed: {', '.join(dict.fromkeys(each.gate for each in rulings))}", err=True)
    if gates.decision(rulings) == gates.UNDECIDED and code == DONE:
        click.echo("undecided is no failure (exit 0); --undecided fail makes it one (exit 4)", err=True)


def share(text: str) -> float:
    """`5%` and `0.05` alike."""
    number, percent, rest = text.partition("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = 0.0
    if rest.strip() or not 0 < share < 1:
        raise UsageError(f"--threshold {text!r} is not a share", hint="as in 5% or 0.05")
    return share
