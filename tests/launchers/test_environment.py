import pytest

from launchers.environment import NOT_PASSED, PASSED, asked_for, environment, not_passed, pass_on


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


def test_every_child_numbers_cards_as_the_driver_does_whatever_the_shell_says():
    assert environment({}, inherited={})["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert environment({}, inherited={"CUDA_DEVICE_ORDER": "FASTEST_FIRST"})["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"


def test_what_was_asked_for_by_name_passes_and_can_be_sent_to_other_hosts():
    shell = {"NET_WIDTH": "64", "OTHER": "x", PASSED: "NET_WIDTH"}
    built = environment({}, inherited=shell)
    assert built["NET_WIDTH"] == "64"
    assert "OTHER" not in built
    assert PASSED not in built
    assert asked_for(shell) == {"NET_WIDTH": "64"}


def test_what_was_left_out_is_told_to_the_child_and_of_the_session_to_nobody_else():
    shell = {"NET_WIDTH": "64", "TERM": "xterm", "SSH_TTY": "/dev/pts/1", "PATH": "/bin"}
    assert environment({}, inherited=shell)[NOT_PASSED].split(",") == ["NET_WIDTH", "SSH_TTY", "TERM"]
    assert not_passed(shell) == ("NET_WIDTH",)
    assert not_passed({**shell, PASSED: "NET_WIDTH"}) == ()


def test_what_the_launch_sets_is_not_called_left_out():
    built = environment({"OMP_NUM_THREADS": "1"}, inherited={"OMP_NUM_THREADS": "8", "OMP_PROC_BIND": "true"})
    assert built[NOT_PASSED] == "OMP_PROC_BIND"


def test_a_variable_is_passed_on_with_a_value_of_its_own(monkeypatch):
    monkeypatch.setenv("NET_WIDTH", "8")
    monkeypatch.setenv("NET_DEPTH", "1")
    monkeypatch.setenv(PASSED, "")
    pass_on({"NET_WIDTH": None, "NET_DEPTH": "3"})
    assert {"NET_WIDTH": "8", "NET_DEPTH": "3"}.items() <= environment({}).items()
