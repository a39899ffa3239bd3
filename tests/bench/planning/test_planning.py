"""Settings and a machine become a plan: rows, cores, refusals, cost. Machines are made up; nothing is started."""

import json
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import planning
from bench.account import Account, LeftOut
from bench.dna.machine import CPU_ONLY, Machine
from bench.dna.nvidia import NvidiaCards
from bench.errors import CANNOT, USAGE, CannotError, UsageError
from bench.plan import Plan, from_json, to_json
from bench.settings import resolve

NOWHERE = Path("/nowhere")


def machine(cores=2, gpus=0, *, hidden=0, driver=None, **facts) -> Machine:
    cards = NvidiaCards(names=("H100",) * gpus, hidden=hidden, driver=driver)
    usual = {"memory_bytes": 2**33, "pinnable": True, "torch_version": "2.15.0", "torch_build": "CUDA 13.2"}
    return Machine(**{"cpu_ids": tuple(range(cores)), "cards": cards, **usual, **facts})


MAC = machine(cores=8, pinnable=False, mps=True, torch_build=CPU_ONLY)


def planned(on: Machine, profile=None, *, one_row=False, order_seed=0, account=None, **flags) -> Plan:
    if profile is None:
        flags = {"model": "resnet50", **flags}
    return planning.build(
        resolve(flags, {}, NOWHERE, profile, user_file=NOWHERE / "none.toml"),
        on,
        study_id="s",
        created_at="2026-11-22T08:24:00+00:00",
        command="bench scale",
        order_seed=order_seed,
        one_row=one_row,
        data=account,
    )


def planned_if_possible(*arguments, **asked) -> Plan | None:
    try:
        return planned(*arguments, **asked)
    except (UsageError, CannotError):
        return None


def keys(plan: Plan) -> list[str]:
    return [row.key for row in plan.configurations]


def refused(kind, code, *arguments, **flags) -> str:
    with pytest.raises(kind) as caught:
        planned(*arguments, **flags)
    assert caught.value.code == code
    assert len(caught.value.lines) <= 4
    return "\n".join(caught.value.lines)


# Rows


def test_two_cores_give_the_baseline_all_cores_and_ddp():
    assert keys(planned(machine(2))) == ["single-cpu-1x1", "single-cpu-1x2", "ddp-cpu-1x1", "ddp-cpu-2x1"]


def test_eight_cores_are_shared_equally_in_every_row_but_the_one_with_all_of_them():
    plan = planned(machine(8), ranks="1,2,4")
    assert keys(plan) == ["single-cpu-1x2", "single-cpu-1x8", "ddp-cpu-1x2", "ddp-cpu-2x2", "ddp-cpu-4x2"]
    assert plan.baseline == plan.configurations[0]


def test_one_process_that_has_all_cores_anyway_is_one_row():
    assert keys(planned(machine(2), ranks="1")) == ["single-cpu-1x2", "ddp-cpu-1x2"]


def test_one_core_still_makes_a_plan():
    assert keys(planned(machine(1))) == ["single-cpu-1x1", "ddp-cpu-1x1"]


@pytest.mark.parametrize(("cores", "ranks"), [(1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (64, 4)])
def test_the_demo_runs_one_number_of_ranks_on_any_machine(cores, ranks):
    plan = planned(machine(cores), "demo")
    assert [row.ranks for row in plan.configurations if row.strategy == "ddp"] == [ranks]
    assert len(plan.configurations) <= 3
    assert (plan.quick, plan.rounds, plan.workload.epochs, plan.workload.data) == (True, 3, 5, "digits")


def test_the_demo_on_two_cores_is_expected_to_end_within_a_minute():
    assert planned(machine(2), "demo").estimated_s < 60


def test_a_gpu_machine_gives_the_ladder_of_ddp_and_dataparallel():
    plan = planned(machine(16, gpus=4))
    assert keys(plan) == [
        "single-cuda-1",
        *("ddp-cuda-1", "ddp-cuda-2", "ddp-cuda-4"),
        *("dp-cuda-2", "dp-cuda-4"),
    ]
    assert {row.backend for row in plan.configurations} == {None, "nccl"}
    assert {row.cores_per_rank for row in plan.configurations} == {None}


def test_one_gpu_gives_the_plain_run_and_the_wrappers_cost():
    assert keys(planned(machine(gpus=1))) == ["single-cuda-1", "ddp-cuda-1"]


def test_the_backend_can_be_chosen():
    plan = planned(machine(gpus=2), backend="gloo")
    assert {row.backend for row in plan.configurations if row.strategy == "ddp"} == {"gloo"}


def test_the_cpu_can_be_chosen_on_a_machine_with_gpus_and_needs_no_driver():
    assert keys(planned(machine(2, gpus=4), device="cpu"))[0] == "single-cpu-1x1"
    assert keys(planned(machine(2, torch_build=CPU_ONLY), device="cpu"))[0] == "single-cpu-1x1"


def test_numbers_of_ranks_are_sorted_as_numbers():
    plan = planned(machine(gpus=16), ranks="16,8,4,2,1,2", strategy="ddp", device="cuda")
    assert [row.ranks for row in plan.configurations if row.strategy == "ddp"] == [1, 2, 4, 8, 16]


def test_an_n_that_is_one_of_several_and_too_large_is_a_row_with_its_reason():
    plan = planned(machine(gpus=2), gpus="1,2,4")
    assert [each.configuration.key for each in plan.unrunnable] == ["ddp-cuda-4", "dp-cuda-4"]
    assert plan.unrunnable[0].reason == "needs 4 CUDA devices, this machine shows 2"
    assert "ddp-cuda-2" in keys(plan)


def test_dataparallel_elsewhere_than_on_cuda_is_a_row_with_its_reason():
    plan = planned(machine(2), strategy="single,ddp,dp", ranks="1,2")
    assert [each.configuration.key for each in plan.unrunnable] == ["dp-cpu-2x1"]
    assert "DataParallel" in plan.unrunnable[0].reason


def test_an_apple_gpu_is_one_row_and_more_of_them_are_rows_with_their_reason():
    assert keys(planned(MAC)) == ["single-mps-1"]
    plan = planned(MAC, device="mps", ranks="1,2")
    assert {each.reason for each in plan.unrunnable} == {"one MPS device: nothing to spread over"}


def test_the_baseline_is_there_when_only_ddp_was_asked_for():
    assert keys(planned(machine(2), strategy="ddp", ranks="2")) == ["single-cpu-1x1", "ddp-cpu-2x1"]


def test_weak_scaling_keeps_the_batch_of_a_rank_and_strong_scaling_the_whole():
    weak = planned(machine(4), ranks="1,4", batch="32").configurations[-1]
    strong = planned(machine(4), ranks="1,4", batch="32", scaling="strong").configurations[-1]
    assert (weak.batch_per_rank, weak.batch_global) == (32, 128)
    assert (strong.batch_per_rank, strong.batch_global) == (8, 32)


# One row


def test_run_is_one_row_without_a_baseline_beside_it():
    plan = planned(machine(4), one_row=True, strategy="ddp", ranks="2")
    assert keys(plan) == ["ddp-cpu-2x2"]
    assert plan.baseline.key == "single-cpu-1x2"
    assert keys(planned(machine(4), one_row=True)) == ["single-cpu-1x4"]
    assert keys(planned(machine(4), one_row=True, ranks="2")) == ["ddp-cpu-2x2"]


def test_run_takes_no_lists_but_does_not_mind_those_of_a_profile():
    assert "bench scale" in refused(UsageError, USAGE, machine(4), one_row=True, ranks="1,2")
    assert keys(planned(machine(4), "demo", one_row=True)) == ["single-cpu-1x4"]


# Refusals


@pytest.mark.parametrize("gpus", [0, 2])
def test_too_few_gpus_exit_3_with_everything_that_decides_it(gpus):
    on = machine(4, gpus=gpus, cuda_visible_devices="0,1", hidden=2, driver="580.65")
    error = refused(CannotError, CANNOT, on, gpus="4")
    assert f"asked for 4 CUDA devices, this machine shows {gpus}" in error
    assert "CUDA_VISIBLE_DEVICES='0,1' hides 2" in error
    assert "torch 2.15.0 is a CUDA 13.2 build" in error
    assert "driver 580.65" in error


def test_a_torch_without_cuda_beside_a_gpu_is_told_with_its_fix():
    error = refused(CannotError, CANNOT, machine(2, gpus=1, torch_build=CPU_ONLY, driver="580"), gpus="1,2")
    assert "CPU-only build" in error
    assert "1 NVIDIA GPU present" in error
    assert "--torch-backend=auto --reinstall torch" in error


@pytest.mark.parametrize(
    ("on", "flags"),
    [
        (machine(2), {"gpus": "1,2,4"}),
        (machine(1), {"gpus": "1"}),
        (machine(12), {"device": "cuda"}),
        (machine(4, gpus=2), {"gpus": "4"}),
        (machine(4, gpus=2), {"gpus": "1", "strategy": "dp"}),
        (machine(4), {"strategy": "dp", "ranks": "2"}),
        (machine(4), {"device": "mps"}),
        (MAC, {"device": "mps", "ranks": "2"}),
        (machine(4), {"gpus": "2", "one_row": True}),
    ],
)
def test_the_command_that_a_refusal_offers_runs_on_that_machine(on, flags):
    error = refused(CannotError, CANNOT, on, **flags)
    words = shlex.split(error.partition("try:")[2])
    assert words[:2] == ["bench", "run" if flags.get("one_row") else "scale"]
    offered = {flag.removeprefix("--"): value for flag, value in zip(words[2::2], words[3::2], strict=True)}
    assert planned(on, **offered, one_row=flags.get("one_row", False)).configurations


def test_more_cores_than_there_are_is_a_usage_error_that_says_how_to_go_on():
    error = refused(UsageError, USAGE, machine(2), ranks="1,2,3")
    assert "3 ranks x 1 core need 3 cores, this process may use 2" in error
    assert "--ranks 1,2" in error
    assert "--allow-oversubscribe" in error
    assert "--ranks 1,2," in refused(UsageError, USAGE, machine(2), ranks="1,4")
    assert "--cores-per-rank 2" in refused(UsageError, USAGE, machine(4), ranks="2", cores_per_rank="3")


def test_oversubscribing_is_possible_when_asked_for_and_the_plan_says_so():
    plan = planned(machine(2), ranks="1,2,3", allow_oversubscribe=True)
    assert plan.oversubscribed
    assert planning.cores_of(plan.configurations[-1], machine(2)) == ((0,), (1,), (0,))
    assert not planned(machine(3), ranks="1,2,3", allow_oversubscribe=True).oversubscribed


def test_a_batch_that_cannot_be_shared_names_the_nearest_that_can():
    error = refused(UsageError, USAGE, machine(4), ranks="1,2,3", scaling="strong", batch="64")
    assert "64 cannot be shared equally by 3 ranks" in error
    assert "--batch 60 or --batch 66" in error
    assert "--batch 0" not in refused(UsageError, USAGE, machine(4), ranks="4", scaling="strong", batch="3")


@pytest.mark.parametrize(
    ("flags", "found"),
    [
        ({"backend": "nccl"}, "nccl"),
        ({"precision": "tf32"}, "tf32"),
        ({"epochs": "2"}, "synthetic data has no epochs"),
    ],
)
def test_what_a_cpu_or_synthetic_data_cannot_do_is_refused_before_anything_starts(flags, found):
    assert found in refused(UsageError, USAGE, machine(2), **flags)


# Cost


def test_a_budget_takes_rounds_away_and_with_them_the_verdicts():
    full = planned(machine(2))
    tight = planned(machine(2), budget=str(round(full.estimated_s * 4.5 / 6)))
    assert (full.rounds, full.quick, tight.rounds, tight.quick) == (6, False, 4, True)
    assert tight.origins["measure.rounds"] == "--budget (6 asked for)"
    assert tight.estimated_s < full.estimated_s


def test_a_budget_never_adds_rounds_and_never_leaves_fewer_than_three():
    assert planned(machine(2), budget="10h").rounds == 6
    assert planned(machine(2), budget="1s").rounds == 3
    assert planned(machine(2), budget="1s", rounds="2").rounds == 2
    assert not planned(machine(2), budget="10h").quick


def test_an_estimate_grows_with_what_there_is_to_do():
    short, long = (planned(machine(2), steps=steps) for steps in ("10", "1000"))
    assert long.estimated_s > 2 * short.estimated_s
    assert long.estimated_bytes > short.estimated_bytes
    known = planned(machine(2), "known-answer", rounds="1", ranks="1", strategy="single")
    assert known.estimated_s == pytest.approx(2 * (5 + (10 + 30) * 0.1)), "30 steps of 100 ms after 10, in two rows"


def test_slow_steps_stretch_a_window_of_seconds():
    on_cpu = planned(machine(2), data="synthetic", input_shape="3,224,224", seconds="1", rounds="1")
    assert on_cpu.estimated_s > 60 * len(on_cpu.configurations)


def test_whole_trainings_are_given_a_day_and_windows_an_hour():
    assert planned(machine(2), data="cifar10", epochs="40").timeout_s == 24 * 3600
    assert planned(machine(2)).timeout_s == 3600
    assert planned(machine(2), timeout="30").timeout_s == 30


# Whatever is asked for

ASKED = st.fixed_dictionaries(
    {
        "ranks": st.lists(st.integers(1, 16), min_size=1, max_size=6).map(lambda many: ",".join(map(str, many))),
        "rounds": st.integers(1, 8),
        "batch": st.sampled_from([720720, 64]),
        "scaling": st.sampled_from(["weak", "strong"]),
        "strategy": st.sampled_from(["single", "ddp", "single,ddp", "single,ddp,dp"]),
        "steps": st.integers(1, 100),
    }
)
MACHINES = st.one_of(
    st.integers(1, 64).map(machine),
    st.tuples(st.integers(1, 64), st.integers(1, 16)).map(lambda both: machine(both[0], both[1])),
    st.just(MAC),
)


@given(on=MACHINES, asked=ASKED, order_seed=st.integers(0, 2**32))
def test_every_plan_is_complete_rounds_of_unique_rows_that_survive_json(on, asked, order_seed):
    plan = planned_if_possible(on, **asked, order_seed=order_seed)
    if plan is None:
        return
    rows = keys(plan)
    everything = [*rows, *(each.configuration.key for each in plan.unrunnable)]
    assert len(set(everything)) == len(everything)
    assert plan.baseline in plan.configurations
    for number in range(plan.rounds):
        block = [each for each in plan.launches if each.round == number]
        assert sorted(each.configuration.key for each in block) == sorted(rows)
        assert [each.position for each in block] == list(range(len(rows)))
    assert len({each.launch_id for each in plan.launches}) == len(plan.launches) == plan.rounds * len(rows)
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan
    assert planned(on, **asked, order_seed=order_seed) == plan
    for row in plan.configurations:
        assert row.batch_global == row.batch_per_rank * row.ranks


@given(on=MACHINES, asked=ASKED)
def test_cores_of_a_row_are_disjoint_usable_and_as_many_as_planned(on, asked):
    plan = planned_if_possible(on, **asked)
    for row in plan.configurations if plan else ():
        blocks = planning.cores_of(row, on)
        if row.cores_per_rank is None or not on.pinnable:
            assert blocks is None
            continue
        ids = [each for block in blocks for each in block]
        assert [len(block) for block in blocks] == [row.cores_per_rank] * row.processes
        assert len(set(ids)) == len(ids)
        assert set(ids) <= set(on.cpu_ids)


def test_cores_are_those_that_this_process_may_use():
    on = machine(cpu_ids=(3, 5, 8, 9))
    assert planning.cores_of(planned(on, ranks="2").configurations[-1], on) == ((3, 5), (8, 9))


# Names


@given(st.datetimes(datetime(2026, 1, 1), datetime(2090, 1, 1)), st.integers(1, 10**6), st.integers(0, 2**16 - 1))  # noqa: DTZ001 - any clock
def test_study_ids_sort_by_time(now, minutes, token):
    earlier = planning.new_study_id("zebra", now, token)
    assert earlier < planning.new_study_id("ant", now + timedelta(minutes=minutes), token)


@pytest.mark.parametrize(
    ("model", "study_id"),
    [
        ("lenet-large", "2611220824-lenet-large-7f3c"),
        ("timm:vit_tiny_patch16_224", "2611220824-vit-tiny-patch16-224-7f3c"),
        ("../my models/Net.py:build", "2611220824-net-build-7f3c"),
        ("package.module:Net", "2611220824-package-module-net-7f3c"),
        ("::", "2611220824-model-7f3c"),
    ],
)
def test_study_ids_say_when_and_what(model, study_id):
    assert planning.new_study_id(model, datetime(2026, 11, 22, 8, 24, tzinfo=UTC), 0x17F3C) == study_id


# Data


DATA = Account(
    name="folder",
    found=130,
    taken=120,
    left_out=(LeftOut(kind="broken links", count=10, example="train/cat/9.png", fix="remove them"),),
    split="val/ is for validation",
    classes=("cat", "dog"),
    training=(60, 36),
    validation=(12, 12),
)


def test_an_epoch_costs_what_the_pictures_that_are_there_cost():
    few, many = (
        planned(machine(2), data="folder", epochs=4, one_row=True, batch=8, account=account)
        for account in (DATA, replace(DATA, training=(6_000, 3_600)))
    )
    assert many.estimated_s > 10 * few.estimated_s
    assert many.estimated_bytes > few.estimated_bytes


def test_a_plan_says_what_the_data_are_and_what_was_left_out():
    plan = planned(machine(2), data="folder", batch=8, account=DATA)
    assert plan.data_notes == (DATA.summary, "left out broken links: 10, as train/cat/9.png; remove them")
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan


def test_fewer_pictures_than_a_batch_are_refused_before_anything_starts():
    error = refused(UsageError, USAGE, machine(2), data="folder", batch=64, account=DATA)
    assert "folder has 96 training images; one global batch is 128" in error
    assert planned(machine(2), data="folder", batch=48, account=DATA)


def test_options_of_ddp_are_of_its_rows_and_of_no_others():
    plan = planned(machine(), ddp="static_graph, bucket_cap_mb=50.0")
    assert {row.strategy: row.ddp for row in plan.configurations} == {
        "single": "",
        "ddp": "bucket_cap_mb=50,static_graph=true",
    }
    assert from_json(json.loads(json.dumps(to_json(plan)))) == plan
    assert planned(machine(), ddp="").baseline == plan.baseline


def test_a_plan_from_before_ddp_had_options_is_read():
    plan = planned(machine())
    document = json.loads(json.dumps(to_json(plan)))
    launched = [each["configuration"] for each in document["launches"]]
    for row in (document["baseline"], *document["configurations"], *launched):
        del row["ddp"]
    assert from_json(document) == plan


def test_options_of_ddp_without_a_ddp_row_are_refused():
    assert "no row is ddp" in refused(UsageError, USAGE, machine(), ddp="static_graph", strategy="single")
    assert "did you mean static_graph" in refused(UsageError, USAGE, machine(), ddp="static_grap=true")


def test_rows_with_other_options_of_ddp_are_not_compared():
    plans = [planned(machine(), ddp=each) for each in ("", "static_graph=true")]
    places = [{row.strategy: row for row in plan.configurations} for plan in plans]
    assert places[0]["single"] == places[1]["single"]
    assert places[0]["ddp"] != places[1]["ddp"]
