"""A whole study: every configuration of the plan as a row, compared with the baseline."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.analysis.learning import accuracy, published
from bench.analysis.learning.accuracy import Divergence
from bench.analysis.result import Row, Study, Target, Title
from bench.analysis.scaling import advice, laws, rows
from bench.analysis.scaling.replicates import Replicates, gather, row_status
from bench.analysis.statistics.steady import Steps
from bench.analysis.statistics.verdicts import ROUNDS_FOR_A_VERDICT
from bench.analysis.validity import circumstances, rules
from bench.plan import STRATEGIES, Configuration, Plan, Workload
from bench.store import schema
from bench.store.schema import ClassScore, Epoch, Launch


def analyse(
    plan: Plan,
    launches: Sequence[Launch],
    steps: Mapping[str, Steps],
    epochs: Sequence[Epoch],
    peaks: Mapping[str, Any] | None = None,
    *,
    classes: Sequence[ClassScore] = (),
    machine: str = "",
    variables: Sequence[str] = (),
) -> Study:
    """What a study found: a row for every configuration of the plan, whatever became of it.

    Ratios come from unrounded numbers, over complete rounds. A row that failed or is invalid says so and leaves the
    other rows as they are; without a sound baseline there is no speedup anywhere, and every row says why.

    Args:
        plan: what was to be run.
        launches: what was run, failures included.
        steps: each launch's steps, by launch id.
        epochs: every trained epoch of the study.
        peaks: published peaks of chips (`profiles.hardware_peaks`), for the share of the peak that was reached.
        classes: the class scores of every trained epoch.
        machine: what it calls its processor and its devices, comma-separated.
        variables: of the environment that were not the same in all launches.
    """
    quick = plan.quick or plan.rounds < ROUNDS_FOR_A_VERDICT
    repeats = _gathered(plan, launches, steps, accuracy.divergences(epochs), variables)
    baseline = repeats.get(plan.baseline.key)
    found = []
    for key, each in repeats.items():
        is_baseline = key == plan.baseline.key
        if each.launches:
            comparison = rows.compare(each, baseline, margin=plan.margin, quick=quick)
            found.append(
                rows.measured(each, comparison, epochs, peaks, is_baseline=is_baseline, target=plan.targets.get("top1"))
            )
        else:
            status, reasons = row_status(each)
            found.append(
                rows.without_a_number(
                    each.configuration,
                    status,
                    reasons,
                    is_baseline=is_baseline,
                    failed=len(each.failed),
                    invalid=each.invalid,
                    untimed=[] if each.invalid else [one for one in launches if _is_ok(one, key)],
                    epochs=epochs,
                )
            )
    found += [
        rows.without_a_number(
            each.configuration,
            schema.NOT_APPLICABLE,
            (each.reason,),
            is_baseline=each.configuration.key == plan.baseline.key,
        )
        for each in plan.unrunnable
        if each.configuration.key not in repeats
    ]
    table = tuple(sorted(found, key=lambda row: _order(row, plan.baseline)))
    first = next(iter(launches), None)
    described, no_law = laws.of_rows(table, {key: each.rates_by_round() for key, each in repeats.items()})
    if plan.oversubscribed:
        described, no_law = (), "ranks shared cores, so their counts are no counts of resources"
    return Study(
        study_id=plan.study_id,
        method_version=first.method_version if first else schema.METHOD_VERSION,
        title=_title(plan, launches),
        rows=table,
        warnings=tuple(str(each) for each in advice.warnings(plan, table, repeats)),
        quick=quick,
        margin=plan.margin,
        hw_id=first.hw_id if first else None,
        sw_id=first.sw_id if first else None,
        num_id=first.num_id if first else None,
        published=published.beside(plan, table, launches, epochs=epochs, classes=classes, machine=machine),
        targets=_targets(plan, table, launches, classes),
        laws=described,
        no_law=no_law,
    )


def _targets(
    plan: Plan, table: Sequence[Row], launches: Sequence[Launch], classes: Sequence[ClassScore]
) -> tuple[Target, ...]:
    """What the profile wants reached, compared with every row; nothing where no epochs were asked for."""
    if plan.workload.epochs is None:
        return ()
    row_of = {launch.launch_id: launch.configuration for launch in launches}
    return tuple(
        target
        for row in table
        for target in accuracy.targets(
            plan.targets,
            row.key,
            row.accuracy,
            [each for each in classes if row_of.get(each.launch_id) == row.key],
        )
    )


def _gathered(
    plan: Plan,
    launches: Sequence[Launch],
    steps: Mapping[str, Steps],
    diverged: Mapping[str, Divergence],
    variables: Sequence[str],
) -> dict[str, Replicates]:
    """Every runnable configuration's launches, with what casts doubt on the study as a whole and on each other."""
    by_key = defaultdict(list)
    for launch in launches:
        by_key[launch.configuration].append(launch)
    planned = Counter(launch.configuration.key for launch in plan.launches)
    ended = [launch for launch in launches if launch.status in schema.ENDED]
    common = tuple(rules.study_findings(ended, variables))
    repeats = {
        each.key: gather(
            each,
            by_key[each.key],
            steps,
            planned=planned[each.key],
            fixed_work=_fixed_work(plan.workload),
            beside=common,
            diverged=diverged,
        )
        for each in plan.configurations
    }
    base = repeats.get(plan.baseline.key)
    if base is None:
        return repeats
    return {
        key: replace(each, findings=(*each.findings, *rules.against_baseline(each.launches, base.launches)))
        for key, each in repeats.items()
    }


def _fixed_work(workload: Workload) -> bool:
    """Whether every launch trains on as many samples as the others: not in seconds, nor where patience may end it."""
    return workload.seconds is None and not (workload.epochs is not None and workload.recipe.patience)


def _is_ok(launch: Launch, key: str) -> bool:
    return launch.configuration == key and launch.status == schema.OK


def _order(row: Row, baseline: Configuration) -> tuple[bool, int, bool, int, int]:
    """The baseline, then single, ddp and dp, each by device and by the number of ranks and cores, as numbers."""
    return (
        not row.is_baseline,
        STRATEGIES.index(row.configuration.strategy),
        row.configuration.device != baseline.device,
        row.configuration.ranks,
        row.configuration.cores_per_rank or 0,
    )


def _title(plan: Plan, launches: Sequence[Launch]) -> Title:
    workload, baseline = plan.workload, plan.baseline
    return Title(
        model=workload.model,
        params=next((launch.params for launch in launches if launch.params is not None), None),
        data=workload.data,
        precision=circumstances.precision(workload.precision, launches),
        memory_format=workload.memory_format,
        scaling=plan.scaling,
        batch=baseline.batch_per_rank if plan.scaling == "weak" else baseline.batch_global,
        seed=workload.seed,
        rounds=plan.rounds,
        window=workload.window,
        device=baseline.device,
        seeds=plan.seeds[: plan.rounds],
        profile=plan.profile,
        ddp=next((each.ddp for each in plan.configurations if each.ddp), ""),
    )
