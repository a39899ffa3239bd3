"""What a plan says of itself before it runs."""

import json
from pathlib import Path

import pytest

from bench.plan import Configuration, Plan, Unrunnable, Workload, from_json, in_rounds
from launchers import Command
from reports.running import plans


def row(strategy: str, ranks: int, cores: int | None = 1, device: str = "cpu") -> Configuration:
    return Configuration(
        strategy=strategy,
        ranks=ranks,
        device=device,
        backend="gloo" if strategy == "ddp" else None,
        cores_per_rank=cores,
        batch_per_rank=64,
        batch_global=64 * ranks,
    )


@pytest.fixture
def plan() -> Plan:
    rows = (row("single", 1), row("ddp", 2))
    return Plan(
        study_id="s",
        created_at="2026-11-22T08:00:00+00:00",
        command="bench scale",
        workload=Workload(model="lenet-small", seconds=4.0),
        scaling="weak",
        baseline=rows[0],
        configurations=rows,
        unrunnable=(Unrunnable(configuration=row("dp", 2), reason="DataParallel needs CUDA"),),
        launches=in_rounds("s", rows, 6, 7),
        rounds=6,
        order_seed=7,
        quick=False,
        margin=0.02,
        timeout_s=60.0,
        stall_s=60.0,
        budget_s=None,
        oversubscribed=False,
        origins={},
        estimated_s=132.0,
        estimated_bytes=500_000,
    )


@pytest.fixture
def commands(plan: Plan) -> list[Command]:
    return [
        Command(
            argv=("python", "-P", "-m", "bench.worker", f"{each.launch_id}/job.json"),
            ranks=each.configuration.processes,
            folder=Path(each.launch_id),
            environment={"OMP_NUM_THREADS": "1", "HOME": "/somewhere"},
            cores=tuple((rank,) for rank in range(each.configuration.processes)),
            timeout_s=60.0,
            stall_s=60.0,
        )
        for each in plan.launches
    ]


def test_the_opening_says_how_much_there_is_to_run_and_how_long_it_takes(plan: Plan) -> None:
    text = "\n".join(plans.opening(plan, demo=False))
    assert "2 rows x 6 rounds = 12 launches of 4 s, about 2 min" in text
    assert "n/a      dp cpu x2, 1 core: DataParallel needs CUDA" in text


def test_the_demo_says_that_it_is_one_and_what_real_use_looks_like(plan: Plan) -> None:
    assert "demo" in plans.opening(plan, demo=True)[0]
    assert "bench scale --model" in plans.opening(plan, demo=True)[1]


def test_a_dry_run_shows_the_command_and_the_cores_of_every_row_and_that_nothing_was_started(plan, commands) -> None:
    text = "\n".join(plans.lines(plan, commands))
    assert text.count("OMP_NUM_THREADS=1 python -P -m bench.worker") == 2
    assert "cores 0 | 1" in text
    assert "seed 7" in text
    assert "488 KiB" in text
    assert "/somewhere" not in text  # what the shell passes on is the user's own business
    assert text.endswith("Nothing was started.")


def test_the_document_holds_the_whole_plan_and_a_command_for_every_launch(plan, commands) -> None:
    document = json.loads(json.dumps(plans.document(plan, commands)))
    assert document["schema"] == "bench.plan/1"
    assert document["exit"] == 0
    assert [each["launch"] for each in document["commands"]] == [each.launch_id for each in plan.launches]
    fields = {name: value for name, value in document.items() if name not in {"commands", "exit"}}
    assert from_json(fields) == plan
