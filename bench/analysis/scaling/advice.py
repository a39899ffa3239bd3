"""What a reader of the study should be wary of: each warning says its effect and what to do. Marks no row."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bench.analysis.result import Row
from bench.analysis.scaling.replicates import Replicates
from bench.analysis.statistics.steady import line
from bench.analysis.validity import circumstances, same_work
from bench.analysis.validity.rules import Finding, warning
from bench.plan import Plan
from bench.store.schema import Launch

SPREAD = 0.05  # between launches of one row, as a share
LOAD_PER_CORE = 0.25
OTHERS = 0.10  # of the ranks' cores, over the study
WAIT_POLICIES = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}
TAKEN_OFF = 30.0  # times a CPU second, by the system; alone it is 1 to 5 times, beside a busy program some 300
DATA_WAIT = 0.10
COMMUNICATION = 0.20  # of a step
OUTLIERS = 0.001  # of the steps; a normal distribution has none in a lifetime
SUPERVISOR = 0.05  # of one core


def warnings(plan: Plan, rows: Sequence[Row], repeats: Mapping[str, Replicates]) -> Iterator[Finding]:
    """All warnings of a study, the gravest first.

    Args:
        plan: what was to be run.
        rows: the table.
        repeats: the launches behind each row, by configuration key.
    """
    launches = [launch for each in repeats.values() for launch in each.launches]
    yield from _superlinear(rows)
    yield from (warning(text, "bench doctor tells more of this machine") for text in plan.machine_notes)
    yield from _oversubscribed(plan)
    yield from _busy_machine(plan, repeats)
    yield from _spinning(plan, rows, repeats)
    yield from _drifting_machine(repeats.get(plan.baseline.key))
    yield from _scattered(rows)
    yield from _starved(rows)
    yield from _communicating(rows)
    yield from _outliers(repeats)
    yield from _costly_supervisor(launches)
    yield from circumstances.code_warnings(launches)
    yield from _of_the_data(launches)
    yield from circumstances.limit_warnings(launches)
    yield from _warned_by_launches(launches)


def _superlinear(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        efficiency = row.efficiency
        if efficiency is not None and efficiency.low is not None and efficiency.low > 1:
            yield warning(
                f"{_name(row)} is {efficiency.estimate:.0%} efficient, more than the hardware added",
                "look for what holds the baseline back (cache, memory, power) before quoting it",
            )


def _oversubscribed(plan: Plan) -> Iterator[Finding]:
    if plan.oversubscribed:
        yield warning(
            "more ranks than cores: ranks take turns, so their speedup says nothing of a machine with enough",
            "lower --ranks or --cores-per-rank",
        )


def _busy_machine(plan: Plan, repeats: Mapping[str, Replicates]) -> Iterator[Finding]:
    """By what others used of the ranks' cores; in old stores by the load before the first launch: later it is ours."""
    launches = [launch for each in repeats.values() for launch in (*each.launches, *each.failed)]
    used = [each.others_share for each in launches if each.others_share is not None]
    if used:
        if (share := sum(used) / len(used)) > OTHERS:
            yield warning(
                f"other programs took {share:.0%} of the ranks' cores while they were measured "
                f"(up to {max(used):.0%} in a launch), which slows rows unevenly",
                "close other programs and repeat",
            )
        return
    first = min(launches, key=lambda launch: (launch.round, launch.position), default=None)
    cores = max((each.processes * (each.cores_per_rank or 1) for each in plan.configurations), default=1)
    if first is not None and first.load_before is not None and first.load_before > max(0.5, LOAD_PER_CORE * cores):
        yield warning(
            f"the machine was busy before the start (load {first.load_before:.1f}), which slows rows unevenly",
            "close other programs and repeat",
        )


def _spinning(plan: Plan, rows: Sequence[Row], repeats: Mapping[str, Replicates]) -> Iterator[Finding]:
    """Threads of one process that wait for each other while other programs hold their cores.

    Where others used more than a tenth of its cores, and its threads were taken off them again and again: the median
    launch decides. Not where the user has said how threads shall wait.
    """
    if any(word.partition("=")[0] in WAIT_POLICIES for word in plan.settings.get("study.env") or ()):
        return
    for row in rows:
        threads = row.configuration.cores_per_rank
        if row.configuration.device != "cpu" or threads is None or threads < 2:
            continue
        seen = [
            (each.others_share, each.involuntary_switches / each.worker_cpu_s)
            for each in repeats[row.key].launches
            if each.others_share is not None and each.involuntary_switches is not None and each.worker_cpu_s
        ]
        if not seen:
            continue
        share, taken_off = np.median(seen, axis=0)
        if share > OTHERS and taken_off > TAKEN_OFF:
            yield warning(
                f"the {threads} threads of each process of {_name(row)} wait for each other by spinning "
                f"(OpenMP), and others used {share:.0%} of their cores and took them off {taken_off:.0f} times a CPU "
                "second: its rate is a small part of what it is alone",
                "close other programs, or have threads sleep while they wait, in every row alike: "
                "--env OMP_WAIT_POLICY=PASSIVE",
            )


def _drifting_machine(baseline: Replicates | None) -> Iterator[Finding]:
    """The baseline's own rate over the rounds: what pairing cancels from ratios still moves the rates."""
    if baseline is None or len(set(baseline.rates)) < 3:
        return
    logs = np.log(baseline.rates)
    slope, p_value = line(logs)
    change = math.expm1(slope * (len(logs) - 1))
    if p_value < 0.05 and abs(change) > 0.02:
        yield warning(
            f"the baseline's rate changed by {change:+.1%} over the study; ratios are paired by round and keep, "
            "absolute rates do not",
            "let the machine reach a steady temperature first",
        )


def _scattered(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        if len(row.rates) > 1 and (spread := float(np.std(np.log(row.rates), ddof=1))) > SPREAD:
            yield warning(
                f"launches of {_name(row)} differ by {spread:.0%} (standard deviation), so its intervals are wide",
                "close other programs, or raise --rounds",
            )


def _starved(rows: Sequence[Row]) -> Iterator[Finding]:
    waiting = [row for row in rows if row.data_wait is not None and row.data_wait > DATA_WAIT]
    if waiting:
        worst = max(row.data_wait or 0 for row in waiting)
        yield warning(
            f"up to {worst:.0%} of the time is spent waiting for data, so the speedup is partly the loader's",
            "compare with --data synthetic",
        )


def _communicating(rows: Sequence[Row]) -> Iterator[Finding]:
    for row in rows:
        if row.communication is not None and row.communication > COMMUNICATION:
            yield warning(
                f"{_name(row)} spends {row.communication:.0%} of a step in the all-reduce, outside compute: "
                "communication is what holds it back",
                "a faster link between the ranks, or a larger --batch per rank",
            )


def _outliers(repeats: Mapping[str, Replicates]) -> Iterator[Finding]:
    windows = [window for each in repeats.values() for window in each.windows]
    count, steps = sum(window.outliers for window in windows), sum(len(window.step_ns) for window in windows)
    if steps and count > OUTLIERS * steps:
        yield warning(
            f"{count} of {steps} timed steps lie far outside the others; they are kept in every number",
            "look at their times in the steps table for what else ran then",
        )


def _costly_supervisor(launches: Sequence[Launch]) -> Iterator[Finding]:
    worst = max((each.supervisor_cpu for each in launches if each.supervisor_cpu is not None), default=0.0)
    if worst > SUPERVISOR:
        yield warning(
            f"watching the ranks took up to {worst:.0%} of a core, which they lacked",
            "please report it with the launch's files",
        )


def _of_the_data(launches: Sequence[Launch]) -> Iterator[Finding]:
    """What was left out of the data, and what a reader must know of the rest."""
    account = same_work.account_of(launches)
    for what, fix in account.notes if account is not None else ():
        yield warning(f"data: {what}", fix)


def _warned_by_launches(launches: Sequence[Launch]) -> Iterator[Finding]:
    for text in dict.fromkeys(text for launch in launches for text in launch.warnings):
        count = sum(text in launch.warnings for launch in launches)
        yield warning(f"{text} (in {count} of {len(launches)} launches)", "see the launches table")


def _name(of: Row) -> str:
    row = of.configuration
    several = row.cores_per_rank is not None and row.cores_per_rank > 1
    cores = f", {row.cores_per_rank} cores{' each' if row.ranks > 1 else ''}" if several else ""
    hosts = f" on {row.nodes} nodes" if row.nodes > 1 else ""
    return f"{row.strategy} {row.device} x{row.ranks}{cores}{hosts}"
