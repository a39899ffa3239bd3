"""`bench repro` on real processes: what is the same, what is rounding, and what is a mistake.

The cases, and what must come of each, are those of `benchmarks/agreement_table.py`, which repeats them over seeds.
"""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.dna.machine import here
from bench.repro import capsule, runs
from tests.noise import assert_no_launch_failed

pytestmark = pytest.mark.faults

TABLE = Path(__file__).parents[2] / "benchmarks" / "agreement_table.py"


@pytest.fixture(scope="module")
def table():
    """The benchmark as a module; its ranks are started from the same file."""
    spec = importlib.util.spec_from_file_location("agreement_table", TABLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def recorded(table):
    return runs.recorded(table._repro_run(seed=0), table._stage())


CASES = (
    *("nothing", "2 threads", "AVX2", "momentum 0.9001", "shuffled shard", "other pixels", "per-batch crop"),
    *("changed seed", "changed seed of the weights", "other kernels (a stand-in for a GPU)"),
    *("other kernels, products in TF32", "other kernels and momentum 0.91"),
)
# What is otherwise in them is found in the same way as in "shuffled shard", one stage earlier or later.
REPEATED = ("other pixels", "per-batch crop", "changed seed", "changed seed of the weights")


def test_no_case_of_the_table_is_left_out(table):
    assert tuple(case.name for case in table.CASES) == CASES


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in REPEATED)) for name in CASES])
def test_each_case_has_its_verdict_its_first_difference_and_its_cause(table, recorded, name):
    case = next(each for each in table.CASES if each.name == name)
    if why := table.cannot_show(case):
        pytest.skip(f"{name}: {why}")
    found = table.judged(case, recorded)
    stage = found.first_difference and found.first_difference.stage
    assert (found.verdict, stage) == (case.verdict, case.stage), found
    assert case.cause in found.cause


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["GroupNorm(4, 16)", "BatchNorm2d(16)"])
def test_three_ranks_compute_what_one_does_and_a_wrong_divisor_is_found(table, tmp_path, norm):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def build():\n"
        f"    return nn.Sequential(nn.Conv2d(1, 16, 3), nn.{norm}, nn.ReLU(), nn.Dropout(0.2), nn.MaxPool2d(4),\n"
        "                         nn.Flatten(), nn.Linear(784, 10))\n"
    )
    repro_run = table._repro_run(seed=0)
    repro_run = replace(repro_run, workload=replace(repro_run.workload, model=f"{tmp_path}/mine.py:build"))
    [right] = runs.ranks_checks(repro_run, (1, 3), table._stage())
    [wrong] = runs.ranks_checks(repro_run, (1, 3), table._stage("divisor"))
    assert right.agrees, right
    assert not wrong.agrees, wrong


def test_a_capsule_is_recorded_and_checked_by_the_command(run_bench, tmp_path):
    asked = ("--model", "lenet-small", "--data", "digits", "--device", "cpu", "--batch", "16", "--cores-per-rank", "1")
    recorded = run_bench("repro", "record", *asked, "--steps", "4", "--no-envelope", "-o", "a.capsule", "--json").json()
    assert recorded["steps"] == 4
    assert Path(tmp_path / "a.capsule").stat().st_size == recorded["bytes"]
    checked = run_bench("repro", "check", "a.capsule", "--fail-on", "different", "--json")
    assert checked.returncode == 0, checked
    document = checked.json()
    assert document["schema"] == "bench.agreement/1"
    assert (document["verdict"], document["first_difference"]) == ("bitwise", None)
    assert document["curve"] == [[step, 0.0] for step in range(4)]
    # Somebody else's numbers, under the same name.
    theirs = capsule.read(tmp_path / "a.capsule")
    facts = tuple(replace(each, hash="00") if each.stage == "indices" else each for each in theirs.parts[0].facts)
    capsule.write(tmp_path / "a.capsule", replace(theirs, parts=(replace(theirs.parts[0], facts=facts),)))
    refused = run_bench("repro", "check", "a.capsule", "--fail-on", "different")
    assert refused.returncode == 4, refused
    assert "the data pipeline" in refused.stdout


@pytest.mark.slow
def test_somebodys_study_is_repeated_and_its_speed_and_numbers_judged(run_bench, tmp_path):
    asked = ("--model", "lenet-small", "--data", "digits", "--device", "cpu", "--batch", "16", "--cores-per-rank", "1")
    asked_for_speed = (*asked, "--steps", "40", "--rounds", "1", "--store", "theirs")
    assert_no_launch_failed(run_bench("run", *asked_for_speed), tmp_path / "theirs")
    assert (
        run_bench("repro", "record", *asked, "--steps", "2", "--no-envelope", "-o", "theirs/a.capsule").returncode == 0
    )
    ran = run_bench("repro", "run", "theirs", "--store", "mine", "--json")
    document = ran.json()
    [launch] = assert_no_launch_failed(ran, tmp_path / "mine")
    assert launch.study_id == document["study"]
    assert document["schema"] == "bench.repeat/1"
    assert document["numbers"]["a.capsule"]["verdict"] == "bitwise"
    assert document["speed"]["schema"] == "bench.comparison/1"
    assert [row["metric"] for row in document["speed"]["rows"]][:1] == ["throughput"]
    assert run_bench("ls", "--store", "mine", "--json").json()["studies"][0]["study"] == document["study"]


def test_a_rank_that_fails_is_told_in_words(table, tmp_path):
    from bench.errors import BenchError

    (tmp_path / "wild.py").write_text("def build():\n    raise ValueError('no model today')\n")
    repro_run = table._repro_run(seed=0)
    repro_run = replace(repro_run, workload=replace(repro_run.workload, model=f"{tmp_path}/wild.py:build"))
    stage = runs.Stage(machine=here(), ids={}, say=lambda _: None)
    with pytest.raises(BenchError, match="no model today"):
        runs.parts_of(repro_run, stage)
