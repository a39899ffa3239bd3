"""Rows over several hosts. Machines are made up; nothing is started."""

import pytest

from bench.errors import USAGE, UsageError
from bench.plan import from_json, to_json
from bench.planning import cores_of
from tests.bench.planning.test_planning import keys, machine, planned, refused

SLURM = {"launcher": "slurm"}


def test_nodes_give_one_ddp_row_each_beside_the_baselines_of_one_host():
    plan = planned(machine(2), nodes="1,2,4", ranks_per_node="2", cores_per_rank="1", **SLURM)
    assert keys(plan) == ["single-cpu-1x1", "single-cpu-1x2", "ddp-cpu-2x1", "ddp-cpu-4x1-2n", "ddp-cpu-8x1-4n"]
    assert [row.nodes for row in plan.configurations] == [1, 1, 1, 2, 4]
    assert plan.launcher == "slurm"
    assert from_json(to_json(plan)) == plan


def test_a_node_has_one_rank_on_cpus_and_all_its_cores_unless_told():
    plan = planned(machine(4), nodes="2", **SLURM)
    assert keys(plan) == ["single-cpu-1x4", "ddp-cpu-2x4-2n"]


def test_a_node_has_a_rank_for_each_gpu_unless_told():
    plan = planned(machine(16, gpus=4), nodes="1,2", strategy="single,ddp", **SLURM)
    assert [(row.strategy, row.ranks, row.nodes) for row in plan.configurations][-2:] == [("ddp", 4, 1), ("ddp", 8, 2)]


def test_cores_are_those_of_one_host():
    here = machine(2)
    plan = planned(here, nodes="2", ranks_per_node="2", cores_per_rank="1", **SLURM)
    assert cores_of(plan.configurations[-1], here) == ((0,), (1,))


def test_one_row_over_nodes_is_ddp():
    plan = planned(machine(2), nodes="2", one_row=True, **SLURM)
    assert keys(plan) == ["ddp-cpu-2x2-2n"]


def test_cores_are_counted_per_host():
    error = refused(UsageError, USAGE, machine(2), nodes="1,2", ranks_per_node="3", cores_per_rank="1", **SLURM)
    assert "3 ranks x 1 core need 3 cores, this process may use 2" in error
    assert "--ranks-per-node 2" in error


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        ({"nodes": "1,2"}, "--nodes needs a launcher"),
        ({"launcher": "slurm"}, "needs to know how many hosts"),
        ({"launcher": "slurm", "nodes": "2", "ranks": "2"}, "both count ranks"),
        ({"launcher": "slurm", "nodes": "2", "strategy": "single"}, "joined by ddp alone"),
        ({"launcher": "slrum", "nodes": "2"}, "Did you mean slurm"),
        ({"launcher": "slurm", "nodes": "0"}, "whole numbers from 1"),
        ({"launcher": "slurm", "nodes": "auto"}, "whole numbers from 1"),
    ],
)
def test_what_contradicts_itself_is_refused(flags, complaint):
    assert complaint in refused(UsageError, USAGE, machine(2), **flags)
