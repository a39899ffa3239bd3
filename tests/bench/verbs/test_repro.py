"""`bench repro`: flags, capsules and plans of others into what is run here. Starts nothing."""

from dataclasses import replace
from io import StringIO

import pytest

from bench.analysis.repro.nouns import Agreement, Difference
from bench.dna.machine import Machine
from bench.dna.nvidia import NvidiaCards
from bench.errors import CannotError, UsageError
from bench.plan import Configuration, Workload
from bench.repro import capsule
from bench.repro.capsule import Capsule, Fact, Part, ReproRun
from bench.verbs import repro_inputs
from reports.repro import agreement
from reports.text.console import console_for

TWO_CORES = Machine(cpu_ids=(0, 1), pinnable=True, memory_bytes=2**33)
ROW = Configuration(
    strategy="single", ranks=1, device="cpu", backend=None, cores_per_rank=2, batch_per_rank=8, batch_global=8
)
REPRO_RUN = ReproRun(workload=Workload(model="lenet-small", data="digits", steps=4), configuration=ROW)
FOUND = Agreement(
    verdict="different",
    first_difference=Difference(step=2, tensor="0.weight", stage="weights", rank=0, scaled_ulp=1.875, share=0.75),
    cause="the optimizer",
    curve=((0, 0.0), (1, float("inf"))),
    reasons=("weights after step 4: off by 1e-3", "the loss differs first at step 3"),
)


@pytest.fixture(autouse=True)
def no_other_study(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def asked(**flags):
    return repro_inputs.asked({"model": "lenet-small", "data": "digits", "device": "cpu", **flags}, None, TWO_CORES)


def test_a_plain_record_is_fifty_steps_of_one_process_on_all_cores():
    repro_run, ranks, when_busy = asked()
    assert (repro_run.workload.steps, repro_run.workload.warmup_steps) == (50, 0)
    assert (repro_run.configuration.strategy, repro_run.configuration.cores_per_rank) == ("single", 2)
    assert (ranks, when_busy) == ((), "refuse")


def test_one_number_of_ranks_is_run_as_that_many_processes():
    repro_run, ranks, _ = asked(ranks="2")
    assert (repro_run.configuration.strategy, repro_run.configuration.processes) == ("ddp", 2)
    assert ranks == ()


def test_several_numbers_of_ranks_share_one_global_batch_that_all_can_divide():
    repro_run, ranks, _ = asked(ranks="1,2,3")
    assert ranks == (1, 2, 3)
    assert repro_run.configuration.strategy == "single"
    assert repro_run.configuration.batch_global == 66
    assert asked(ranks="1,2,3", batch="48")[0].configuration.batch_global == 48


def test_a_batch_that_the_ranks_cannot_share_is_refused():
    with pytest.raises(UsageError, match="batch"):
        asked(ranks="1,2,3", batch="64")


def test_a_profile_of_epochs_is_run_by_steps():
    repro_run, _, _ = repro_inputs.asked({"device": "cpu"}, "demo", TWO_CORES)
    assert (repro_run.workload.steps, repro_run.workload.epochs) == (50, None)


def test_a_capsule_finds_its_place_on_a_smaller_machine():
    small = replace(TWO_CORES, cpu_ids=(5,))
    placed = repro_inputs.placed(REPRO_RUN, small, None, None, "/data")
    assert (placed.configuration.cores_per_rank, placed.workload.data_dir) == (1, "/data")
    assert repro_inputs.placed(REPRO_RUN, TWO_CORES, None, 1, None).configuration.cores_per_rank == 1


def test_a_capsule_of_another_device_names_what_is_missing_and_what_to_do():
    with pytest.raises(CannotError, match="needs 1 cuda devices; this machine has 0") as error:
        repro_inputs.placed(REPRO_RUN, TWO_CORES, "cuda", None, None)
    assert "--device cpu" in error.value.hint
    on_gpu = repro_inputs.placed(REPRO_RUN, replace(TWO_CORES, cards=NvidiaCards(names=("A GPU",))), "cuda", None, None)
    assert (on_gpu.configuration.device, on_gpu.configuration.cores_per_rank) == ("cuda", None)


def test_somebodys_plan_is_run_under_a_new_name_without_the_rows_that_find_no_place(a_plan):
    theirs = a_plan()
    mine = repro_inputs.here(theirs, replace(TWO_CORES, cpu_ids=(0,)), "/data")
    assert mine.study_id != theirs.study_id
    assert [row.ranks for row in mine.configurations] == [1]
    assert [each.configuration.ranks for each in mine.unrunnable] == [4, 2]
    assert {each.launch_id.partition(".")[0] for each in mine.launches} == {mine.study_id}
    assert mine.workload.data_dir == "/data"
    assert len(mine.launches) == theirs.rounds


def test_a_plan_that_finds_no_place_at_all_is_refused(a_plan):
    theirs = a_plan()
    gpus = tuple(each.configuration for each in theirs.unrunnable)
    with pytest.raises(CannotError, match="no row"):
        repro_inputs.here(replace(theirs, configurations=gpus), TWO_CORES, None)


def shown(call) -> str:
    stream = StringIO()
    call(console_for(stream, width=200))
    return stream.getvalue()


def test_the_terminal_says_verdict_first_difference_cause_and_reasons():
    lines = shown(lambda console: agreement.show(FOUND, console)).splitlines()
    assert lines[0] == "different: this is another computation"
    assert lines[1] == "First difference  weights of 0.weight at step 2, 1.88 scaled ulp"
    assert lines[2] == "Likely cause      the optimizer"
    assert lines[3].startswith("Because           weights after step 4")


def test_the_document_holds_the_contract_and_no_number_that_is_none():
    document = agreement.document(FOUND, 4)
    assert document["schema"] == "bench.agreement/1"
    assert {"verdict", "first_difference", "cause", "curve", "reasons"} <= set(document)
    assert {"step", "tensor", "stage"} <= set(document["first_difference"])
    assert document["curve"] == [[0, 0.0], [1, None]]
    assert document["exit"] == 4


def test_a_record_says_when_ranks_compute_something_else():
    part = Part(
        rank=0, conditions={}, facts=(Fact(stage="init", step=0, tensor="w", hash=""),), losses=("0x1p0",), warnings=()
    )
    wrong = capsule.RanksCheck(ranks=3, tensor="0.weight", scaled_ulp=2e6, bound=12.7)
    found = Capsule(created_at="", repro_run=REPRO_RUN, parts=(part,), ids={}, ranks=(wrong,), finals={0: 0.5, 1: 0.75})
    text = shown(lambda console: agreement.show_recorded(found, "a.capsule", 1000, console))
    assert "3 DO NOT compute what is computed by one process" in text
    assert "2 seeds: 50.0 % to 75.0 %" in text
    assert agreement.record_document(found, "a.capsule", 1000, 4)["ranks"][0]["agrees"] is False


def test_a_wrong_verdict_a_missing_file_and_a_missing_output_are_usage_errors(run_bench):
    for words, text in (
        (("check", "none.capsule", "--fail-on", "worse"), "no verdict 'worse'"),
        (("check", "none.capsule"), "cannot be read"),
        (("record",), "--output"),
    ):
        ended = run_bench("repro", *words)
        assert ended.returncode == 2, ended
        assert text in ended.stderr
