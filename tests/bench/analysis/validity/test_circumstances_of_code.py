"""What a model's own code changed stands beside the number, in words that are true of the row."""

import json
from dataclasses import replace

import pytest

from bench.analysis.scaling.findings import analyse
from bench.analysis.validity import circumstances
from tests.bench.analysis.analysis_fakes import DDP2, SINGLE, launch, plan, study


def launched(**found):
    return launch(plan([DDP2]).launches[0], changed=json.dumps(found))


def marks(**found):
    return [str(each) for each in circumstances.code_marks(launched(**found))]


def test_a_launch_that_changed_nothing_has_no_word():
    assert marks() == []
    assert list(circumstances.code_warnings([launched()])) == []
    assert circumstances.precision("fp32", [launched()]) == "fp32"


def test_threads_are_said_as_they_were_found_with_both_ways_out():
    (found,) = marks(threads=[2, 1])
    assert "it ran with 1, not 2" in found
    assert "--cores-per-rank 1" in found
    (found,) = marks(threads=[2, 1, 4])
    assert "with 1 and 4, not 2" in found


@pytest.mark.parametrize(
    ("cores", "nodes", "words"),
    [
        (("0", "0"), 1, "2 ranks shared core 0:"),
        (("0-1", "1"), 1, "2 ranks shared core 1:"),
        (("0-2", "1-2", "7"), 1, "2 ranks shared cores 1, 2:"),
        (("0", "1"), 1, "it ran on 0, not 0-1:"),
        (("0", "0"), 2, "it ran on 0, not 0-1:"),  # the same number on two hosts is two cores
        (("0", "1", "3", "3"), 2, "2 ranks shared core 3:"),
    ],
)
def test_ranks_that_share_cores_are_counted_on_each_host(cores, nodes, words):
    moved = replace(launched(cores=["0-1", "0"]), cores=cores, nodes=nodes)
    (found,) = map(str, circumstances.code_marks(moved))
    assert words in found


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"products": ["fp32", "tf32"]}, "rounded as tf32, not fp32"),
        ({"weights": ["float32", "float64"]}, "the weights are float64, not float32"),
        ({"autocast": ["off", "bfloat16"]}, "casts every operation to bfloat16"),
        ({"computed": ["float32", "bfloat16"]}, "its forward computes in bfloat16, not float32"),
        ({"computed": ["float32", "bfloat16"], "weights": ["float32", "bfloat16"]}, "the weights are bfloat16"),
        ({"default_dtype": ["float32", "float64"]}, "made float64 the default dtype"),
        ({"input": ["as given", circumstances.UNSEEN]}, "wrote into its input past torch"),
    ],
)
def test_what_makes_the_title_untrue_makes_the_row_suspect(found, words):
    (given,) = marks(**found)
    assert words in given


def test_what_makes_no_promise_untrue_is_a_warning_and_leaves_the_row():
    launches = [launched(anomaly_detection=[False, True], seed=[0, 42]), launched()]
    text = [str(each) for each in circumstances.code_warnings(launches)]
    assert "slows every step (in 1 of 2 launches)" in text[0]
    assert "a seed of its own (42)" in text[1]
    assert marks(anomaly_detection=[False, True], seed=[0, 42]) == []


def test_a_switch_without_effect_is_a_warning_and_one_with_effect_a_mark():
    switch = ["ieee", "mkldnn.matmul bf16"]
    (text,) = circumstances.code_warnings([launched(float32_precision=switch)])
    assert "had no effect on this device" in text.text
    assert not list(circumstances.code_warnings([launched(float32_precision=switch, products=["fp32", "bf16"])]))


def test_the_title_has_the_precision_that_was_found_and_the_row_is_suspect():
    asked, launches, timed = study({SINGLE: (100.0, 101.0, 99.0), DDP2: (190.0, 192.0, 188.0)})
    switched = [replace(each, changed=json.dumps({"products": ["fp32", "tf32"]})) for each in launches]
    found = analyse(asked, switched, timed, epochs=[])
    assert found.title.precision == "fp32 asked, tf32 found"
    assert {row.status for row in found.rows} == {"suspect"}
    assert analyse(asked, launches, timed, epochs=[]).title.precision == "fp32"
