"""The files of all ranks of a launch as one text of the store."""

import json
from dataclasses import replace

from bench.outcome.source import about_source, source_of
from bench.worker.job import RankResult

RANK = RankResult(
    rank=0,
    world_size=2,
    device_name="cpu",
    distinct_devices=2,
    threads=1,
    params=1,
    epoch_samples=None,
    first_step_monotonic_ns=0,
    closure_error=0.0,
    loss_first=1.0,
    loss_last=1.0,
    losses_finite=True,
    weights_moved=True,
    peak_memory_bytes=1,
    window_cpu_s=1.0,
    window_switches=0,
    epochs=[],
)


def ranks(*sources):
    return [replace(RANK, rank=number, source=its) for number, its in enumerate(sources)]


def launched(*sources, model="resnet18"):
    return json.loads(source_of(ranks(*sources), model))


def test_ranks_that_loaded_the_same_agree_and_one_that_loaded_more_does_too():
    found = launched({"net.py": "a"}, {"net.py": "a", "log.py": "b"})
    assert (found["files"], found["differing"]) == ({"net.py": "a", "log.py": "b"}, [])


def test_a_file_that_ranks_loaded_with_different_contents_is_named():
    assert launched({"net.py": "a"}, {"net.py": "b"})["differing"] == ["net.py"]


def test_a_model_of_ours_has_no_files_and_says_so():
    assert launched({}, {}) == {"files": {}, "commit": None, "dirty": None, "differing": []}


def test_the_commit_is_looked_for_where_the_models_file_lies(tmp_path):
    (tmp_path / "net.py").write_text("")
    assert launched({"net.py": "a"}, model=f"{tmp_path}/net.py:build")["commit"] is None


def test_a_file_that_was_edited_meanwhile_is_a_warning_that_says_what_counts():
    one, other = ranks({}, {})
    assert about_source([replace(one, edited=["net.py"]), replace(other, edited=["net.py"])]) == [
        "net.py was edited while the launch ran, which used what it had loaded before"
    ]
