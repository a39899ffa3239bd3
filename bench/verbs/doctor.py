"""`bench doctor`: ready or not, with a fix per line."""

import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.errors import CANNOT, DONE
from bench.verbs.study_flags import json_option, store_option

if TYPE_CHECKING:
    from bench.health import Check

SCHEMA = "bench.doctor/1"
_MARKS = {
    "ok": ("\N{CHECK MARK}", "ok", "green"),
    "warning": ("!", "!", "yellow"),
    "refusal": ("\N{BALLOT X}", "x", "red"),
}


@click.command(
    epilog="""\b
Examples:
  bench doctor
  bench doctor --fast --store /data/results
  bench doctor --json | jq .ready"""
)
@click.option("--fast", is_flag=True, help="Leave out the check of torch itself, which takes seconds.")
@store_option
@json_option
def command(fast: bool, store: Path, as_json: bool) -> int:
    """Say whether this machine is ready to measure on; every line that is not well comes with its fix.

    Exits with 3 when something stands in the way (x), and with 0 when it only may disturb the numbers (!). Looks at the
    machine as it is now; `bench scale` looks again, at what its plan needs. Torch itself is not tried beside a study,
    which that would slow.
    """
    from bench import host_lock
    from bench.dna import machine, numbers

    # Importing torch is most of what this verb takes, so its own process begins first.
    begins = nullcontext() if fast or host_lock.is_held() else numbers.begin(len(machine.usable_cpus()))
    with begins as begun:
        if not as_json:
            import reports.text.console  # noqa: F401 - while torch is imported elsewhere, not after it
        from bench.health import REFUSAL, as_it_is

        checks = [*as_it_is(machine.here(), store, begun), *_unseen()]
    ready = all(check.level != REFUSAL for check in checks)
    code = DONE if ready else CANNOT
    if as_json:
        document = {"schema": SCHEMA, "ready": ready, "checks": [asdict(check) for check in checks], "exit": code}
        click.echo(json.dumps(document, indent=2))
    else:
        _show(checks, ready=ready)
    return code


def _unseen() -> list["Check"]:
    """Whom the lock of the host does not reach."""
    from bench import host_lock
    from bench.health.check import OK, Check

    unseen = host_lock.unseen()
    return [Check(name="other_studies", level=OK, text=unseen)] if unseen else []


def _show(checks: list["Check"], *, ready: bool) -> None:
    from reports.text import fmt
    from reports.text.console import console_for, show_hanging, shown, shows_only_ascii

    console = console_for(sys.stdout)
    ascii_only = shows_only_ascii(console)
    for check in checks:
        letter, plain, style = _MARKS[check.level]
        show_hanging(f"{plain:<2} " if ascii_only else f"{letter} ", check.text, console, style)
        if check.fix:
            show_hanging("    fix: ", check.fix, console)
    warnings = sum(check.level == "warning" for check in checks)
    refusals = sum(check.level == "refusal" for check in checks)
    if ready:
        verdict = f"Ready, with {fmt.count(warnings, 'warning')}." if warnings else "Ready."
    else:
        verdict = f"Not ready: {fmt.count(refusals, 'thing')} to fix first."
    console.print(shown(verdict, console))
