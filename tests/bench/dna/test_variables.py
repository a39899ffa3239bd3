"""Which variables are recorded with a result, and what of their values."""

import pytest

from bench.dna import software, variables
from bench.dna.variables import recorded
from launchers.environment import PASSED


def test_switches_are_recorded_as_they_are_and_only_those_that_pass():
    shell = {"NCCL_P2P_DISABLE": "1", "CUDA_LAUNCH_BLOCKING": "1", "OMP_NUM_THREADS": "4", "NET_WIDTH": "64"}
    assert recorded(shell) == {"CUDA_LAUNCH_BLOCKING": "1", "NCCL_P2P_DISABLE": "1"}


@pytest.mark.parametrize(
    "name",
    ["TORCH_HOME", "TRITON_CACHE_DIR", "NCCL_DEBUG", "CUDA_VISIBLE_DEVICES", "CUDA_VERSION", "HF_TOKEN", "LC_ALL"],
)
def test_what_decides_neither_numbers_nor_speed_is_not_recorded(name):
    assert recorded({name: "1"}) == {}


def test_a_preloaded_library_is_recorded_by_name_and_content(tmp_path):
    library = tmp_path / "libfast.so"
    library.write_bytes(b"one")
    first = recorded({"LD_PRELOAD": f"{library}:libm.so.6"})["LD_PRELOAD"]
    assert first.startswith("libfast.so #")
    assert first.endswith(", libm.so.6")
    assert str(tmp_path) not in first
    library.write_bytes(b"two")
    assert recorded({"LD_PRELOAD": f"{library} libm.so.6"})["LD_PRELOAD"] != first


def test_what_the_host_preloads_into_everything_is_recorded_too(tmp_path):
    file = tmp_path / "ld.so.preload"
    assert variables.preloaded_everywhere(file) is None
    file.write_text("/opt/liballoc.so\n")
    assert variables.preloaded_everywhere(file) == "liballoc.so"


def test_of_the_users_own_a_hash_is_told_and_of_a_secret_nothing():
    shell = {PASSED: "NET_WIDTH,WANDB_API_KEY", "NET_WIDTH": "64", "WANDB_API_KEY": "s3cret"}
    mine = recorded(shell)
    assert mine["WANDB_API_KEY"] == "set"
    assert mine["NET_WIDTH"] == recorded({**shell, "WANDB_API_KEY": "other"})["NET_WIDTH"] != "64"
    assert mine["NET_WIDTH"] != recorded({**shell, "NET_WIDTH": "65"})["NET_WIDTH"]


def test_a_path_in_a_value_is_not_recorded():
    assert "zebra" not in recorded({"TORCH_LIBRARY_X": "/home/zebra/x"})["TORCH_LIBRARY_X"]


def test_another_preloaded_library_is_another_software_and_another_switch_is_not():
    plain = {"torch": "2.15", "variables": {}}
    assert software.hashed(plain) == software.hashed({"torch": "2.15", "variables": {"NCCL_ALGO": "Ring"}})
    assert software.hashed(plain) != software.hashed({"torch": "2.15", "variables": {"LD_PRELOAD": "a.so #1"}})
