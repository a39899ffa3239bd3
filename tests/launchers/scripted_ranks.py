"""Real processes: ranks are short scripts without torch that speak the launcher's contract, and start in 0.1 s."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from launchers import Command, LaunchEnd
from launchers.environment import environment
from launchers.heartbeat import Beat

# `collective` is an all-reduce in small: rank 0 hears from all and answers all, over the socket that it was handed.
PRELUDE = """
import faulthandler, json, os, signal, socket, subprocess, sys, time
from pathlib import Path
from launchers.heartbeat import Heart

faulthandler.register(signal.SIGUSR1)
rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
folder = Path(os.environ["BENCH_RUN_FOLDER"])

def note_pid(name, pid):
    draft = folder / f"{name}.draft"
    draft.write_text(str(pid))
    draft.rename(folder / f"{name}.pid")

note_pid(f"rank{rank}", os.getpid())
heart = Heart(folder, rank)

def say(status, reason=None):
    told = {"status": status, "reason": reason, "monotonic_ns": time.monotonic_ns()}
    (folder / f"rank{rank}.json").write_text(json.dumps(told))

def join():
    if rank:
        return [socket.create_connection((os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])))]
    listener = socket.socket(fileno=int(os.environ["BENCH_LISTEN_FD"]))
    return [listener.accept()[0] for _ in range(world_size - 1)]

def hear(peer):
    if not peer.recv(1):
        raise ConnectionError("connection closed by peer")

def collective(peers):
    if rank:
        peers[0].send(b"x")
        hear(peers[0])
    else:
        for peer in peers:
            hear(peer)
        for peer in peers:
            peer.send(b"x")
"""


def alive(pid: int) -> bool:
    """Whether a process still runs; a zombie that nobody has collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass(frozen=True, kw_only=True)
class Launched:
    """A launch that has ended, and the folder it left."""

    ending: LaunchEnd
    folder: Path

    @property
    def pids(self) -> list[int]:
        """Every process that noted itself down."""
        return [int(file.read_text()) for file in self.folder.glob("*.pid")]

    @property
    def survivors(self) -> list[int]:
        return [pid for pid in self.pids if alive(pid)]


def command_for(
    folder: Path,
    body: str,
    *,
    ranks: int,
    cores: tuple[tuple[int, ...], ...] | None = None,
    timeout_s: float = 120,
    stall_s: float = 120,
) -> Command:
    """A launch of `body` after the prelude, in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "rank.py"
    script.write_text(PRELUDE + body)
    return Command(
        argv=(sys.executable, "-P", str(script)),
        ranks=ranks,
        folder=folder,
        environment=environment({}),
        cores=cores,
        timeout_s=timeout_s,
        stall_s=stall_s,
    )


def nobody_watches(beats: Sequence[Beat]) -> None:
    pass
