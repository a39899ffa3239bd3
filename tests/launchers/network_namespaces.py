"""Hosts with a network of their own on this machine: namespaces that a bridge joins, with links as slow as is asked.

As a command it runs the same words in every one of them, as a user would on every node:

    python tests/launchers/network_namespaces.py --hosts 2 --mbit 100 -- bench scale … --rdzv 10.77.0.1:29500

Needs Linux, root, and the programs `ip` and `tc`. Nothing of it touches the machine's own network.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_DEVICE = "eth0"


@dataclass(frozen=True, kw_only=True)
class Network:
    """A few hosts and the links between them and the bridge."""

    name: str
    hosts: int
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def address(self, host: int) -> str:
        return f"10.77.0.{host + 1}"

    def run(self, host: int, argv: Sequence[str], **options) -> subprocess.Popen[str]:
        """Start a process on a host; it ends with the network at the latest."""
        inside = ("ip", "netns", "exec", self._namespace(host), *argv)
        process = subprocess.Popen(inside, text=True, start_new_session=True, **options)
        self.started.append(process)
        return process

    def processes(self, host: int) -> list[int]:
        """The ids of all processes on a host."""
        listed = subprocess.run(
            ("ip", "netns", "pids", self._namespace(host)), capture_output=True, text=True, check=True
        )
        return [int(pid) for pid in listed.stdout.split()]

    def throttle(self, mbit_per_s: int) -> None:
        """Let no host send or receive more than this."""
        # A bucket that a tick of the kernel's clock and the largest packet fit into, but no whole message.
        burst = max(128_000, mbit_per_s * 1_000_000 // 8 // 200)
        words = f"root tbf rate {mbit_per_s}mbit burst {burst} latency 50ms"
        for host in range(self.hosts):
            _do(f"ip netns exec {self._namespace(host)} tc qdisc replace dev {_DEVICE} {words}")
            _do(f"ip netns exec {self._hub} tc qdisc replace dev port{host} {words}")

    def cut(self, host: int) -> None:
        """Take a host off the network, without a word to anybody."""
        _do(f"ip -n {self._hub} link set port{host} down")

    def make(self) -> None:
        _do(f"ip netns add {self._hub}")
        _do(f"ip -n {self._hub} link add bridge type bridge")
        _do(f"ip -n {self._hub} link set bridge up")
        for host in range(self.hosts):
            inside = self._namespace(host)
            _do(f"ip netns add {inside}")
            _do(f"ip -n {self._hub} link add port{host} type veth peer name {_DEVICE} netns {inside}")
            _do(f"ip -n {self._hub} link set port{host} master bridge up")
            _do(f"ip -n {inside} address add {self.address(host)}/24 dev {_DEVICE}")
            _do(f"ip -n {inside} link set {_DEVICE} up")
            _do(f"ip -n {inside} link set lo up")

    def remove(self) -> None:
        for host in range(self.hosts):
            if Path("/run/netns", self._namespace(host)).exists():
                for pid in self.processes(host):
                    os.kill(pid, signal.SIGKILL)
        for process in self.started:
            process.communicate()
        for name in (*map(self._namespace, range(self.hosts)), self._hub):
            subprocess.run(("ip", "netns", "delete", name), check=False, capture_output=True)

    @property
    def _hub(self) -> str:
        return f"{self.name}-hub"

    def _namespace(self, host: int) -> str:
        return f"{self.name}-{host}"


def why_not() -> str | None:
    """Why this machine cannot do it; None when it can."""
    if sys.platform != "linux":
        return "network namespaces are of Linux"
    if os.geteuid() != 0:
        return "making network namespaces needs root"
    if missing := [program for program in ("ip", "tc") if shutil.which(program) is None]:
        return f"there is no program {missing[0]}"
    try:
        with network(2) as tried:
            tried.throttle(100)
    except subprocess.CalledProcessError as error:
        return f"the kernel refuses: {' '.join(error.cmd)}: {error.stderr.strip()}"
    return None


@contextmanager
def network(hosts: int) -> Iterator[Network]:
    """A network of 2 to 4 hosts, for as long as the block lasts; what still runs on them at its end is killed."""
    made = Network(name=f"bench-{os.getpid()}", hosts=hosts)
    try:
        made.make()
        yield made
    finally:
        made.remove()


def _do(words: str) -> None:
    subprocess.run(words.split(), check=True, capture_output=True, text=True)


def main() -> int:
    """Run the same words on every host; returns the largest of their exit codes."""
    parser = argparse.ArgumentParser(description="Run the same command on hosts with a network of their own.")
    parser.add_argument("--hosts", type=int, choices=(2, 3, 4), default=2)
    parser.add_argument("--mbit", type=int, default=1000, help="the speed of every link, per second")
    parser.add_argument("words", nargs="+")
    asked = parser.parse_args()
    if reason := why_not():
        print(f"not here: {reason}", file=sys.stderr)
        return 1
    with network(asked.hosts) as made:
        made.throttle(asked.mbit)
        began_s = time.monotonic()
        codes = [process.wait() for process in [made.run(host, asked.words) for host in range(asked.hosts)]]
        print(f"{asked.hosts} hosts at {asked.mbit} Mbit/s: codes {codes} after {time.monotonic() - began_s:.1f} s")
    return max(map(abs, codes))


if __name__ == "__main__":
    sys.exit(main())
