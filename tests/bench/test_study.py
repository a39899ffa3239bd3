"""How a plan is carried out. A stand-in for the launcher leaves what ranks would; the rest is real."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest

from bench import health, recovery, study
from bench.dna.fingerprint import Fingerprint
from bench.dna.machine import Machine
from bench.errors import BenchError, CannotError
from bench.outcome import reasons
from bench.outcome.measured import energy_j, read_ranks
from bench.outcome.rows import beside
from bench.plan import in_rounds, to_json
from bench.store import index, packs, read
from bench.store.commit import Store
from bench.store.layout import Layout
from bench.worker import job
from launchers import LaunchEnd

STEP_NS, STEPS, BATCH = 10_000_000, 40, 64

FINGERPRINT = Fingerprint(
    hw_id="hw", sw_id="sw", num_id=None, identity={}, conditions={}, software={}, unavailable={"num_id": "not yet"}
)


class Quiet:
    """Hears everything and says nothing."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def started(self, plan) -> None:
        self.heard.append("started")

    def launch_started(self, planned, number, total) -> None:
        self.heard.append(f"launch {number + 1} of {total}")

    def beats(self, beats) -> None: ...

    def launch_ended(self, launch, log_tail="") -> None:
        self.heard.append(launch.status)

    def finished(self) -> None:
        self.heard.append("finished")


class StandIn:
    """A launcher whose ranks take 10 ms a step, unless told otherwise for the nth launch (from 0)."""

    def __init__(self, **endings) -> None:
        self.calls = 0
        self.endings = {int(name.removeprefix("nth_")): ending for name, ending in endings.items()}

    def close(self) -> None: ...

    def launch(self, command, watch) -> LaunchEnd:
        found = self.endings.get(self.calls, "ok")
        self.calls += 1
        if isinstance(found, BaseException):
            raise found
        for rank in range(command.ranks):
            if found == "refused":
                refusal = {"status": "refused", "reason": "no such callable", "hint": "look again", "exit_code": 2}
                job.write_result(command.folder, rank, refusal)
            elif found == "ok":
                self.leave(command.folder, rank, command.ranks)
        status = "crash" if found == "refused" else found
        return LaunchEnd(
            status=status,
            reason=None if status == "ok" else "told so",
            failed_rank=None if status == "ok" else 0,
            exit_codes=(0,) * command.ranks,
            duration_s=1.0,
            supervisor_cpu_s=0.001,
            log_tail="",
        )

    def leave(self, folder, rank, ranks) -> None:
        result = job.RankResult(
            rank=rank,
            world_size=ranks,
            device_name="cpu",
            distinct_devices=ranks,
            threads=1,
            params=10,
            flop_per_sample=None,
            epoch_samples=1437,
            first_step_monotonic_ns=0,
            closure_error=0.0001,
            clock_ns_per_step=500.0,
            compute_step_ns=8_000_000 if ranks > 1 else None,
            gradient_error=1e-7 if ranks > 1 and rank == 0 else None,
            loss_first=2.3,
            loss_last=1.0,
            losses_finite=True,
            weights_moved=True,
            weights_equal=True if ranks > 1 else None,
            peak_memory_bytes=10**8,
            window_cpu_s=1.0,
            window_switches=3,
            hardware_tag=None,
            boot_tag=None,
            epochs=[],
        )
        job.write_result(folder, rank, {"status": "ok", **asdict(result)})
        steps = np.arange(STEPS, dtype=np.int64)
        same = np.ones(STEPS, dtype=np.int64)
        np.savez(
            job.steps_file(folder, rank),
            epoch=0 * same,
            step=steps,
            in_window=(steps >= 5).astype(np.int64),
            start_ns=steps * STEP_NS,
            step_ns=STEP_NS * same,
            data_wait_ns=0 * same,
            samples=BATCH * same,
            steps=same,
        )


@pytest.mark.parametrize("few_are_many", [True, False])
def test_a_study_of_many_launches_ends_with_a_pack_that_is_renewed_when_it_is_gone_on_with(
    carry_out, monkeypatch, few_are_many
):
    monkeypatch.setattr(packs, "FEWEST_LAUNCHES", 1 if few_are_many else 5)
    launcher = StandIn()
    store, _, plan = carry_out(launcher, draining=lambda: launcher.calls == 2)
    seen = [packs.find(Layout(store.path), index.markers(store.path, plan.study_id))]
    carry_out(launcher, plan, again=True)
    seen.append(packs.find(Layout(store.path), index.markers(store.path, plan.study_id)))
    assert [each and each.launches for each in seen] == ([2, 4] if few_are_many else [None, None])
    assert len(list(store.path.glob("packs/*/*.json"))) == few_are_many


@pytest.fixture
def carry_out(tmp_path, a_plan):
    """Runs a plan of two rows and two rounds; returns the store, the watcher and the plan."""

    def run(launcher: StandIn, plan=None, *, again: bool = False, draining=lambda: False, shares_gpus: bool = False):
        store = Store.open(tmp_path / "store")
        plan = plan or a_plan()
        if not again:
            store.create_study(to_json(plan))
        machine = Machine(cpu_ids=(0, 1), pinnable=True, memory_bytes=2**34)
        watcher = Quiet()
        host = study.Host(launcher=launcher, machine=machine, fingerprint=FINGERPRINT, shares_gpus=shares_gpus)
        study.run(plan, store, host, watcher, draining)
        return store, watcher, plan

    return run


def test_every_launch_is_committed_as_it_ends_and_read_back_as_a_table(carry_out) -> None:
    store, watcher, plan = carry_out(StandIn())
    launches = read.launches(store.path, plan.study_id)
    assert [launch.launch_id for launch in launches] == [planned.launch_id for planned in plan.launches]
    assert {launch.throughput_sps for launch in launches} == {BATCH / 0.010, 2 * BATCH / 0.010}
    assert watcher.heard[0] == "started"
    assert watcher.heard[-1] == "finished"
    found = study.analyse(store.path, plan.study_id)
    assert {row.configuration.strategy: row.speedup.estimate for row in found.rows if row.speedup} == pytest.approx(
        {"single": 1.0, "ddp": 2.0}
    )


@pytest.mark.parametrize(("shares", "launches"), [(False, 1), (True, 4)])
def test_memory_that_a_card_does_not_get_back_stops_the_next_launch_and_not_one_that_is_done(
    carry_out, monkeypatch, shares, launches
):
    # Found on a GPU: beside other programs a training that had ended well was told as "this machine cannot".
    kept = health.Check(name="gpu_memory_returned", level="refusal", text="GPU 0 holds 2 GiB more", fix="kill 7")
    monkeypatch.setattr(health, "cards", lambda *_: (0,))
    monkeypatch.setattr(health.GpuMemory, "before", lambda cards: health.GpuMemory(used_bytes=dict.fromkeys(cards, 0)))
    monkeypatch.setattr(health, "postflight", lambda memory: [kept] if memory.used_bytes else [])
    launcher = StandIn()
    if shares:
        carry_out(launcher, shares_gpus=True)
    else:
        with pytest.raises(CannotError, match="holds 2 GiB more"):
            carry_out(launcher)
    assert launcher.calls == launches


def test_after_the_last_launch_nothing_is_asked_of_a_card(carry_out, a_plan, monkeypatch):
    monkeypatch.setattr(health, "cards", lambda *_: (0,))
    monkeypatch.setattr(health.GpuMemory, "before", lambda cards: health.GpuMemory(used_bytes=dict.fromkeys(cards, 0)))
    monkeypatch.setattr(health, "postflight", lambda memory: pytest.fail("asked") if memory.used_bytes else [])
    plan = a_plan()
    _, watcher, _ = carry_out(StandIn(), replace(plan, launches=plan.launches[:1]))
    assert watcher.heard[-2:] == ["ok", "finished"]


def test_all_launches_of_a_round_train_from_its_seed_and_their_rows_say_which(carry_out, a_plan) -> None:
    plan = a_plan()
    launches = in_rounds(plan.study_id, plan.configurations, 2, order_seed=7, seeds=(5, 6))
    store, _, plan = carry_out(StandIn(), replace(plan, launches=launches, seeds=(5, 6)))
    rows = read.launches(store.path, plan.study_id)
    assert [(each.round, each.seed) for each in rows] == [(0, 5), (0, 5), (1, 6), (1, 6)]
    for each in rows:
        read_job = job.Job.read(Layout(store.path).logs(plan.study_id) / each.launch_id / job.JOB)
        assert read_job.workload == replace(plan.workload, seed=each.seed)


def test_an_epoch_says_when_it_was_evaluated_since_the_processes_and_since_the_first_step(tmp_path) -> None:
    """Two ranks; 40 steps of 10 ms in two epochs, of which the second ends with the slower rank's last step."""
    for rank, late_ns in ((0, 0), (1, 5_000_000)):
        StandIn().leave(tmp_path, rank, 2)
        with np.load(job.steps_file(tmp_path, rank)) as stored:
            arrays = dict(stored)
        arrays["epoch"] = (arrays["step"] >= 20).astype(np.int64)
        arrays["start_ns"] = arrays["start_ns"] + late_ns
        np.savez(job.steps_file(tmp_path, rank), **arrays)
    found = job.read_result(tmp_path, 0)
    whole = {"train_s": 0.2, "evaluate_s": 0.5, "samples": 1, "learning_rate": 0.1, "train_loss": 1.0, "classes": []}
    whole |= {"train_top1": 0.5, "validation_loss": 1.0, "top1": 0.5, "top5": None, "validation_samples": 1}
    found["epochs"] = [{"epoch": number, **whole} for number in (0, 1)]
    job.write_result(tmp_path, 0, found)
    launch = SimpleNamespace(status="ok", study_id="s", launch_id="s.r00p00", startup_s=3.0)
    epochs = beside(launch, read_ranks(tmp_path, 2), None).epochs
    assert [each.warm_s for each in epochs] == pytest.approx([0.705, 0.905])
    assert [each.cold_s for each in epochs] == pytest.approx([3.705, 3.905])


def test_the_throughput_of_a_launch_knows_nothing_of_its_warm_up(carry_out) -> None:
    store, _, plan = carry_out(StandIn())
    launch = read.launches(store.path, plan.study_id)[0]
    assert (launch.warmup_steps, launch.window_steps) == (5, 35)
    assert launch.window_samples == 35 * BATCH * launch.ranks
    assert launch.window_ns == 35 * STEP_NS


def test_a_launch_that_failed_is_a_row_with_its_reason_and_no_number(carry_out) -> None:
    store, _, plan = carry_out(StandIn(nth_1="hang"))
    launch = read.launches(store.path, plan.study_id)[1]
    assert (launch.status, launch.failed_rank, launch.throughput_sps) == ("hang", 0, None)
    assert json.loads(launch.unavailable)["throughput_sps"] == "the launch ended as hang"


def test_what_is_missing_is_null_with_a_reason_and_never_zero(carry_out) -> None:
    store, _, plan = carry_out(StandIn())
    for launch in read.launches(store.path, plan.study_id):
        why = json.loads(launch.unavailable)
        for name in ("energy_j", "flop_per_sample", "num_id"):
            assert getattr(launch, name) is None
            assert why[name]


def test_the_joules_of_a_launch_are_those_of_all_ranks_or_none() -> None:
    def ranks(*found):
        return [SimpleNamespace(energy_j=joules, energy_gap=gap) for joules, gap in found]

    assert energy_j(ranks((30.0, None), (None, None), (12.5, None))) == 42.5
    lost = ranks((30.0, None), (None, "NVIDIA driver: Not Supported"))
    assert energy_j(lost) is None  # a part is not the whole
    assert reasons.why_no_energy(lost) == "NVIDIA driver: Not Supported"


def test_ctrl_c_keeps_what_is_finished_and_resume_runs_only_the_rest(carry_out) -> None:
    with pytest.raises(KeyboardInterrupt):
        carry_out(StandIn(nth_2=KeyboardInterrupt()))
    rest = StandIn()
    store, watcher, plan = carry_out(rest, again=True)
    assert rest.calls == 2
    assert watcher.heard == ["started", "launch 3 of 4", "ok", "launch 4 of 4", "ok", "finished"]
    assert len(read.launches(store.path, plan.study_id)) == 4
    third = plan.launches[2].launch_id
    folders = sorted(folder.name for folder in Layout(store.path).logs(plan.study_id).glob(f"{third}*"))
    assert folders == [third, f"{third}.a1"]  # what the attempt that was broken off left is still there
    statuses = [(marker.attempt, marker.status) for marker in index.every_marker(store.path, plan.study_id)]
    assert sorted(statuses) == [(0, "cancelled"), (0, "ok"), (0, "ok"), (0, "ok"), (1, "ok")]


def test_what_nobody_measured_of_a_launch_that_was_broken_off_is_null(carry_out, tmp_path) -> None:
    with pytest.raises(KeyboardInterrupt):
        carry_out(StandIn(nth_0=KeyboardInterrupt()))
    store = tmp_path / "store"
    (launch,) = read.launches(store, index.studies(store)[0])
    assert (launch.status, launch.supervisor_cpu, launch.throughput_sps) == ("cancelled", None, None)


def test_a_study_that_drains_begins_no_further_launch(carry_out) -> None:
    launcher = StandIn()
    store, watcher, plan = carry_out(launcher, draining=lambda: launcher.calls == 2)
    assert watcher.heard == ["started", "launch 1 of 4", "ok", "launch 2 of 4", "ok", "finished"]
    assert len(index.unsettled(store.path, plan)) == 2


def test_a_launch_that_another_process_has_given_up_keeps_its_result_and_is_counted_once(carry_out, tmp_path) -> None:
    class Fenced(StandIn):
        def launch(self, command, watch):
            ending = super().launch(command, watch)
            store = Store.open(tmp_path / "store")
            recovery.close_stale(store, index.studies(store.path)[0], force=True)
            return ending

    with pytest.warns(index.StoreWarning, match="its result is kept as attempt 1"):
        carry_out(Fenced())
    store = tmp_path / "store"
    launches = read.launches(store, index.studies(store)[0])
    assert [(launch.status, launch.attempt) for launch in launches] == [("ok", 1)] * 4
    assert "given up as lost by another process" in launches[0].warnings[-1]
    assert not any(vars(recovery.recover(store)).values()), "nothing is left to recover"


def test_a_workload_that_cannot_be_had_stops_the_study_at_its_first_launch(carry_out, tmp_path) -> None:
    launcher = StandIn(nth_0="refused")
    with pytest.raises(BenchError, match="no such callable") as refused:
        carry_out(launcher)
    assert (refused.value.code, refused.value.hint) == (2, "look again")
    assert launcher.calls == 1
    (launch,) = read.launches(tmp_path / "store", index.studies(tmp_path / "store")[0])
    assert (launch.status, launch.reason) == ("cancelled", "no such callable")


def test_a_budget_ends_the_study_after_a_complete_round(carry_out, a_plan, monkeypatch) -> None:
    clock = SimpleNamespace(now=0.0)

    class Slow(StandIn):
        def launch(self, command, watch):
            clock.now += 10.0
            return super().launch(command, watch)

    monkeypatch.setattr(study.time, "monotonic", lambda: clock.now)
    store, _, plan = carry_out(Slow(), a_plan(budget_s=35.0))
    assert [launch.round for launch in read.launches(store.path, plan.study_id)] == [0, 0]  # two rounds would take 40 s


def test_every_rank_gets_its_own_cores_and_as_many_threads(a_plan, tmp_path) -> None:
    machine = Machine(cpu_ids=(0, 1), pinnable=True, memory_bytes=2**34)
    host = study.Host(launcher=StandIn(), machine=machine, fingerprint=FINGERPRINT)
    for planned, command in zip(a_plan().launches, study.commands(a_plan(), host, tmp_path), strict=True):
        assert command.ranks == planned.configuration.processes == len(command.cores)
        assert len({core for cores in command.cores for core in cores}) == command.ranks
        assert command.environment["OMP_NUM_THREADS"] == "1"
        assert command.argv[1:5] == ("-P", "-m", "scaling_bench.module", "bench.worker")
