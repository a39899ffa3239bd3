import pytest

from launchers.environment import environment


@pytest.mark.parametrize(
    "name",
    [
        *("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "BENCH_LISTEN_FD", "BENCH_RUN_FOLDER"),
        *("OMP_NUM_THREADS", "OMP_PROC_BIND", "MKL_NUM_THREADS", "KMP_AFFINITY", "GOMP_CPU_AFFINITY"),
        *("SLURM_JOB_ID", "TORCHELASTIC_RESTART_COUNT", "PET_NNODES", "PYTHONSTARTUP", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_what_belongs_to_another_launch_does_not_pass(name):
    assert name not in environment({}, inherited={name: "7"})


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "HF_HOME"),
        *("CUDA_VISIBLE_DEVICES", "NCCL_DEBUG", "GLOO_SOCKET_IFNAME", "ATEN_CPU_CAPABILITY", "MKL_CBWR", "BENCH_STORE"),
    ],
)
def test_what_the_user_set_for_the_machine_or_the_libraries_passes(name):
    assert environment({}, inherited={name: "7"})[name] == "7"


def test_threads_come_from_the_plan_and_from_nowhere_else():
    inherited = {"OMP_NUM_THREADS": "64", "MKL_NUM_THREADS": "64"}
    built = environment({"OMP_NUM_THREADS": "3"}, inherited=inherited)
    assert built["OMP_NUM_THREADS"] == "3"
    assert "MKL_NUM_THREADS" not in built


def test_what_the_caller_adds_wins():
    assert environment({"NCCL_ALGO": "Ring"}, inherited={"NCCL_ALGO": "Tree"})["NCCL_ALGO"] == "Ring"


def test_this_process_is_picked_from_unless_told_otherwise(monkeypatch):
    monkeypatch.setenv("BENCH_STORE", "here")
    assert environment({})["BENCH_STORE"] == "here"


def test_what_torchrun_sets_for_nccl_is_not_what_a_user_set():
    mine = {"TORCH_NCCL_ASYNC_ERROR_HANDLING": "3"}
    assert mine.items() <= environment({}, inherited=mine).items()
    assert not mine.keys() & environment({}, inherited={**mine, "TORCHELASTIC_RUN_ID": "study"}).keys()
