"""Ranks on several hosts: an agent at each node starts and watches them, and this end makes one pool of them all.

Agents come to the leader, who waits for them at an `AgentListener`. Clocks of different hosts are never compared: a
death is dated when the leader hears of it.
"""

import signal
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from queue import Empty, SimpleQueue
from typing import Any

from launchers import Command, LaunchEnd
from launchers.agent_listener import Agent, Inbox
from launchers.heartbeat import Beat, silent
from launchers.rank_pool import Death, StartError
from launchers.supervise import supervise
from launchers.watchdog import Patience
from launchers.wire import Message, pieces_of, save_piece

# A broken connection takes longer to show between hosts, and what ranks say longer to come.
PATIENCE = Patience(peers_s=1.5, stacks_s=1.0)

_ANSWER_S = 2.0
_START_S = 60.0  # for a node to have all its ranks running
_END_S = 30.0  # for a node to end them and to send what they left


def launch(
    command: Command, agents: Sequence[Agent], watch: Callable[[list[Beat]], None], patience: Patience = PATIENCE
) -> LaunchEnd:
    """Run a launch on the first nodes to its end; see `launchers.supervise.supervise`."""
    return supervise(RemoteRankPool(command, agents), command, watch, patience)


def command_as_json(command: Command) -> dict[str, Any]:
    """What is sent to an agent of a command; `launchers.agent.command_from` is the other end.

    CPU ids are of one host, and stay here.
    """
    return {
        **asdict(command),
        "folder": str(command.folder),
        "environment": dict(command.environment),
        "cores": None,
    }


class RemoteRankPool:
    """All ranks of a launch, at the agents of several nodes; see `launchers.rank_pool.RankPool`."""

    def __init__(self, command: Command, agents: Sequence[Agent]) -> None:
        """Nothing is started yet; of the agents, ordered by node, the first `command.nodes` are used.

        Raises:
            ValueError: there are fewer agents than the launch has nodes.
        """
        if len(agents) < command.nodes:
            raise ValueError(f"{command.nodes} nodes are asked for, and there are {len(agents)}")
        self._command, self._agents = command, {agent.node: agent for agent in agents[: command.nodes]}
        self._inbox: Inbox = SimpleQueue()
        self._beats = [silent(rank) for rank in range(command.ranks)]
        self._living: set[int] = set()
        self._deaths: list[Death] = []  # received, and not yet handed to the supervisor
        self._codes: dict[int, int | None] = {}

    @property
    def living(self) -> list[int]:
        """Ranks that have started and whose end `wait` has not returned."""
        return sorted(self._living)

    @property
    def codes(self) -> tuple[int | None, ...]:
        """Exit code of each rank, negative for a signal; None: never started, cannot be ended, or out of sight."""
        return tuple(self._codes.get(rank) for rank in range(self._command.ranks))

    def start(self) -> None:
        """Start the ranks of node 0, which binds the socket where all meet, and then those of the others.

        On a node that is lost its ranks count as started, and as lost at once.

        Raises:
            StartError: a rank cannot be started.
        """
        for agent in self._agents.values():
            agent.inbox = self._inbox
        for node, agent in self._agents.items():
            if agent.lost is not None:
                self._lose(node)
        if self._deaths:
            return
        meeting = self._start([0], None)
        if meeting is not None and len(self._agents) > 1:
            self._start([node for node in self._agents if node], meeting)

    def wait(self, timeout_s: float) -> list[Death]:
        """Block until ranks die, at most this long; returns those that did, the first heard of first."""
        until_s = time.monotonic() + timeout_s
        while not self._deaths and self._living and (left_s := until_s - time.monotonic()) > 0:
            self._recv(left_s)
        deaths, self._deaths = self._deaths, []
        self._living -= {death.rank for death in deaths}
        return deaths

    def beats(self) -> list[Beat]:
        return list(self._beats)

    def states(self, ranks: Collection[int]) -> dict[int, str]:
        """What the kernels say of living ranks; `?` where a node does not answer in 2 s."""
        asked = [node for node in self._agents if self._of(node, ranks)]
        for node in asked:
            self._agents[node].send("states", ranks=self._of(node, ranks))
        answers = self._answers(asked, {"states"}, _ANSWER_S)
        known = {rank: state for answer in answers.values() for rank, state in answer.facts["states"]}
        return {rank: known.get(rank, "?") for rank in ranks}

    def signal(self, ranks: Collection[int], number: signal.Signals) -> None:
        for node, agent in self._agents.items():
            if theirs := self._of(node, ranks):
                agent.send("signal", ranks=theirs, number=int(number))

    def end(self, polite_s: float) -> list[int]:
        """Have every node end everything, and fetch what the ranks left; see `launchers.rank_pool.RankPool.end`."""
        for agent in self._agents.values():
            agent.send("end", polite_s=polite_s)
        answers = self._answers(self._agents, {"ended"}, polite_s + _END_S)
        undead: list[int] = []
        for node, agent in self._agents.items():
            if node in answers:
                undead += answers[node].facts["undead"]
                self._codes |= dict(answers[node].facts["codes"])
            else:
                agent.shutdown()  # the next launch must hear nothing of this one
        self._living.clear()
        return undead

    def _of(self, node: int, ranks: Collection[int]) -> list[int]:
        return [rank for rank in ranks if rank // self._command.ranks_per_node == node]

    def _start(self, nodes: Collection[int], meeting: Sequence[Any] | None) -> Sequence[Any] | None:
        """Start the ranks of some nodes; returns where all will meet, None when one of these nodes is lost."""
        for node in nodes:
            self._order(self._agents[node], meeting)
        answers = self._answers(nodes, {"started", "not_started"}, _START_S)
        for node, answer in answers.items():
            if answer.kind == "not_started":
                why = f"node {node} ({self._agents[node].name}): {answer.facts['why']}"
                raise StartError(answer.facts["rank"], why)
            meeting = answer.facts["meeting"]
        for node in set(nodes) - set(answers):
            self._agents[node].shutdown()
            meeting = None
        return meeting

    def _order(self, agent: Agent, meeting: Sequence[Any] | None) -> None:
        """Send a node what it is to start, and all the files that its ranks read."""
        for file in sorted(self._command.folder.iterdir()):
            if file.is_file():
                for facts, body in pieces_of(file):
                    agent.send("file", body, **facts)
        agent.send("launch", command=command_as_json(self._command), meeting=meeting)
        self._living |= set(self._of(agent.node, range(self._command.ranks)))

    def _answers(self, nodes: Collection[int], kinds: Collection[str], timeout_s: float) -> dict[int, Message]:
        """What these nodes answer in time; those that are lost do not."""
        until_s = time.monotonic() + timeout_s
        answers: dict[int, Message] = {}
        while any(node not in answers and not self._agents[node].lost for node in nodes):
            if (left_s := until_s - time.monotonic()) <= 0:
                break
            inbox = self._recv(left_s)
            if inbox is not None and inbox[1].kind in kinds:
                answers[inbox[0]] = inbox[1]
        return answers

    def _recv(self, timeout_s: float) -> tuple[int, Message] | None:
        """Take in the next message, or wait this long in vain; returns it when somebody will have asked for it."""
        try:
            agent, message = self._inbox.get(timeout=timeout_s)
        except Empty:
            return None
        if message is None:
            self._lose(agent.node)
            return None
        match message.kind:
            case "file":
                save_piece(message, self._command.folder)
            case "beats":
                for beat in message.facts["beats"]:
                    self._beats[beat["rank"]] = Beat(**beat)
            case "died":
                self._take_death(Death(**message.facts, seen_ns=message.received_ns, node=agent.node))
            case _:
                return agent.node, message
        return None

    def _take_death(self, death: Death) -> None:
        self._codes[death.rank] = death.code
        self._deaths.append(death)

    def _lose(self, node: int) -> None:
        """Nobody knows what becomes of a node's ranks that had not ended."""
        for rank in self._of(node, range(self._command.ranks)):
            if rank not in self._codes:
                self._living.add(rank)
                why = self._agents[node].lost
                self._take_death(Death(rank=rank, code=None, seen_ns=time.monotonic_ns(), node=node, lost=why))
