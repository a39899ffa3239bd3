"""The torchrun launcher: one `bench` on every node, started by torchrun or by a cloud that sets the same variables.

Of torchrun only the rendezvous is used: who is node 0, and where it can be reached. The ranks are our own, so they
start, are watched and end as on one host. Started without torchrun, a study becomes it, and is then started by it:
the same command, with the same `--rdzv HOST:PORT`, goes to every node.
"""

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psutil

from launchers import FOLLOW, LEAD, SUBMIT, Command, Ending, Request, agent, hosts
from launchers.heartbeat import Beat
from launchers.reception import Agent, Reception
from launchers.wire import KEY_NAME, key_of

__all__ = ["Torchrun", "follow", "open", "part", "script", "submit"]

_SET_BY_TORCHRUN = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_RENDEZVOUS_S = 600.0  # torchrun's own patience with nodes that start late
_GOODBYE_S = 10.0
# Else torchrun itself listens on the port that it tells, and keeps it.
_PORT_FOR_US = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}


def part(environ: Mapping[str, str]) -> str:
    """Lead on node 0, follow on the others; without torchrun, start it."""
    if not all(name in environ for name in _SET_BY_TORCHRUN):
        return SUBMIT
    return LEAD if environ["RANK"] == "0" else FOLLOW


def script(words: tuple[str, ...], request: Request) -> str:
    """The line of a shell that starts this study here; the same on every node but for `--local-addr`.

    Raises:
        ValueError: no `--rdzv HOST:PORT` was given, or the host has no address that is known here.
    """
    settings = [f"{name}={value}" for name, value in _PORT_FOR_US.items()]
    return shlex.join([*settings, *_argv((sys.executable, "-P", "-m", "bench", *words), request)])


def submit(words: tuple[str, ...], request: Request, folder: Path) -> NoReturn:  # noqa: ARG001 - writes nothing
    """Become torchrun, which starts this study again on every node once all have come; never returns.

    Raises:
        ValueError: see `script`.
    """
    become((sys.executable, "-P", "-m", "bench", *words), request)


def become(program: tuple[str, ...], request: Request) -> NoReturn:
    """Become a torchrun that starts this program; see `submit`."""
    argv = _argv(program, request)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(argv[0], argv, {**os.environ, **_PORT_FOR_US})


def open(request: Request) -> "Torchrun":  # noqa: A001 - every launcher is opened alike
    """Wait for the other nodes, and be the one who starts launches on them all.

    Raises:
        LookupError: there is nothing to make the key of the study from.
        ValueError: torchrun was started in a way that leaves us no port, or with several processes a node.
        OSError: another process listens on the port that torchrun told.
        NotAllHereError: nodes are missing.
    """
    environ = os.environ
    check(environ)
    key = _key(environ)
    try:
        # On all addresses: the name of node 0 is often one of the loopback on node 0 itself.
        reception = Reception("", int(environ["MASTER_PORT"]), key=key)
    except OSError as error:
        raise OSError(f"port {environ['MASTER_PORT']}, which torchrun told us to use, is taken ({error})") from error
    own: subprocess.Popen[bytes] | None = None
    try:
        others = reception.wait_for_nodes(range(1, request.nodes), _RENDEZVOUS_S)
        # The address that others reach us by is one that they reach the ranks of this node by, too.
        address = others[0].leader_address if others else "127.0.0.1"
        own = _start_agent(address, reception.address[1], key)
        first = reception.wait_for_nodes(range(1), agent.CONNECT_S, lambda: _why_ended(own))
    except BaseException:
        reception.close()
        raise
    return Torchrun(reception=reception, agents=(*first, *others), own=own)
