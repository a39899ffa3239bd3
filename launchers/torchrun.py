"""The torchrun launcher: one `bench` on every node, started by torchrun or by a cloud that sets the same variables.

Of torchrun only the rendezvous is used: who is node 0, and where it can be reached. The ranks are our own, so they
start, are watched and end as on one host. Started without torchrun, a study becomes it, and is then started by it:
the same command, with the same `--rdzv HOST:PORT`, goes to every node. Node 0, which leads and keeps the store, is the
one whose address comes first in the order of letters, as torchrun has it. Addresses are of IPv4.
"""

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import NoReturn

import psutil

from launchers import FOLLOW, LEAD, SUBMIT, Command, LaunchEnd, Request, agent, bench_argv, hosts, module_argv
from launchers.agent_listener import Agent, AgentListener
from launchers.heartbeat import Beat
from launchers.wire import KEY_NAME, key_of

__all__ = ["Torchrun", "follow", "open", "role", "script", "submit"]

_SET_BY_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_PATIENCE_S = 120.0  # between the nodes, that torchrun has started together
_GOODBYE_S = 10.0
# Else torchrun itself listens on the port that it tells, and keeps it.
_PORT_FOR_US = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


def role(environ: Mapping[str, str]) -> str:
    """Lead on node 0, follow on the others; without torchrun, start it."""
    if not all(name in environ for name in _SET_BY_TORCHRUN):
        return SUBMIT
    return LEAD if environ["RANK"] == "0" else FOLLOW


def script(words: tuple[str, ...], request: Request) -> str:
    """The line of a shell that starts this study's part of this node.

    Raises:
        ValueError: no `--rdzv HOST:PORT` was given, or no way leads there.
    """
    settings = [f"{name}={value}" for name, value in _PORT_FOR_US.items()]
    return shlex.join([*settings, *_argv(bench_argv(*words), request)])


def submit(words: tuple[str, ...], request: Request, folder: Path) -> NoReturn:  # noqa: ARG001 - writes nothing
    """Become torchrun, which starts this study again on every node once all have come; never returns.

    Raises:
        ValueError: see `script`.
    """
    become(bench_argv(*words), request)


def become(program: tuple[str, ...], request: Request) -> NoReturn:
    """Become a torchrun that starts any program once on every node; see `submit`."""
    argv = _argv(program, request)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(argv[0], argv, {**os.environ, **_PORT_FOR_US})  # noqa: S606 - no shell is wanted


def open(request: Request) -> "Torchrun":  # noqa: A001 - every launcher is opened alike
    """Wait for the other nodes, and be the one who starts launches on them all.

    Raises:
        ValueError: torchrun was started in a way that is of no use here; the text says what to change.
        LookupError: there is nothing to make the key of the study from.
        OSError: another process listens on the port that torchrun gave.
        NotAllHereError: nodes are missing.
    """
    _check(os.environ)
    if (started := int(os.environ["WORLD_SIZE"])) < request.nodes:
        raise ValueError(f"this study needs {request.nodes} nodes, and torchrun was started for {started}")
    # On every address: the name of node 0 is often one of the loopback on node 0 itself.
    listener = AgentListener("", int(os.environ["MASTER_PORT"]), key=_key(os.environ))
    own: subprocess.Popen[bytes] | None = None
    try:
        others = listener.wait_for(request.nodes, _PATIENCE_S, first=1)
        # By an address that the others have reached us by, they reach the ranks of this node too.
        own = _own_agent(others[0].leader_address if others else "127.0.0.1", listener.address[1])
        agents = listener.wait_for(request.nodes, _PATIENCE_S, lambda: _what_ended(own))
    except BaseException:
        listener.close()
        if own is not None:
            own.kill()
            own.wait()
        raise
    return Torchrun(listener=listener, agents=tuple(agents), own=own)


@dataclass(frozen=True, kw_only=True)
class Torchrun:
    """Starts launches on the nodes that torchrun has brought together; one with fewer nodes uses the first of them."""

    listener: AgentListener
    agents: tuple[Agent, ...]
    own: subprocess.Popen[bytes]  # this node's agent

    def launch(self, command: Command, watch: Callable[[list[Beat]], None]) -> LaunchEnd:
        return hosts.launch(command, self.agents, watch)

    def close(self) -> None:
        """Let the followers go."""
        self.listener.close()
        try:
            self.own.wait(_GOODBYE_S)
        except subprocess.TimeoutExpired:
            self.own.kill()
            self.own.wait()


def follow() -> int:
    """Run this node's ranks for the leader, until the study is over. Returns 0, or 1 when the leader has vanished.

    Raises:
        ValueError: torchrun was started in a way that is of no use here; the text says what to change.
        LookupError: there is nothing to make the key of the study from.
        OSError: the leader cannot be reached, or does not take this node.
    """
    _check(os.environ)
    return agent.follow(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        node=int(os.environ["RANK"]),  # one process a node
        key=_key(os.environ),
        patience_s=_PATIENCE_S,
    )


def _check(environ: Mapping[str, str]) -> None:
    if int(environ.get("LOCAL_WORLD_SIZE", "1")) != 1:
        raise ValueError("one bench a node starts all ranks of that node; start it with --nproc-per-node 1")
    if environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        raise ValueError(
            f"torchrun keeps port {environ['MASTER_PORT']} of {environ['MASTER_ADDR']} for itself; on every node start "
            "it with TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 set, and --rdzv-backend c10d --rdzv-endpoint HOST:PORT"
        )


def _key(environ: Mapping[str, str]) -> bytes:
    return key_of(environ, environ.get("TORCHELASTIC_RUN_ID"))


def _own_agent(address: str, port: int) -> subprocess.Popen[bytes]:
    """This node's agent, which differs in nothing from the others'. It ends when its connection to us does."""
    return subprocess.Popen(
        module_argv("launchers.agent", f"{address}:{port}", "--node", "0"),
        env={**os.environ, KEY_NAME: os.environ.get(KEY_NAME) or os.environ.get("TORCHELASTIC_RUN_ID", "")},
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for us: the launch that runs is to end well
    )


def _what_ended(own: subprocess.Popen[bytes]) -> str | None:
    return None if own.poll() is None else f"the agent of this node ended with code {own.returncode}"


def _argv(program: tuple[str, ...], request: Request) -> tuple[str, ...]:
    """The torchrun that starts a program once on every node."""
    endpoint = str(request.options.get("rdzv") or "")
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError("where do the nodes meet? Say --rdzv HOST:PORT, of one of them and the same on every node")
    return (
        *(sys.executable, "-P", "-m", "torch.distributed.run"),
        *("--nnodes", str(request.nodes), "--nproc-per-node", "1", "--max-restarts", "0"),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", endpoint, "--rdzv-id", request.name),
        *_route(host, int(port)),
        *("--no-python", "--", *program),  # what follows is not to be taken for options of torchrun
    )


def _route(host: str, port: int) -> tuple[str, ...]:
    """What torchrun else guesses from this host's name, which need not belong to the address that others reach it by.

    That is under which address the others find this node, and whether the rendezvous is this node's to hold.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:  # sends nothing: only the route is looked up
        try:
            probe.connect((host, port))
        except OSError as error:
            raise ValueError(f"there is no way from here to {host}:{port} ({error})") from error
        (own, _), (theirs, _) = probe.getsockname(), probe.getpeername()
    if not ip_address(own).is_loopback:
        held_here = any(each.address == theirs for addresses in psutil.net_if_addrs().values() for each in addresses)
        return ("--rdzv-conf", f"is_host={int(held_here)}", "--local-addr", own)
    if host in {"localhost", theirs}:
        return ("--local-addr", own)
    return ()  # a name that means the loopback here and another address elsewhere: others know it, torchrun too
