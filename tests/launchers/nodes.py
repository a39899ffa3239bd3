"""Agents as processes of their own on the loopback: each stands for a host."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from launchers.agent_listener import Agent, AgentListener
from launchers.wire import KEY_NAME, key_of

STUDY = "a study of the tests"


class Nodes:
    """A listener, and as many agents as nodes are asked for."""

    def __init__(self, count: int, scratch: Path) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self._count, self._scratch = count, scratch
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._listener = AgentListener("127.0.0.1", key=key_of({}, STUDY))
        self.processes = [
            start_agent(self._listener.address, node, scratch=self._scratch) for node in range(self._count)
        ]
        self.address = self._listener.address
        self.agents: Sequence[Agent] = self._listener.wait_for(self._count, 30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ranks(self, node: int) -> list[psutil.Process]:
        """What runs at a node beside its agent."""
        return psutil.Process(self.processes[node].pid).children(recursive=True)

    def leftovers(self) -> list[Path]:
        """Folders that the agents have not cleared away, though they had ten seconds after the launch for it."""
        until_s = time.monotonic() + 10
        while (left := list(self._scratch.glob("bench-*"))) and time.monotonic() < until_s:
            time.sleep(0.05)
        return left


def start_agent(
    address: tuple[str, int], node: int, *, key: str = STUDY, scratch: Path, **options
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (sys.executable, "-P", "-m", "launchers.agent", f"{address[0]}:{address[1]}", "--node", str(node)),
        env={**os.environ, KEY_NAME: key, "TMPDIR": str(scratch)},
        **options,
    )
