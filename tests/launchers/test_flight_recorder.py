"""The dump that NCCL's watchdog writes; no GPU is needed to see that it is asked for."""

import os

from launchers import flight_recorder


def test_a_rank_is_asked_through_the_pipe_that_its_variables_name(tmp_path):
    stem = flight_recorder.settings(tmp_path)["TORCH_NCCL_DEBUG_INFO_PIPE_FILE"]
    os.mkfifo(f"{stem}1.pipe")
    reader = os.open(f"{stem}1.pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        flight_recorder.ask(tmp_path, 1)
        assert os.read(reader, 128)
    finally:
        os.close(reader)


def test_a_rank_without_a_pipe_or_that_reads_none_is_let_be(tmp_path):
    flight_recorder.ask(tmp_path, 0)
    os.mkfifo(tmp_path / "nccl_dump_rank_1.pipe")
    flight_recorder.ask(tmp_path, 1)


def test_a_dump_is_wanted_where_the_launch_says_so(tmp_path):
    assert flight_recorder.is_wanted({**flight_recorder.WANTED, "OMP_NUM_THREADS": "1"})
    assert not flight_recorder.is_wanted(flight_recorder.settings(tmp_path))
