"""Whole studies in seconds: real store, real local launcher, and ranks without torch that leave valid results."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

import launchers
from bench import study
from bench.dna.fingerprint import Fingerprint
from bench.dna.machine import Machine
from bench.plan import Configuration, Plan, Workload, in_rounds, to_json
from bench.store.commit import Store
from bench.worker import job
from launchers import Command, LaunchEnd, local
from tests.launchers.scripted_ranks import PRELUDE

STEPS, STEP_NS, BATCH = 60, 1_000_000, 8

RANK = """
import shutil
faults, template = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
strikes = [(at, what) for launch, culprit, at, what in faults if launch in folder.name and culprit == rank]
peers = join()
note_pid(f"helper{rank}", subprocess.Popen(["sleep", "600"]).pid)
heart.enter("window", 0, 60)
for step in range(60):
    for at, what in strikes:
        if at == step:
            (folder / "struck_ns").write_text(str(time.monotonic_ns()))
            exec(what)
    collective(peers)
    heart.beat(step + 1)
shutil.copy(template / "steps.npz", folder / f"rank{rank}.steps.npz")
told = json.loads((template / "result.json").read_text()) | {"rank": rank, "world_size": world_size}
(folder / f"rank{rank}.json").write_text(json.dumps(told))
"""


@dataclass(frozen=True, kw_only=True)
class Strike:
    """A statement that one rank of one launch runs before one step."""

    what: str
    launch: str  # r00p01
    rank: int
    step: int


def a_plan(study_id: str, ranks: tuple[int, ...], *, rounds: int = 1, stall_s: float = 1.5, seed: int = 0) -> Plan:
    """A study of one row for each of these numbers of ranks."""
    configurations = tuple(
        Configuration(
            strategy="ddp",
            ranks=count,
            device="cpu",
            backend="gloo",
            cores_per_rank=1,
            batch_per_rank=BATCH,
            batch_global=BATCH * count,
        )
        for count in ranks
    )
    return Plan(
        study_id=study_id,
        created_at="2026-11-22T08:24:00+00:00",
        command="bench scale",
        workload=Workload(model="known-answer", data="synthetic", steps=STEPS),
        scaling="weak",
        baseline=configurations[0],
        configurations=configurations,
        unrunnable=(),
        launches=in_rounds(study_id, configurations, rounds, seed),
        rounds=rounds,
        order_seed=seed,
        quick=True,
        margin=0.02,
        timeout_s=120.0,
        stall_s=stall_s,
        budget_s=None,
        oversubscribed=True,
        origins={},
        estimated_s=1.0,
        estimated_bytes=1000,
    )


class Nobody:
    """Watches, and says nothing."""

    def started(self, plan) -> None: ...
    def launch_started(self, planned, index, total) -> None: ...
    def beats(self, beats) -> None: ...
    def launch_ended(self, launch, log_tail="") -> None: ...
    def finished(self) -> None: ...


class Scripted:
    """The real local launcher, with another program in every rank. Remembers how each launch ended."""

    def __init__(self, folder: Path, strikes: tuple[Strike, ...]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.endings: list[LaunchEnd] = []
        self._script, self._faults, self._template = folder / "rank.py", folder / "faults.json", folder
        self._script.write_text(PRELUDE + RANK)
        faults = [(f".{each.launch}", each.rank, each.step, each.what) for each in strikes]
        self._faults.write_text(json.dumps(faults))
        leave_template(folder)

    def launch(self, command: Command, watch) -> LaunchEnd:
        argv = (sys.executable, "-P", str(self._script), str(self._faults), str(self._template))
        self.endings.append(local.launch(replace(command, argv=argv), watch))
        return self.endings[-1]

    def close(self) -> None: ...


def run(plan: Plan, store: Path, launcher: launchers.Launcher) -> Store:
    """Carry the plan out."""
    opened = Store.open(store)
    opened.create_study(to_json(plan))
    host = study.Host(
        launcher=launcher,
        machine=Machine(cpu_ids=(0, 1), pinnable=False, memory_bytes=2**34),
        fingerprint=Fingerprint(
            hw_id="hw", sw_id="sw", num_id=None, identity={}, conditions={}, software={}, unavailable={"num_id": "none"}
        ),
    )
    study.run(plan, opened, host, Nobody())
    return opened


def leave_template(folder: Path) -> None:
    """What a rank that ended well leaves, but for its number: made once, so that ranks need no numpy."""
    result = job.RankResult(
        rank=0,
        world_size=2,
        device_name="cpu",
        distinct_devices=1,
        threads=1,
        params=10,
        flop_per_sample=None,
        epoch_samples=None,
        first_step_monotonic_ns=0,
        compute_step_ns=None,
        closure_error=0.0,
        clock_ns_per_step=500.0,
        loss_first=2.3,
        loss_last=1.0,
        losses_finite=True,
        weights_moved=True,
        weights_equal=True,
        peak_memory_bytes=10**8,
        window_cpu_s=0.1,
        window_switches=3,
        epochs=[],
    )
    (folder / "result.json").write_text(json.dumps({"status": "ok", **asdict(result)}))
    same = np.ones(STEPS, dtype=np.int64)
    steps = np.arange(STEPS, dtype=np.int64)
    columns: Mapping[str, np.ndarray] = {
        "epoch": 0 * same,
        "step": steps,
        "in_window": (steps >= 5).astype(np.int64),
        "start_ns": steps * STEP_NS,
        "step_ns": STEP_NS * same,
        "data_wait_ns": 0 * same,
        "samples": BATCH * same,
        "steps": same,
    }
    np.savez(folder / "steps.npz", **columns)
