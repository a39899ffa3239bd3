"""Two hosts that share a store, and what they do to it, as a program:

    python two_hosts.py WORK SECONDS SEED

Each host is a network namespace with a boot id and a network card's address of its own (the same address on both, as
containers of one image have), and processes of its own. They run studies, resume each other's, recover and pull; some
are killed, and some stand still for longer than their lease, so that the others take them for dead. Each says what it
knows to be finished or committed in WORK/told.*. The launcher is a stand-in that leaves in a second at most what ranks
would; everything else is real. Needs root on Linux.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
import uuid
from pathlib import Path

import pandas as pd  # noqa: F401 - pyarrow would import it in every fork anew

from bench import recovery, resuming, study
from bench.dna.fingerprint import Fingerprint
from bench.dna.machine import Machine
from bench.errors import CannotError
from bench.plan import to_json
from bench.store import attempts, fsops, index, packing
from bench.store.commit import Store
from bench.store.place import Place
from bench.store.transfer import transfer
from launchers import LaunchEnd
from tests.faults import scripted_studies

LEASE_S = 1.5
WRITERS, OTHERS = 3, ("recover", "pull")
UNFINISHED = 3  # studies at a time, between both hosts
BOX = """
ip link set lo up
ip link add eth0 type veth peer name outer && ip link set eth0 address 02:42:ac:11:00:02 && ip link set eth0 up
[ ! -e /etc/machine-id ] || mount --bind /dev/null /etc/machine-id
mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"
"""


_keep = recovery.keep


class StandIn:
    """A launcher that leaves what two ranks would, after a while; the length of the launch tells it from all others."""

    def __init__(self, work: Path, rng: random.Random) -> None:
        self._work, self._rng = work, rng

    def close(self) -> None: ...

    def launch(self, command, _) -> LaunchEnd:
        time.sleep(self._rng.choice((0.02, 0.1, 0.3, 1.0)))
        result = json.loads((self._work / "result.json").read_text())
        for rank in range(command.ranks):
            (command.folder / f"rank{rank}.steps.npz").write_bytes((self._work / "steps.npz").read_bytes())
            mine = result | {"rank": rank, "world_size": command.ranks}
            (command.folder / f"rank{rank}.json").write_text(json.dumps(mine))
        return LaunchEnd(
            status="ok",
            reason=None,
            failed_rank=None,
            exit_codes=(0,) * command.ranks,
            duration_s=self._rng.randrange(1, 2**50) / 2**20,
            supervisor_cpu_s=0.0,
            log_tail="",
        )


class Teller(scripted_studies.Nobody):
    """Says what is committed as soon as whoever runs the study knows it."""

    def __init__(self, work: Path) -> None:
        self.file = (work / f"told.{uuid.uuid4().hex}").open("a", buffering=1)

    def tell(self, what: str, launch) -> None:
        self.file.write(f"{json.dumps([what, launch.launch_id, launch.attempt, launch.total_s, launch.status])}\n")

    def launch_ended(self, launch, log_tail="") -> None:
        self.tell("committed", launch)


def write(work: Path, rng: random.Random) -> None:
    """Run a study, a new one or one that somebody left; as `bench run` and `bench run --resume` do."""
    store, teller = Store.open(work / "store"), Teller(work)

    def kept(folder, rows) -> None:
        _keep(folder, rows)
        teller.tell("finished", rows.launch)

    recovery.keep = kept
    nothing = Fingerprint(hw_id="hw", sw_id="sw", num_id=None, identity={}, conditions={}, software={}, unavailable={})
    machine = Machine(cpu_ids=(0, 1), pinnable=False, memory_bytes=2**34)
    host = study.Host(launcher=StandIn(work, rng), machine=machine, fingerprint=nothing)
    plans = [index.plan(store.path, study_id) for study_id in index.studies(store.path)]
    left = [plan for plan in plans if index.unsettled(store.path, plan, [])]
    if len(left) >= UNFINISHED:
        plan = rng.choice(left)
        resuming.prepare_resume(store, plan.study_id)
    else:
        plan = scripted_studies.a_plan(f"hammer-{uuid.uuid4().hex[:12]}", (2,), rounds=8)
        store.create_study(to_json(plan))
    study.run(plan, store, host, teller)


def recover(work: Path, rng: random.Random) -> None:
    time.sleep(rng.uniform(0.1, 1.0))
    recovery.recover(work / "store")


def pull(work: Path, rng: random.Random) -> None:
    time.sleep(rng.uniform(0.5, 2.0))
    mine = work / f"pulled.{rng.randrange(2)}"
    transfer(Place.at(str(work / "store")), Place.at(str(mine)))


def act(work: Path, role: str, seed: int) -> int:
    """A fork: one thing after another until the end; what is refused with words is part of the game."""
    rng, code = random.Random(seed), 0
    sys.stdout = sys.stderr = (work / f"said.{role}.{os.getpid()}.{seed}").open("a", buffering=1)
    try:
        while not (work / "stop").exists():
            with contextlib.suppress(CannotError):
                {"write": write, "recover": recover, "pull": pull}[role](work, rng)
    except BaseException:  # noqa: BLE001 - a fork must end here, whatever happens
        traceback.print_exc()
        code = 70
        (work / f"bug.{seed}").write_text(traceback.format_exc())
    return code


def host(work: Path, seconds: float, seed: int) -> None:
    """Keep this host's processes going, killing and stopping some, until time is up; all are let end then."""
    rng, ends = random.Random(seed), time.monotonic() + seconds
    children: dict[int, str] = {}
    stopped: dict[int, float] = {}

    def begin(role: str) -> None:
        number = rng.randrange(2**40)
        pid = os.fork()
        if pid == 0:
            os._exit(act(work, role, number))
        children[pid] = role

    for role in ("write",) * WRITERS + OTHERS:
        begin(role)
    while time.monotonic() < ends:
        time.sleep(rng.uniform(0.1, 0.6))
        for pid, until in list(stopped.items()):
            if time.monotonic() > until:
                del stopped[pid]
                os.kill(pid, signal.SIGCONT)
        pid = rng.choice(list(children))
        if rng.random() < 0.3 and pid not in stopped and children[pid] == "write":
            os.kill(pid, signal.SIGSTOP)
            stopped[pid] = time.monotonic() + rng.uniform(0.5, 4.0) * LEASE_S
        elif rng.random() < 0.4 and pid not in stopped:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            stopped.pop(pid, None)
            (work / f"killed.{seed}.{pid}").touch()
            begin(children.pop(pid))
    (work / "stop").touch()
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    for pid in children:
        os.waitpid(pid, 0)


def main(work: Path, seconds: float, seed: int) -> int:
    scripted_studies.leave_template(work)
    Store.open(work / "store")
    hosts = []
    for number in range(2):
        boot = work / f"boot.{number}"
        boot.write_text(f"{uuid.UUID(int=seed * 2 + number)}\n")
        own = (sys.executable, __file__, "host", str(work), str(seconds), str(seed * 2 + number))
        box = (
            "unshare",
            "-m",
            "-n",
            "-p",
            "-f",
            "--mount-proc",
            "bash",
            "-c",
            BOX,
            "box",
            str(work / f"boot.{number}"),
        )
        hosts.append(subprocess.Popen((*box, *own)))
    return max(each.wait() for each in hosts)


if __name__ == "__main__":
    fsops._sync = lambda _: None  # SIGKILL takes nothing that the kernel has: there is no need to wait for a disk
    attempts.LEASE_S = LEASE_S
    packing.pack = lambda *_: False  # a copy of what is looked at here
    words = sys.argv[1:]
    if words[0] == "host":
        host(Path(words[1]), float(words[2]), int(words[3]))
    else:
        sys.exit(main(Path(words[0]), float(words[1]), int(words[2])))
