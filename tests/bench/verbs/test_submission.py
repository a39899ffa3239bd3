"""A study that another process runs. The queue is a stand-in; real ones are in tests/launchers."""

import os
import signal
from types import SimpleNamespace

import pytest

from bench.errors import CannotError, UsageError
from bench.plan import to_json
from bench.settings import resolve
from bench.store import schema
from bench.store.commit import Store
from bench.store.schema import LaunchRows
from bench.verbs import study_request, submission
from bench.verbs.study_flags import Options
from launchers import Request

REQUEST = Request(name="2611220824-lenet-0a1b", nodes=2, ranks_per_node=1, cores_per_rank=1, gpus_per_node=0)


class Queue:
    """A job that is over after as many looks as it is told; calls `during(look)` at each."""

    name = "42"

    def __init__(self, looks: int, during=lambda look: None) -> None:
        self.looks, self.during, self.seen, self.heard = looks, during, 0, []

    def state(self) -> str:
        self.seen += 1
        self.during(self.seen)
        return "RUNNING" if self.seen <= self.looks else ""

    def drain(self) -> None:
        self.heard.append("drain")

    def cancel(self) -> None:
        self.heard.append("cancel")

    def log_tail(self) -> str:
        return "first\nsecond\nsrun: error: the last word"


@pytest.fixture
def handed_over(tmp_path, monkeypatch):
    """Hands a study over to a queue and waits for it."""
    monkeypatch.setattr(submission, "_LOOK_EVERY_S", 0.001)

    def run(queue: Queue) -> None:
        module = SimpleNamespace(submit=lambda words, request, folder: queue)
        submission.hand_over(("scale",), REQUEST, module, tmp_path / "store")

    return run


@pytest.fixture
def committed(tmp_path, a_plan, a_launch):
    """Puts a launch of the study into the store, as the job would."""

    def commit() -> None:
        store = Store.open(tmp_path / "store")
        store.create_study(to_json(a_plan()))
        launch = a_launch(a_plan(), 0)
        store.commit(LaunchRows(launch=launch))
        assert launch.status == schema.OK

    return commit


def test_the_queue_is_waited_for_and_what_it_does_is_told(handed_over, committed, capsys) -> None:
    handed_over(Queue(3, lambda look: committed() if look == 2 else None))
    stderr = capsys.readouterr().err
    assert "handed over as job 42" in stderr
    assert "RUNNING · 0 launches done" in stderr
    assert "RUNNING · 1 launches done" in stderr


def test_a_job_that_left_nothing_is_an_error_with_its_last_words(handed_over) -> None:
    with pytest.raises(CannotError, match="job 42 has ended without a result") as refused:
        handed_over(Queue(1))
    assert "srun: error: the last word" in refused.value.message
    assert len(refused.value.lines) <= 4


def test_ctrl_c_once_has_the_job_drain_and_twice_cancels_it(handed_over, committed) -> None:
    queue = Queue(5, lambda look: os.kill(os.getpid(), signal.SIGINT) if look in {2, 4} else None)
    with pytest.raises(KeyboardInterrupt):
        handed_over(queue)
    assert queue.heard == ["drain", "cancel"]


def test_a_launcher_asks_for_what_the_settings_say(tmp_path) -> None:
    (tmp_path / "bench.toml").write_text('[slurm]\npartition = "gpu"\nsetup = ["module load cuda"]\n')
    flags = {"model": "lenet-small", "nodes": "1,4", "launcher": "slurm", "ranks_per_node": "2"}
    settings = resolve(flags, {}, tmp_path, user_file=tmp_path / "none.toml")
    asked = study_request.StudyRequest(
        options=Options(flags=flags, words=("scale",)),
        one_row=False,
        settings=settings,
        gates=(),
        study_id="name",
        is_named_outside=False,
    )
    request = asked.for_launcher()
    assert (request.name, request.nodes, request.ranks_per_node, request.gpus_per_node) == ("name", 4, 2, 0)
    assert request.options["partition"] == "gpu"
    assert request.options["setup"] == ("module load cuda",)
    assert "account" not in request.options


def test_what_is_for_this_terminal_does_not_travel() -> None:
    typed = ("scale", "--model", "lenet", "--json", "--launcher", "slurm", "--dry-run")
    assert study_request.forwarded_words(typed, "slurm") == ("scale", "--model", "lenet", "--launcher", "slurm")
    assert study_request.forwarded_words(("scale", "--rdzv", "a:1", "--quick"), "torchrun") == ("scale", "--quick")
    assert study_request.forwarded_words(("scale", "--rdzv=a:1", "--quick"), "torchrun") == ("scale", "--quick")


def test_a_study_named_from_outside_must_be_an_id(monkeypatch) -> None:
    monkeypatch.setenv("BENCH_STUDY", "../elsewhere")
    with pytest.raises(UsageError, match="BENCH_STUDY"):
        study_request.given_study()
