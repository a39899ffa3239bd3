"""A row carries what its plan says and what its ranks measured, and nothing else."""

from bench.outcome.rows import lost
from bench.store import schema


def test_of_a_launch_that_is_lost_the_plan_is_known_and_nothing_was_measured(a_plan):
    plan = a_plan()
    planned = plan.launches[1]
    rows = lost(plan, planned, 3, "2026-11-28T12:00:00+00:00", "nobody knows")
    row, configuration = rows.launch, planned.configuration
    assert (row.status, row.reason, row.attempt) == ("lost", "nobody knows", 3)
    assert (row.model, row.seed, row.configuration) == (plan.workload.model, plan.workload.seed, configuration.key)
    assert (row.ranks, row.backend, row.ddp) == (configuration.ranks, configuration.backend, configuration.ddp or None)
    assert (row.warmup_steps, row.total_s, row.load_before, row.supervisor_cpu) == (None, None, None, None)
    assert list(rows.tables) == ["launches"]


def test_a_row_carries_all_that_was_measured(a_plan, a_launch):
    launch = a_launch(a_plan(), 0)
    layer = schema.MeasuredLayer(
        epoch=1, step=2, layer="conv1", position=0, kind="conv", params=3, macs=4, gradient_norm=0.5
    )
    row = schema.row_of(schema.Layer, launch, layer)
    assert vars(layer).items() <= vars(row).items()
    assert (row.study_id, row.launch_id) == (launch.study_id, launch.launch_id)
