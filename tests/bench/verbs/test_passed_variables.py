"""`--env`: names, values, and what cannot be passed."""

import pytest

from bench.errors import UsageError
from bench.settings import resolve
from bench.verbs.study_request import to_pass


def settings(tmp_path, flags=None, environ=None, local=None):
    if local:
        (tmp_path / "bench.toml").write_text(local)
    return resolve(flags or {}, environ or {}, tmp_path, "demo", user_file=tmp_path / "none.toml")


def test_a_flag_may_be_repeated_and_a_value_may_hold_commas(tmp_path):
    found = settings(tmp_path, {"env": ("NET_WIDTH", "SIZES=1,2")})
    assert (found.study.env, found.origins["study.env"]) == (("NET_WIDTH", "SIZES=1,2"), "--env")


def test_bench_toml_says_it_for_every_study_of_a_project(tmp_path):
    found = settings(tmp_path, local='[study]\nenv = ["NET_WIDTH", "DEPTH=3"]\n')
    assert found.study.env == ("NET_WIDTH", "DEPTH=3")


def test_what_is_set_and_does_not_pass_is_part_of_the_settings_by_name(tmp_path):
    environ = {"NET_WIDTH": "64", "DEPTH": "3", "TERM": "xterm"}
    assert settings(tmp_path, environ=environ).not_passed == ("DEPTH", "NET_WIDTH")
    assert settings(tmp_path, {"env": ("DEPTH",)}, environ).not_passed == ("NET_WIDTH",)


@pytest.mark.parametrize("word", ["OMP_NUM_THREADS=4", "RANK", "KMP_AFFINITY", "MASTER_PORT=1", "CUDA_DEVICE_ORDER"])
def test_what_the_plan_sets_in_each_rank_cannot_be_passed(tmp_path, word):
    with pytest.raises(UsageError, match="is set by the plan and the launcher"):
        settings(tmp_path, {"env": (word,)})


@pytest.mark.parametrize("word", ["NET-WIDTH", "=3", "1ST=2", "two words"])
def test_what_is_no_name_is_refused(tmp_path, word):
    with pytest.raises(UsageError, match="name of a variable"):
        settings(tmp_path, {"env": (word,)})


def test_a_name_that_is_not_set_is_refused_since_nobody_would_notice():
    assert to_pass(("A", "B=", "C=x=y"), {"A": "1"}, "--env") == {"A": None, "B": "", "C": "x=y"}
    with pytest.raises(UsageError, match="--env: NET_WITH is to be passed, and not set here"):
        to_pass(("NET_WITH",), {"NET_WIDTH": "1"}, "--env")
