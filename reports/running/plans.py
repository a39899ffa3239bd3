"""A plan before it runs: what `--dry-run` prints, and the lines that open a study."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from bench.plan import Configuration, Plan, to_json
from launchers import Command
from reports.text import fmt
from reports.text.console import show_hanging

_LEAD = len("Warning  ")


def opening(plan: Plan, *, demo: bool) -> list[str]:
    """What is about to happen, in a few lines, before anything is started."""
    lines = []
    if demo:
        lines += [
            "No --model given: the demo, a small LeNet on real handwritten digits (8x8 scans, 1,437 to train on).",
            "Real use:  bench scale --model resnet18 --data cifar10 --ranks 1,2",
        ]
    rows = ", ".join(row_name(row, plan.placement) for row in plan.configurations)
    lines.append(
        f"Plan     {fmt.count(len(plan.configurations), 'row')} x {fmt.count(plan.rounds, 'round')} = "
        f"{fmt.count(len(plan.launches), 'launch')} of {plan.workload.window}, about "
        f"{fmt.duration(plan.estimated_s)}"
    )
    lines.append(f"Rows     {rows}")
    lines += [f"Machine  {note}" for note in plan.machine_notes]
    lines += [f"Data     {note}" for note in plan.data_notes]
    lines += [f"Recipe   {note}" for note in plan.notes]
    lines += [f"n/a      {row_name(each.configuration)}: {each.reason}" for each in plan.unrunnable]
    return lines


def show(texts: Sequence[str], console: Console) -> None:
    """Print lines whose first word says what they are about."""
    for line in texts:
        lead = line[:_LEAD] if line[:_LEAD].endswith("  ") else ""
        show_hanging(lead, line[len(lead) :], console)


def lines(plan: Plan, commands: Sequence[Command]) -> list[str]:
    """The whole plan for a person: rows, order, the command of each row, estimated time and disk."""
    disk = fmt.size(plan.estimated_bytes).replace(fmt.NARROW, " ")
    texts = [
        *opening(plan, demo=False),
        f"Order    seed {plan.order_seed}: every row once a round, in a fresh random order",
        f"Disk     about {disk} (an estimate, like the time)",
    ]
    if plan.not_passed:
        texts.append(f"Not passed to ranks, though set here (--env NAME passes one): {', '.join(plan.not_passed)}")
    first: dict[str, Command] = {}
    for each, command in zip(plan.launches, commands, strict=True):
        first.setdefault(each.configuration.key, command)
    for row in plan.configurations:
        command = first[row.key]
        texts += [
            "",
            _row_line(row, plan),
        ]
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in sorted(_ours(command).items()))
        texts.append(f"  {settings} {shlex.join(command.argv)}")
        if command.cores is not None:
            texts.append("  cores " + " | ".join(",".join(map(str, cores)) for cores in command.cores))
    texts += ["", "Nothing was started."]
    return texts


def _row_line(row: Configuration, plan: Plan) -> str:
    processes = f"{row.processes} process{'es' * (row.processes != 1)}"
    return f"{row_name(row, plan.placement)}: {processes}, batch {row.batch_per_rank} each"


def document(plan: Plan, commands: Sequence[Command]) -> dict[str, Any]:
    """The whole plan for a script; `exit` as in every document."""
    starts = [
        {
            "launch": each.launch_id,
            "argv": list(command.argv),
            "ranks": command.ranks,
            "environment": _ours(command),
            "cores": command.cores,
        }
        for each, command in zip(plan.launches, commands, strict=True)
    ]
    return {**to_json(plan), "commands": starts, "exit": 0}


def row_name(row: Configuration, placement: Mapping[str, str] | None = None) -> str:
    """A row in words: `ddp cpu x2, 1 core each`, or `ddp cpu x2, on 2 threads of 1 core`."""
    cores = f", {row.cores_per_rank} core{'s' * (row.cores_per_rank != 1)}" if row.cores_per_rank else ""
    each = " each" if cores and row.processes > 1 else ""
    if of := (placement or {}).get(row.key):
        cores, each = f", on {of}", ""
    hosts = f" on {row.nodes} nodes" if row.nodes > 1 else ""
    options = f", {row.ddp}" if row.ddp else ""
    return f"{row.strategy} {row.device} x{row.ranks}{hosts}{cores}{each}{options}"


def _ours(command: Command) -> dict[str, str]:
    """The variables that the plan sets; what is passed on from the user's shell is their own business."""
    return {name: value for name, value in command.environment.items() if name.endswith("_NUM_THREADS")}
