"""Where the agents of nodes report to the leader, and the leader's end of the connection with each."""

import socket
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from launchers.wire import PING_S, SILENCE_S, Message, Wire

_LOOK_S = 0.25

Inbox = SimpleQueue[tuple["Agent", Message | None]]


class NotAllHereError(RuntimeError):
    """Nodes that the study needs have not reported."""


class Agent:
    """The leader's end of the connection with one node."""

    def __init__(self, wire: Wire, *, node: int, name: str) -> None:
        self.node, self.name = node, name
        self.lost: str | None = None  # why this node is given up
        self.inbox: Inbox = SimpleQueue()  # a launch puts its own here; None: the node is lost
        self._wire = wire
        threading.Thread(target=self._listen, name=f"node {node}", daemon=True).start()

    @property
    def leader_address(self) -> str:
        """The address by which this node reaches the leader."""
        return self._wire.own_address

    def send(self, kind: str, body: bytes = b"", **facts: Any) -> None:
        """Send an order; to a node that is lost it goes nowhere, and `inbox` says so."""
        try:
            self._wire.send(kind, body, **facts)
        except ConnectionError:
            self.shutdown()

    def shutdown(self) -> None:
        """Give this node up; its agent then ends all that it has started."""
        self._wire.shutdown()

    def _listen(self) -> None:
        """Keep the connection alive, between launches too, until it ends."""
        received_s = sent_s = time.monotonic()
        try:
            while (now_s := time.monotonic()) - received_s < SILENCE_S:
                if now_s - sent_s >= PING_S:
                    self._wire.send("ping")
                    sent_s = now_s
                if (message := self._wire.recv(PING_S / 2)) is not None:
                    received_s = time.monotonic()
                    if message.kind != "pong":
                        self.inbox.put((self, message))
        except ConnectionError:
            pass
        self.lost = f"node {self.node} ({self.name}) does not answer any more"
        self._wire.close()
        self.inbox.put((self, None))


class AgentListener:
    """Where agents report to the leader. Whoever does not have the key is sent away."""

    def __init__(self, address: str = "", port: int = 0, *, key: bytes) -> None:
        """Listen from now on.

        Args:
            address: of this host; empty: all of them.
            port: 0: any that is free, see `address`.
            key: of the study; see `launchers.wire.key_of`.

        Raises:
            OSError: another process listens there, or the address is not of this host.
        """
        self._key = key
        self._listener = socket.create_server((address, port), backlog=1024)
        self._listener.settimeout(_LOOK_S)
        self._agents: dict[int, Agent] = {}
        self._agents_lock = threading.Lock()
        self._open = True
        threading.Thread(target=self._receive, name="agent listener", daemon=True).start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port where it listens."""
        host, port = self._listener.getsockname()[:2]
        return host, port

    def wait_for(
        self, nodes: int, timeout_s: float, hopeless: Callable[[], str | None] = lambda: None, *, first: int = 0
    ) -> list[Agent]:
        """The agents of nodes `first` to `nodes` - 1, in that order, once all have reported.

        Raises:
            NotAllHereError: some have not in time, or `hopeless` gave a reason why they never will.
        """
        wanted = range(first, nodes)
        until_s = time.monotonic() + timeout_s
        while missing := [node for node in wanted if node not in self._agents]:
            named = f"{'node' if len(missing) == 1 else 'nodes'} {', '.join(map(str, missing))} of {nodes}"
            if why := hopeless():
                raise NotAllHereError(f"{named} will not report: {why}")
            if time.monotonic() >= until_s:
                raise NotAllHereError(f"{named} did not report within {timeout_s:g} s")
            time.sleep(_LOOK_S)
        return [self._agents[node] for node in wanted]

    def close(self) -> None:
        """Say goodbye to all agents, and listen no more."""
        with self._agents_lock:
            self._open = False
            agents = tuple(self._agents.values())
        for agent in agents:
            agent.send("goodbye")

    def _receive(self) -> None:
        with self._listener:
            while self._open:
                try:
                    guest, _ = self._listener.accept()
                except OSError:  # nobody for a while, or gone again
                    continue
                # Each in a thread: one that connects and says nothing must not keep the others out.
                threading.Thread(target=self._welcome, args=(guest,), name="guest", daemon=True).start()

    def _welcome(self, guest: socket.socket) -> None:
        wire = Wire(guest)
        try:
            wire.challenge(self._key, first=True)
            hello = wire.recv(SILENCE_S)
            if hello is None or hello.kind != "hello":
                raise ConnectionError("it does not say who it is")
            node, name = int(hello.facts["node"]), str(hello.facts["host"])
            with self._agents_lock:
                before = self._agents.get(node)
                if not self._open or (before is not None and before.lost is None):
                    wire.send("refused", why=f"{before.name} is node {node}" if before else "the study is over")
                    raise ConnectionError("it is not wanted")
                wire.send("welcome")
                self._agents[node] = Agent(wire, node=node, name=name)
        except (OSError, LookupError, ValueError):
            wire.close()
