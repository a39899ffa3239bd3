"""What the slurm launcher asks for, without a Slurm; on a real one: `test_slurm_cluster`."""

import shlex
import sys
from pathlib import Path

import pytest

from launchers import LEAD, SUBMIT, Command, Request, slurm
from launchers.sbatch import SlurmError, SlurmJob


def request_for(**changes) -> Request:
    asked = {"name": "night", "nodes": 4, "ranks_per_node": 2, "cores_per_rank": None, "gpus_per_node": 0}
    return Request(**{**asked, **changes})


def test_the_script_of_a_plain_request_is_this_and_nothing_else():
    text = slurm.script(("scale", "--launcher", "slurm", "--nodes", "1,2,4"), request_for())
    assert (
        text
        == f"""\
#!/bin/bash
#SBATCH --job-name=night
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --no-kill
#SBATCH --signal=B:TERM@60
#SBATCH --open-mode=append

set -eo pipefail
srun --overlap --relative=1 --nodes=1 --ntasks=1 --mem=0 --mpi=none --input=none {shlex.quote(sys.executable)} \
-P -m scaling_bench.module launchers.node_watch "$SLURMD_NODENAME" 60 >/dev/null 2>&1 &
# A study of this name is begun once and gone on with afterwards: a requeued job repeats nothing.
export BENCH_STUDY=night
exec {shlex.quote(sys.executable)} -P -m scaling_bench scale --launcher slurm --nodes 1,2,4
"""
    )


def test_the_script_says_all_that_a_site_asks_for():
    options = {
        "partition": "gpu",
        "account": "physics",
        "qos": "long",
        "time": "02:00:00",
        "constraint": "a100&nvlink",
        "reservation": "course",
        "mem": "64G",
        "exclusive": False,
        "requeue": False,
        "extra": ("--mail-type=END", "--comment='two words'"),
        "setup": ("module load cuda/12.4", "source ~/site.sh"),
    }
    lines = slurm.script((), request_for(cores_per_rank=8, gpus_per_node=2, options=options)).splitlines()
    asked = [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")]
    assert asked == [
        "--job-name=night",
        "--nodes=4",
        "--ntasks-per-node=1",
        "--cpus-per-task=16",  # 2 ranks of 8 cores
        "--gpus-per-node=2",
        "--partition=gpu",
        "--account=physics",
        "--qos=long",
        "--time=02:00:00",
        "--constraint='a100&nvlink'",
        "--reservation=course",
        "--mem=64G",
        "--no-requeue",
        "--no-kill",
        "--signal=B:TERM@60",
        "--open-mode=append",
        "--mail-type=END",
        "--comment='two words'",
    ]
    assert lines.index("set -eo pipefail") < lines.index("module load cuda/12.4") < lines.index("source ~/site.sh")
    assert lines.index("source ~/site.sh") < lines.index("export BENCH_STUDY=night")


def test_a_job_of_one_node_has_no_other_to_look_after_it():
    assert "srun" not in slurm.script((), request_for(nodes=1))


def test_an_option_that_is_none_is_not_said():
    assert slurm.script((), request_for(options={"partition": None})) == slurm.script((), request_for())


def test_words_with_spaces_and_quotes_reach_bench_as_they_are():
    words = ("scale", "--model", "my net", "--note", 'it\'s $HOME `x` "y" \\')
    last = slurm.script(words, request_for(name="a b'c")).splitlines()
    assert shlex.split(last[-1])[-len(words) :] == list(words)
    assert shlex.split(last[-2]) == ["export", "BENCH_STUDY=a b'c"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"partitoin": "gpu"}, "has no partitoin"),
        ({"extra": ("mail",)}, "takes options of sbatch"),
        ({"extra": ("--comment=x\nrm -rf /",)}, "line break"),
        ({"setup": ("module load x\nexit",)}, "line break"),
        ({"time": "1:00\n#SBATCH --nodes=99"}, "line break"),
    ],
)
def test_what_a_job_cannot_say_is_refused(options, words):
    with pytest.raises(SlurmError, match=words):
        slurm.script((), request_for(options=options))


def test_a_process_inside_a_job_leads_and_one_outside_submits():
    assert slurm.role({"PATH": "/bin"}) == SUBMIT
    assert slurm.role({"SLURM_JOB_ID": "7"}) == LEAD


def command_of_three_nodes(folder: Path) -> Command:
    return Command(
        argv=("python",), ranks=6, nodes=3, folder=folder, environment={}, cores=None, timeout_s=1, stall_s=1
    )


def test_a_step_has_one_agent_on_each_node_of_its_launch_and_all_cores_of_the_job(tmp_path):
    command = command_of_three_nodes(tmp_path)
    words = slurm.srun(command, name="step", leader="10.0.0.1:4000")
    assert {"--nodes=3", "--ntasks=3", "--ntasks-per-node=1", "--kill-on-bad-exit=1", "--export=ALL"} <= set(words)
    assert words[-6:] == (sys.executable, "-P", "-m", "scaling_bench.module", "launchers.agent", "10.0.0.1:4000")
    # With it a step gets that many and no more: measured, 1 of 2 with --cpus-per-task=1.
    assert not any(word.startswith(("--cpus-per-task", "--exact")) for word in words)


@pytest.fixture
def slurm_says(tmp_path, monkeypatch):
    """Puts commands of a Slurm on the PATH that say what a test wants: `slurm_says("squeue", stderr=…, code=1)`."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def say(name: str, *, stdout: str = "", stderr: str = "", code: int = 0) -> None:
        text = f"#!/bin/sh\necho {shlex.quote(stdout)}\necho {shlex.quote(stderr)} >&2\nexit {code}\n"
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    return say


def test_a_refusal_of_sbatch_is_told_in_its_own_words(tmp_path, slurm_says):
    slurm_says("sbatch", stderr="sbatch: error: Invalid partition name specified", code=1)
    with pytest.raises(SlurmError, match=r"^Invalid partition name specified$"):
        slurm.submit(("scale",), request_for(), tmp_path / "study")


def test_without_slurm_the_missing_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SlurmError, match="sbatch is not here"):
        slurm.submit(("scale",), request_for(), tmp_path / "study")


def test_a_job_is_named_by_its_number_and_leaves_what_was_submitted(tmp_path, slurm_says):
    slurm_says("sbatch", stdout="4711;cluster2")
    folder = tmp_path / "study"
    job = slurm.submit(("scale",), request_for(), folder)
    assert job == SlurmJob(name="4711", log=folder / "slurm-4711.log")
    assert (folder / "job.sh").read_text() == slurm.script(("scale",), request_for())
    assert job.log_tail() == ""
    job.log.write_text("one\ntwo\n")
    assert job.log_tail() == "one\ntwo"


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"stdout": "PENDING (Resources)"}, "PENDING (Resources)"),
        ({"stdout": "RUNNING (None)"}, "RUNNING"),
        ({"stdout": ""}, ""),
        ({"stderr": "slurm_load_jobs error: Invalid job id specified", "code": 1}, ""),
        ({"stderr": "slurm_load_jobs error: Unable to contact controller", "code": 1}, "not known: "),
    ],
)
def test_a_job_is_over_only_when_slurm_says_so(slurm_says, said, state):
    slurm_says("squeue", **said)
    found = SlurmJob(name="4711", log=Path()).state()
    assert found.startswith(state)
    assert bool(found) is bool(state)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "srun: error: --relative and --nodes option incompatible with count of allocated nodes (0+3>2)",
            "the job has 2 nodes left, and this launch needs 3",
        ),
        (
            "srun: error: Unable to create step for job 2: Requested nodes are busy",
            "nodes 0, 1, 2 of 3 will not report: Unable to create step for job 2: Requested nodes are busy",
        ),
        ("", "nodes 0, 1, 2 of 3 will not report: srun ended with code 1"),
    ],
)
def test_a_step_that_slurm_does_not_start_is_a_lost_launch_and_no_rank_is_to_blame(tmp_path, slurm_says, said, reason):
    slurm_says("srun", stderr=said, code=1)
    ending = slurm.Slurm(job="2", address="127.0.0.1").launch(command_of_three_nodes(tmp_path), lambda _: None)
    assert (ending.status, ending.reason, ending.failed_rank) == ("lost", reason, None)
    assert ending.exit_codes == (None,) * 6


@pytest.mark.parametrize(
    ("names", "reached"), [("n1", "127.0.0.1"), ("n1\nlocalhost", "127.0.0.1")], ids=["alone", "with another"]
)
def test_the_leader_is_reached_by_the_route_to_another_node(slurm_says, names, reached):
    slurm_says("scontrol", stdout=names)
    assert slurm.address_of({"SLURM_JOB_NODELIST": "n[1-2]", "SLURMD_NODENAME": "n1"}) == reached


def test_a_node_without_an_address_is_an_error_and_never_the_loopback(slurm_says):
    slurm_says("scontrol", stdout="n1\nno-such-node.invalid")
    with pytest.raises(SlurmError, match=r"no way from node n1 to node no-such-node\.invalid"):
        slurm.address_of({"SLURM_JOB_NODELIST": "n[1-2]", "SLURMD_NODENAME": "n1"})
