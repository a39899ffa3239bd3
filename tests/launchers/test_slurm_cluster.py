"""The slurm launcher on a real Slurm: three nodes on this host, started by `slurm_cluster.sh`."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import load
from launchers import Request, sbatch, slurm
from launchers.sbatch import SlurmError
from tests.noise import assert_no_launch_failed

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SCRIPT = HERE / "slurm_cluster.sh"
PATH = os.environ["PATH"]
REQUEST = Request(name="test", nodes=3, ranks_per_node=1, cores_per_rank=None, gpus_per_node=0)
OF_OURS = r"rank\.py|slurm_leader|^srun|-m (launchers|bench)"  # command lines in the cluster

STEPS = """
peers = join()
heart.enter("window", 0, 1000)
for step in range({steps}):
    {fault}
    time.sleep(0.01)
    collective(peers)
    heart.beat(step + 1)
say("ok")
"""
WELL = STEPS.format(steps=20, fault="pass")
LONG = STEPS.format(steps=100_000, fault="pass")


def wait_for(condition: Callable[[], Any], what: str, *, timeout_s: float = 90) -> Any:
    """What the condition gave once it is true; the limit only keeps a broken build from hanging."""
    until_s = time.monotonic() + timeout_s
    while not (held := condition()):
        assert time.monotonic() < until_s, f"after {timeout_s:g} s still not: {what}"
        time.sleep(0.1)
    return held


@dataclass(frozen=True)
class Cluster:
    folder: Path

    def run(self, *argv: str) -> str:
        """What a command inside the cluster prints."""
        words = (SCRIPT, "run", self.folder, *argv)
        environ = {**os.environ, "PATH": PATH}  # without the commands for outside
        return subprocess.run(words, capture_output=True, text=True, check=False, env=environ).stdout

    def lose(self, node: str) -> None:
        subprocess.run((SCRIPT, "lose", self.folder, node), check=True)

    def crash(self, node: str) -> None:
        subprocess.run((SCRIPT, "crash", self.folder, node), check=True)

    def heal(self, node: str) -> None:
        subprocess.run((SCRIPT, "heal", self.folder, node), check=True)

    def ours(self) -> str:
        """Every process in the cluster that is bench's or one of its ranks'."""
        return self.run("pgrep", "-af", OF_OURS)

    def write_commands(self, folder: Path) -> None:
        """Commands for outside of the cluster; in there the true ones are found, also by a job that we submit."""
        folder.mkdir()
        for name in ("sbatch", "squeue", "scancel", "scontrol"):
            (folder / name).write_text(
                f"#!/bin/sh\nPATH={shlex.quote(PATH)}\n"
                f'exec {shlex.quote(str(SCRIPT))} run {shlex.quote(str(self.folder))} {name} "$@"\n'
            )
            (folder / name).chmod(0o755)


@pytest.fixture(scope="module")
def running_cluster(tmp_path_factory) -> Iterator[Cluster]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a Slurm of one's own needs Linux and root")
    if (installed := subprocess.run((SCRIPT, "install"), capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"slurm-wlm cannot be installed: {installed.stderr.strip()[-300:]}")
    unshare = ("unshare", "--mount", "--net", "--uts", "--pid", "--fork", "--mount-proc")
    if (tried := subprocess.run((*unshare, "true"), capture_output=True, text=True, check=False)).returncode:
        pytest.skip(f"namespaces are not permitted here: {tried.stderr.strip()}")
    cluster = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        subprocess.run((SCRIPT, "start", cluster.folder), check=True)
        yield cluster
    finally:
        subprocess.run((SCRIPT, "stop", cluster.folder), check=True)


@pytest.fixture
def cluster(running_cluster) -> Iterator[Cluster]:
    """The cluster, idle before and after: what a test leaves running is its failure."""
    yield running_cluster
    leftovers = running_cluster.ours()
    running_cluster.run("scancel", "--user=root")
    wait_for(lambda: not running_cluster.run("squeue", "--noheader"), "the queue is empty")
    assert not leftovers


@dataclass(frozen=True)
class Leader:
    """A job whose leader runs launches of scripted ranks; see `slurm_leader`."""

    cluster: Cluster
    folder: Path
    job: str

    def endings(self) -> list[dict[str, Any]]:
        file = self.folder / "endings.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def log(self) -> str:
        return "\n".join(file.read_text() for file in self.folder.glob("*.log"))

    def wait(self) -> list[dict[str, Any]]:
        """The endings, once the job is over."""
        queue = ("squeue", "--noheader", f"--jobs={self.job}")
        wait_for(lambda: not self.cluster.run(*queue), "the job is over")
        return self.endings()

    def wait_until_running(self, launch: int, attempt: int = 0) -> Path:
        """Until all ranks of a launch have made a step; its folder."""
        folder = self.folder / f"launch{launch}.a{attempt}"
        wait_for((folder / "moving").exists, f"launch {launch} moves\n{self.log()}")
        return folder


@pytest.fixture
def lead(cluster, tmp_path, monkeypatch) -> Callable[..., Leader]:
    """Submit a job that runs these launches, each of nodes and a body: `lead((1, WELL), (3, WELL))`."""
    monkeypatch.setattr(sbatch, "_WATCH_EVERY_S", 1)

    def submit(*launches: tuple[int, str]) -> Leader:
        asked = [
            {"folder": str(tmp_path / f"launch{number}"), "nodes": nodes, "body": body}
            for number, (nodes, body) in enumerate(launches)
        ]
        plan = {"endings": str(tmp_path / "endings.jsonl"), "launches": asked}
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        head = slurm.script((), REQUEST).splitlines()[:-1]  # all but bench itself
        words = (sys.executable, str(HERE / "slurm_leader.py"), str(tmp_path / "plan.json"))
        lines = (*head, f"export TMPDIR={tmp_path}", f"exec {shlex.join(words)}", "")
        (tmp_path / "job.sh").write_text("\n".join(lines))
        job = cluster.run("sbatch", "--parsable", f"--chdir={tmp_path}", str(tmp_path / "job.sh")).strip()
        assert job.isdigit(), job
        return Leader(cluster, tmp_path, job)

    return submit


def nodes_of(folder: Path) -> list[str]:
    """On which node each agent of a launch was, as they said themselves."""
    lines = (line.split(": on ") for line in (folder / "srun.log").read_text().splitlines() if ": on " in line)
    return [node for _, node in sorted((int(number), node) for number, node in lines)]


def test_launches_of_one_two_and_three_nodes_run_one_after_the_other(lead, tmp_path):
    leader = lead((1, WELL), (2, WELL), (3, WELL))
    endings = leader.wait()
    assert [(each["status"], each["exit_codes"]) for each in endings] == [
        ("ok", [0]),
        ("ok", [0, 0]),
        ("ok", [0, 0, 0]),
    ], leader.log()
    assert [nodes_of(tmp_path / f"launch{number}.a0") for number in range(3)] == [
        ["n1"],
        ["n1", "n2"],
        ["n1", "n2", "n3"],
    ]


def test_a_rank_that_is_killed_on_another_node_is_named_and_the_next_launch_runs(lead):
    killed = STEPS.format(steps=1000, fault="if rank == 1 and step == 20: os.kill(os.getpid(), signal.SIGKILL)")
    leader = lead((3, killed), (3, WELL))
    first, second = leader.wait()
    assert (first["status"], first["failed_rank"]) == ("killed", 1), (first, leader.log())
    assert "at step 20 of 1000" in first["reason"]
    assert first["exit_codes"][1] == -9
    assert second["status"] == "ok"


def test_a_node_that_is_lost_is_a_row_that_names_it_and_launches_of_fewer_nodes_go_on(lead, cluster):
    leader = lead((3, LONG), (2, WELL), (3, WELL), (1, WELL))
    leader.wait_until_moving(0)
    cluster.lose("n2")
    lost_s = time.monotonic()
    try:
        wait_for(leader.endings, "the first launch has ended")
        took_s = time.monotonic() - lost_s
        lost, fewer, too_many, one = leader.wait()
        wait_for(lambda: not cluster.ours(), "nothing of ours runs, also on the lost node")
    finally:
        cluster.heal("n2")
    assert (lost["status"], lost["failed_rank"]) == ("lost", 1), (lost, leader.log())
    assert "Slurm has lost node n2" in lost["reason"]
    assert took_s < 30
    assert nodes_of(leader.folder / "launch1.a0") == ["n1", "n3"]
    assert fewer["status"] == one["status"] == "ok"
    assert (too_many["status"], too_many["failed_rank"]) == ("lost", None)
    assert too_many["reason"] == "the job has 2 nodes left, and this launch needs 3"


def test_scancel_leaves_no_process(lead, cluster):
    leader = lead((3, LONG))
    leader.wait_until_moving(0)
    assert cluster.ours()
    cluster.run("scancel", leader.job)
    leader.wait()
    wait_for(lambda: not cluster.ours(), "nothing of ours runs")


def test_a_requeue_starts_again_and_the_first_attempt_ends(lead, cluster):
    leader = lead((3, LONG))
    leader.wait_until_moving(0)
    first = {line.split()[0] for line in cluster.ours().splitlines()}
    assert first
    cluster.run("scontrol", "requeue", leader.job)
    wait_for(lambda: "PENDING" in cluster.run("squeue", "--noheader", "--format=%T"), "the job waits again")
    assert not cluster.ours()
    cluster.run("scontrol", "update", f"JobId={leader.job}", "StartTime=now")  # and not in two minutes
    leader.wait_until_moving(0, attempt=1)
    assert not first & {line.split()[0] for line in cluster.ours().splitlines()}
    assert leader.endings() == []
    cluster.run("scancel", leader.job)
    leader.wait()
    wait_for(lambda: not cluster.ours(), "nothing of ours runs")


def test_a_job_whose_first_node_dies_goes_back_into_the_queue(lead, cluster):
    leader = lead((3, LONG))
    leader.wait_until_moving(0)
    try:
        cluster.crash("n1")
        wait_for(lambda: "PENDING" in cluster.run("squeue", "--noheader", "--format=%T"), "the job waits again")
        wait_for(lambda: not cluster.ours(), "nothing of ours runs")
    finally:
        cluster.heal("n1")
    cluster.run("scontrol", "update", f"JobId={leader.job}", "StartTime=now")
    leader.wait_until_moving(0, attempt=1)
    cluster.run("scancel", leader.job)
    leader.wait()
    wait_for(lambda: not cluster.ours(), "nothing of ours runs")


@pytest.fixture
def commands(cluster, tmp_path, monkeypatch) -> Path:
    """Slurm's commands, for this process outside of the cluster."""
    cluster.write_commands(tmp_path / "commands")
    monkeypatch.setenv("PATH", f"{tmp_path / 'commands'}:{PATH}")
    return tmp_path / "commands"


@pytest.mark.usefixtures("commands")
def test_a_submitted_study_is_followed_and_ended_through_the_queue(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    setup = ("echo 'the words of the site'", "sleep 600")
    request = Request(**{**vars(REQUEST), "name": "two words", "options": {"setup": setup}})
    job = slurm.submit(("--version",), request, tmp_path / "50% study")
    wait_for(lambda: "RUNNING" in job.state(), "it runs")
    assert wait_for(job.log_tail, "it has written") == "the words of the site"
    job.cancel()
    wait_for(lambda: job.state() == "", "it is over")
    assert "CANCELLED" in job.log_tail()
    assert job.log.parent == tmp_path / "50% study"  # a % is Slurm's own in such names


@pytest.mark.usefixtures("commands")
def test_a_study_that_waits_is_drained_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    request = Request(**{**vars(REQUEST), "options": {"extra": ("--hold",)}})
    job = slurm.submit(("--version",), request, tmp_path / "study")
    assert "PENDING" in job.state()
    job.drain()
    wait_for(lambda: job.state() == "", "it is over")


@pytest.mark.usefixtures("commands")
def test_what_slurm_refuses_is_told_in_its_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    request = Request(**{**vars(REQUEST), "options": {"partition": "nowhere"}})
    with pytest.raises(SlurmError, match="invalid partition specified: nowhere"):
        slurm.submit(("--version",), request, tmp_path / "study")


KNOWN_ANSWER = """
[model]
name = "known-answer"
options = {{ sleep_ms = {sleep_ms} }}

[data]
name = "synthetic"
input_shape = [3, 8, 8]
classes = 10

[measure]
warmup = 2
steps = 10
rounds = {rounds}

[scale]
device = "cpu"
batch = 32
cores_per_rank = 1
"""
ON_THREE_NODES = ("--launcher", "slurm", "--nodes", "1,2,3", "--ranks-per-node", "1")
ON_THREE_RANKS = ("--ranks", "1,2,3", "--allow-oversubscribe", "--cores-per-rank", "1")
TRIES = 2  # a neighbour on the machine can make a sleep longer, and a wrong count is wrong in every try


def throughput_of_ranks(finished) -> dict[int, float]:
    """Samples/s of the rows that use DDP, by their number of ranks."""
    rows = (row for row in finished.json()["rows"] if row["strategy"] == "ddp")
    return {row["ranks"]: row["throughput"]["estimate"] for row in rows}


def test_a_study_over_nodes_reads_what_one_over_ranks_of_this_host_reads(run_bench, commands, tmp_path):
    profile = tmp_path / "asked.toml"
    profile.write_text(KNOWN_ANSWER.format(sleep_ms=1000, rounds=1))
    asked = ("scale", "--profile", profile, "--json")
    path = f"{commands}:{Path(sys.executable).parent}:{PATH}"
    found = []
    for _ in range(TRIES):
        nodes = throughput_of_ranks(run_bench(*asked, *ON_THREE_NODES, PATH=path, BENCH_WHEN_BUSY="share"))
        ranks = throughput_of_ranks(run_bench(*asked, *ON_THREE_RANKS, BENCH_WHEN_BUSY="share"))
        assert nodes.keys() == ranks.keys() == {1, 2, 3}
        print(f"by nodes {nodes}, by ranks of one host {ranks}")
        found.append((nodes, ranks))
        if nodes == pytest.approx(ranks, rel=0.03):
            return
    pytest.fail(f"not within 3 %: {found}")


def test_a_requeue_in_the_middle_of_a_study_runs_every_launch_once(environment, cluster, commands, tmp_path):
    profile = tmp_path / "asked.toml"
    profile.write_text(KNOWN_ANSWER.format(sleep_ms=300, rounds=1))
    path = f"{commands}:{Path(sys.executable).parent}:{PATH}"
    store = Path(environment["BENCH_STORE"])
    with subprocess.Popen(
        ("bench", "scale", "--profile", profile, "--json", *ON_THREE_NODES),
        cwd=tmp_path,
        env=environment | {"PATH": path, "BENCH_WHEN_BUSY": "share", "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as bench:

        def done() -> list[Path]:
            return sorted(store.glob("commits/*/[!.]*.json"))

        def begun() -> list[Path]:
            return sorted(store.glob("studies/*/logs/*/srun.log"))

        wait_for(lambda: len(begun()) > len(done()) >= 1, "one launch is done and another runs", timeout_s=900)
        (job,) = cluster.run("squeue", "--noheader", "--format=%i").split()
        before = done()
        cluster.run("scontrol", "requeue", job)
        wait_for(lambda: "PENDING" in cluster.run("squeue", "--noheader", "--format=%T"), "the job waits again")
        cluster.run("scontrol", "update", f"JobId={job}", "StartTime=now")  # and not in two minutes
        printed, progress = bench.communicate(timeout=1200)
    ran = SimpleNamespace(returncode=bench.returncode, stdout=printed, stderr=progress)
    assert_no_launch_failed(ran, store)
    assert len(before) < 5  # or nothing was left to repeat
    (study,) = (store / "studies").iterdir()
    planned = {each["launch_id"] for each in json.loads((study / "study.json").read_text())["launches"]}
    launches = load(store, "launches")
    well = launches[launches.status == "ok"]
    assert sorted(well.launch_id) == sorted(planned)
    assert {row["launches"] for row in json.loads(printed)["rows"]} == {1}
