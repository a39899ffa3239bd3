"""The agent of a node: runs this node's ranks of every launch that the leader of a study orders, and reports.

    python -P -m launchers.agent HOST:PORT [--node N]

Needs no torch. The node's number comes from the scheduler (GROUP_RANK or SLURM_PROCID) unless given; the key from
BENCH_AGENT_KEY. When the leader is gone, or silent for 10 s, all ranks of this node end, and the agent leaves.
"""

import argparse
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import psutil

from launchers import Command
from launchers.processes import LocalRankPool, NodeSpec, listen
from launchers.rank_pool import Death, StartError
from launchers.scratch import scratch
from launchers.wire import KEY_NAME, SILENCE_S, Message, NoConnectionError, Wire, connect, key_of, pieces_of, save_piece

CONNECT_S = 120.0  # for a leader that starts later than we do
_BEATS_S = 0.25
_STACKS_S = 0.2  # for ranks that are asked where they are to write it
_LOOK_S = 0.1  # how late an order may be obeyed; a death is seen at once
_INTERFACE_NAMES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


class Refused(NoConnectionError):  # noqa: N818 - said by the leader, and no fault of the connection
    """The leader does not want this node."""


def main() -> int:
    """Connect, and serve until the leader says goodbye."""
    parser = argparse.ArgumentParser(prog="launchers.agent", description="Run the ranks of one node.")
    parser.add_argument("leader", metavar="HOST:PORT")
    parser.add_argument("--node", type=int, default=None)
    asked = parser.parse_args()
    host, _, port = asked.leader.rpartition(":")
    try:
        node = asked.node if asked.node is not None else node_of(os.environ)
        return follow(host, int(port), node=node, key=key_of(os.environ))
    except (LookupError, ValueError, OSError) as error:
        print(f"agent: {error}", file=sys.stderr)
        return 1


def node_of(environ: Mapping[str, str]) -> int:
    """The number of this node, as torchrun or Slurm has set it.

    Raises:
        LookupError: neither has.
    """
    for name in ("GROUP_RANK", "SLURM_PROCID"):
        if name in environ:
            return int(environ[name])
    raise LookupError("which node is this? Neither GROUP_RANK nor SLURM_PROCID is set, and --node N was not given")


def follow(host: str, port: int, *, node: int, key: bytes, patience_s: float = CONNECT_S) -> int:
    """Serve the leader who listens there. Returns 0 after its goodbye, 1 when it vanished.

    Raises:
        NoConnectionError: there is no leader, it has another key, or another process is this node already.
    """
    os.environ.pop(KEY_NAME, None)  # ours, not the ranks'
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        return _serve(connect(host, port, key, patience_s=patience_s), node)
    finally:
        signal.signal(signal.SIGTERM, before)


def _serve(wire: Wire, node: int) -> int:
    with closing(wire):
        wire.send("hello", node=node, host=socket.gethostname())
        answer = wire.recv(SILENCE_S)
        if answer is None or answer.kind != "welcome":
            raise Refused(f"the leader does not take node {node}: {answer.facts.get('why') if answer else 'silence'}")
        return 0 if _Service(wire, node).serve() else 1


class _Service:
    """This node's side of a study."""

    def __init__(self, wire: Wire, node: int) -> None:
        self._wire, self._node = wire, node
        self._orders: SimpleQueue[Message | None] = SimpleQueue()

    def serve(self) -> bool:
        """Obey until the leader says goodbye; False when the leader was gone first."""
        # Only the main thread starts ranks: the kernel ends a rank with the thread that started it.
        listener = threading.Thread(target=self._listen, name="orders", daemon=True)
        listener.start()
        order: Message | None = None
        try:
            while (order := self._orders.get()) is not None and order.kind != "goodbye":
                with scratch() as folder:
                    _NodeLaunch(self._wire, self._orders, self._node, folder).run(order)
        except ConnectionError:
            return False
        finally:
            self._wire.shutdown()
            listener.join()
        return order is not None

    def _listen(self) -> None:
        with suppress(ConnectionError):
            while (message := self._wire.recv(SILENCE_S)) is not None:
                if message.kind == "ping":
                    self._wire.send("pong")
                else:
                    self._orders.put(message)
        self._orders.put(None)


class _NodeLaunch:
    """This node's part of one launch, in a folder of its own."""

    def __init__(self, wire: Wire, orders: "SimpleQueue[Message | None]", node: int, folder: Path) -> None:
        self._wire, self._orders, self._node, self._folder = wire, orders, node, folder
        self._pool: LocalRankPool | None = None
        self._spec: NodeSpec | None = None
        self._sent: dict[str, tuple[int, int]] = {}  # files the leader has, as they were then
        self._beats_s = 0.0

    def run(self, order: Message | None) -> None:
        """Obey, from the first file of a launch to its end.

        Raises:
            ConnectionError: the leader is gone. All ranks of this node have been ended.
        """
        try:
            while True:
                if order is not None and self._obey(order):
                    return
                self._report()
                order = self._next()
        finally:
            if self._pool is not None:
                self._pool.end(0.0)

    def _next(self) -> Message | None:
        """The next order; None when none has come yet."""
        try:
            # While ranks live, time is spent waiting for their deaths instead.
            order = self._orders.get(block=self._pool is None or not self._pool.living)
        except Empty:
            return None
        if order is None:
            raise ConnectionError("the leader is gone")
        return order

    def _obey(self, order: Message) -> bool:
        """Carry an order out; returns whether the launch is over."""
        pool, facts = self._pool, order.facts
        match order.kind:
            case "file":
                save_piece(order, self._folder)
            case "launch":
                self._start(facts)
            case "signal" if pool is not None:
                pool.signal([rank for rank in facts["ranks"] if rank in pool.living], signal.Signals(facts["number"]))
                if facts["number"] == signal.SIGUSR1:  # the leader judges by what they say
                    time.sleep(_STACKS_S)
                    self._send_files("rank*.log")
            case "states" if pool is not None:
                states = pool.states([rank for rank in facts["ranks"] if rank in pool.living])
                self._wire.send("states", states=list(states.items()))
            case "end":
                self._end(facts["polite_s"])
                return True
        return False

    def _start(self, order: Mapping[str, Any]) -> None:
        self._sent = {file.name: _version(file) for file in self._folder.iterdir()}
        command = command_from(order["command"], self._folder)
        meeting, listener = order["meeting"], None
        first = self._node * command.ranks_per_node
        try:
            spec = NodeSpec(
                command=command,
                node=self._node,
                cores=_cores(command, first),
                settings=_interfaces(self._wire.own_address, {**os.environ, **command.environment}),
            )
            if meeting is None:
                listener = listen(self._wire.own_address)
                meeting = listener.getsockname()[:2]
            self._spec, self._pool = spec, LocalRankPool(spec, tuple(meeting))
            self._pool.start(listener)
        except StartError as error:
            self._wire.send("not_started", rank=error.rank, why=error.why)
        except OSError as error:
            self._wire.send("not_started", rank=first, why=str(error))
        else:
            self._wire.send("started", meeting=meeting)

    def _report(self) -> None:
        if self._pool is None or not self._pool.living:
            return
        deaths = self._pool.wait(_LOOK_S)
        if deaths or time.monotonic() - self._beats_s >= _BEATS_S:
            self._beats_s = time.monotonic()
            self._wire.send("beats", beats=[asdict(beat) for beat in self._pool.beats()])
        for death in deaths:
            self._report_death(death)

    def _report_death(self, death: Death) -> None:
        """What a rank left comes before the word of its end: the leader judges by it."""
        self._send_files(f"rank{death.rank}.*")
        self._wire.send(
            "died",
            rank=death.rank,
            code=death.code,
            oom_killed=death.oom_killed,
            seen_on_host_ns=death.seen_ns,
        )

    def _end(self, polite_s: float) -> None:
        undead: list[int] = []
        codes: list[tuple[int, int | None]] = []
        if self._pool is not None and self._spec is not None:
            undead = self._pool.end(polite_s)
            codes = list(zip(self._spec.ranks, self._pool.codes, strict=True))
            self._pool = None
        self._send_files("*")
        self._wire.send("ended", undead=undead, codes=codes)

    def _send_files(self, pattern: str) -> None:
        """Send the files of that name that the leader does not have as they are now."""
        for file in sorted(self._folder.glob(pattern)):
            if not file.is_file() or self._sent.get(file.name) == (version := _version(file)):
                continue
            for facts, body in pieces_of(file):
                self._wire.send("file", body, **facts)
            self._sent[file.name] = version


def _leave(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler
    """End in order, ranks and scratch with us."""
    sys.exit(128 + number)


def command_from(document: Mapping[str, Any], folder: Path) -> Command:
    """The leader's command, as it runs here: in this folder, with this interpreter.

    Args:
        document: what `launchers.hosts.command_as_json` made of it.
        folder: takes the place of the leader's own, wherever a word of the command begins with that.
    """
    theirs = str(document["folder"])
    words = [str(folder) + word[len(theirs) :] if word.startswith(theirs) else word for word in document["argv"]]
    return Command(**{**document, "folder": folder, "argv": (sys.executable, *words[1:])})


def _cores(command: Command, first: int) -> tuple[tuple[int, ...], ...] | None:
    """CPU ids of each rank of this node: neighbouring blocks of those that this process may use."""
    wanted = command.cores_per_rank
    if wanted is None or not hasattr(os, "sched_getaffinity"):
        return None
    ours = sorted(os.sched_getaffinity(0))
    if (needed := wanted * command.ranks_per_node) > len(ours) and not command.cores_shared:
        raise StartError(first, f"its ranks need {needed} cores, and {len(ours)} are free to use")
    blocks = (range(place * wanted, (place + 1) * wanted) for place in range(command.ranks_per_node))
    return tuple(tuple(dict.fromkeys(ours[place % len(ours)] for place in block)) for block in blocks)


def _interfaces(address: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Where ranks speak to each other: the interface of the route to the leader, unless the user has said.

    Gloo would otherwise resolve this host's name, which on many systems is an address of the loopback.
    """
    for name, addresses in psutil.net_if_addrs().items():
        if any(each.address.partition("%")[0] == address for each in addresses):
            return {setting: name for setting in _INTERFACE_NAMES if setting not in environ}
    return {}


def _version(file: Path) -> tuple[int, int]:
    written = file.stat()
    return written.st_mtime_ns, written.st_size


if __name__ == "__main__":
    sys.exit(main())
