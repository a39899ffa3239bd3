"""`bench scale`: how training speeds up over processes and devices."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.errors import DONE, GATE, PARTIAL
from bench.output import say
from bench.verbs.study_flags import Options, OutputOptions, gate_option, study_options
from launchers import FOLLOW, SUBMIT

if TYPE_CHECKING:
    from bench.plan import Plan
    from bench.verbs.leading import Led
    from bench.verbs.study_request import StudyRequest
    from launchers import Command


@click.command(
    epilog="""\b
Examples:
  bench scale                                                 the demo
  bench scale --model lenet-large --data cifar10 --ranks 1,2 --device cpu
  bench scale --model resnet50 --gpus 1,2,4 --precision bf16 --memory-format channels_last
  bench scale --model mine.py:build --input-shape 3,64,64 --classes 20 --ranks 1,2"""
)
@study_options
@gate_option
def command(options: Options) -> int:
    """Measure how training speeds up over processes and devices.

    Spawns every row in new processes, in complete rounds of random order, and ends with the table, a verdict and what
    to do next. A plain single-device baseline is always among the rows. Without --model and --profile: the demo.
    """
    return measure(options, one_row=False)


def measure(options: Options, *, one_row: bool) -> int:
    """Lead the study here, hand it to a queue and wait for it, or do what its leader says; returns the exit code.

    Raises:
        BenchError: the request, the machine or the workload itself stands in the way; nothing finished is lost.
    """
    from bench.verbs.study_request import StudyRequest

    request = StudyRequest.of(options, one_row=one_row)
    role = request.launcher.role(os.environ)
    if options.dry_run:
        if role == SUBMIT:
            from bench.verbs.submission import script

            print(script(request))
        else:
            from bench.verbs.leading import planned

            show_plan(*planned(request), options.output)
        return DONE
    if role == FOLLOW:
        from bench.verbs.submission import follow

        return follow(request.launcher)
    led = measured(request)
    return show(led, request.store, options.output, request.gates)


def measured(request: "StudyRequest") -> "Led":
    """The study, once it has been led here, or handed to a queue and waited for."""
    from bench.verbs.leading import Led, lead  # takes as long to import as everything before it

    if request.launcher.role(os.environ) != SUBMIT:
        return lead(request)
    from bench.study import analyse
    from bench.verbs.submission import submit

    submit(request)
    return Led(study=analyse(request.store, request.study_id), code=DONE)


def show_plan(plan: "Plan", commands: "list[Command]", output: OutputOptions) -> None:
    """Print what would be run."""
    from reports.running import plans

    print(
        json.dumps(plans.document(plan, commands), indent=1)
        if output.as_json
        else "\n".join(plans.lines(plan, commands))
    )


def show(led: "Led", store: Path, output: OutputOptions, gates: tuple[str, ...] = ()) -> int:
    """Print the table, or its document, and what missed a gate; returns the exit code.

    Args:
        led: the study, and how running it ended.
        store: where it lies.
        output: how to print it.
        gates: of `study_request.gates_of`.
    """
    from reports.learning import table
    from reports.scaling import document, terminal
    from reports.text.console import console_for

    findings, code = led.study, led.exit_code
    missed = list(table.missed(findings)) if gates else []
    if missed and code in {DONE, PARTIAL}:
        code = GATE
    if output.as_json:
        print(json.dumps(document.scale_document(findings, store, code), indent=1))
    else:
        terminal.show(findings, console_for(sys.stdout, color=not output.no_color), store=str(store), wide=output.wide)
    for each in missed:
        say(f"gate failed: {each}")
    return code
