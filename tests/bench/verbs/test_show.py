"""`bench show`: what was run, where each setting came from, and the exact command that repeats it."""

import json

import pytest
from click.testing import CliRunner

from bench.errors import CannotError, UsageError
from bench.plan import to_json
from bench.store.schema import LaunchRows
from bench.verbs.show import command

OLD, NEW = "2611220824-lenet-0a1b", "2611230900-lenet-77ff"


@pytest.fixture
def show(filled):
    def run(*arguments):
        return CliRunner().invoke(command, ["--store", str(filled.path), *arguments], catch_exceptions=False)

    return run


def test_the_card_of_a_study_says_what_was_run_and_how_to_repeat_it(show, filled):
    lines = show(OLD).stdout.splitlines()
    text = {line.split("  ")[0]: line.partition("  ")[2].strip() for line in lines if line and line[0] != " "}
    assert text["study"] == OLD
    assert text["repeat"] == "bench scale --model lenet --ranks 1,2 --order-seed 7"
    assert text["window"] == "2 s after 10 warm-up steps"
    assert text["launches"] == "4 of 4 in the store"
    assert text["machine"] == "A CPU, 2 cores, 24 GiB"
    assert "hardware 00112233445566aa, software ffeeddccbbaa9988, numbers not available" in text["dna"]
    assert text["logs"] == str(filled.path / "studies" / OLD / "logs")
    assert "  single-cpu-1x1  batch 64 x 1  1 crash, 1 ok of 2  baseline" in lines
    assert "  ddp-cpu-2x1     batch 64 x 2  2 ok of 2" in lines
    assert "  ddp-cuda-4x1    batch 64 x 4  n/a                 this machine shows 0 CUDA devices" in lines


def test_it_says_where_each_setting_came_from_and_what_it_came_to(show):
    lines = [line.split() for line in show(OLD).stdout.splitlines()]
    assert ["model.name", "lenet", "--model"] in lines
    assert ["measure.warmup", "10", "default"] in lines
    assert ["recipe.learning_rate", "0.05", "profile", "demo"] in lines


def test_the_newest_study_is_shown_when_none_is_named(show):
    assert show().stdout == show("@last").stdout == show("261123").stdout
    assert NEW in show().stdout


def test_several_ids_are_shown_one_after_the_other_as_xargs_gives_them(show):
    assert show(NEW, OLD).stdout == show(NEW).stdout + "\n" + show(OLD).stdout


def test_the_card_of_a_launch_has_every_measured_value_and_the_reason_for_every_gap(show, filled):
    lines = [line.split(maxsplit=1) for line in show(f"{OLD}.r00p00").stdout.splitlines()]
    assert ["throughput_sps", "320.5"] in lines
    assert ["window_ns", "2000000001"] in lines
    assert ["energy_j", "energy is not read by this version"] in lines
    assert [str(filled.path / "launches" / OLD / f"{OLD}.r00p00.parquet")] in lines


def test_json_is_one_document_that_holds_the_plan_and_the_rows(show, a_plan):
    document = json.loads(show(OLD, "@last.r00p00", "--json").stdout)
    assert (document["schema"], document["exit"]) == ("bench.show/1", 0)
    study, launch = document["shown"]
    assert study["plan"] == json.loads(json.dumps(to_json(a_plan())))
    assert [row["status"] for row in study["launches"]] == ["ok", "ok", "ok", "crash"]
    assert study["launches"][3]["throughput_sps"] is None
    assert study["dna"] == [{"hw_id": "00112233445566aa", "sw_id": "ffeeddccbbaa9988", "num_id": None}]
    assert launch["row"]["launch_id"] == f"{NEW}.r00p00"


def test_a_value_that_is_no_number_is_null_in_json(show, filled, a_plan, a_launch, a_dna):
    plan = a_plan(NEW, created_at="2026-11-23T09:00:00+00:00")
    launch = a_launch(plan, 3, loss_last=float("nan"))
    filled.commit(LaunchRows(launch=launch, dna=a_dna(launch)))
    text = show(launch.launch_id, "--json").stdout
    document = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert document["shown"][0]["row"]["loss_last"] is None


def test_a_torn_file_is_a_warning_in_the_study_and_an_error_for_its_launch(show, filled):
    file = filled.path / "launches" / OLD / f"{OLD}.r00p00.parquet"
    file.write_bytes(file.read_bytes()[:100])
    (filled.path / "commits" / OLD / f"{OLD}.r00p01.json").write_text("{")  # met twice: for the rows and for the DNA
    result = show(OLD)
    assert "2 of 4 in the store" in result.stdout
    assert result.stderr.count(f"warning: launch {OLD}.r00p01") == 1
    assert result.stderr.count(f"warning: launch {OLD}.r00p00") == 1
    with pytest.raises(CannotError, match="has 100 bytes of"):
        show(f"{OLD}.r00p00")


@pytest.mark.parametrize("text", ["zebra", "2611", "@-9", f"{OLD}.r99", "@last.r00"])
def test_an_id_that_names_none_or_several_is_a_usage_error(show, text):
    with pytest.raises(UsageError):
        show(text)


def test_the_command_line_pipes_ls_into_show_and_tells_errors_in_one_document(run_bench, filled):
    listed = run_bench("ls", "-q", BENCH_STORE=str(filled.path))
    shown = run_bench("show", *listed.stdout.split(), BENCH_STORE=str(filled.path))
    assert (listed.returncode, shown.returncode) == (0, 0), shown
    assert shown.stdout.count("repeat") == 2
    failed = run_bench("show", "zebra", "--json", BENCH_STORE=str(filled.path))
    assert failed.returncode == 2
    assert failed.json()["error"]["code"] == "usage"
    assert "no study 'zebra'" in failed.json()["error"]["message"]
