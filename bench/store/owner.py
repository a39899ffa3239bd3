"""Which process owns an attempt, and whether it lives. Standard library and psutil.

What is written names no machine: the boot's own number is hashed with the owner's random token as the key, so that it
can be compared with this machine's and tells nothing else, not even that two studies share one.
"""

import hashlib
import os
import secrets
import subprocess
import sys
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

_LINUX = sys.platform == "linux"
_MADE_UP = 0x02 << 40  # set in a network card's address that no manufacturer gave it: of containers, virtual machines


@dataclass(frozen=True, kw_only=True)
class Owner:
    """One process, so that it is not taken for a later one of the same number."""

    token: str  # random, one a process
    pid: int
    pid_space: int  # within which a pid means a process: a container has its own
    process_start: str  # by a clock that nobody sets; empty where it cannot be read
    boot: str  # keyed hash of this start of the machine; empty where the system does not say
    host: str = ""  # of an earlier bench: a hash of the machine's id and network card, which copies of it share

    @staticmethod
    def of_this_process() -> "Owner":
        token = _token(os.getpid())
        return Owner(
            token=token,
            pid=os.getpid(),
            pid_space=_pid_space(),
            process_start=_process_start(os.getpid()) or "",
            boot=_keyed(token, _boot()),
        )

    @staticmethod
    def unknown() -> "Owner":
        """Of an attempt whose file cannot be read."""
        return Owner(token="", pid=0, pid_space=0, process_start="", boot="")

    def __str__(self) -> str:
        if self.alive() is None:
            return f"process {self.pid} of another host or container"
        return f"process {self.pid} of this machine"

    @property
    def is_this_process(self) -> bool:
        return self.token == _token(os.getpid())

    def alive(self) -> bool | None:
        """Whether the process runs; None when that cannot be told: of another machine, or of another container."""
        boot = _keyed(self.token, _boot())
        # Another start of this machine, or another machine: containers of one image, and copies of a virtual machine,
        # agree in all that names a machine. Whether somebody lives there is for its lease to say.
        if not self.boot or self.boot != boot:
            return False if self._of_before_a_restart(boot) else None
        if self.pid_space != _pid_space():
            return None
        now = _process_start(self.pid)
        if now and self.process_start:
            return now == self.process_start
        return False if now == "" else None

    def _of_before_a_restart(self, boot: str) -> bool:
        """Whether an earlier bench, which promised no sign of life, began it here before this machine was restarted."""
        machine = _machine()
        return bool(self.boot and boot and self.host and machine) and self.host == _keyed(self.token, machine)


@cache
def _token(_pid: int) -> str:
    """One a process; a fork is another process."""
    return secrets.token_hex(16)


def _process_start(pid: int) -> str | None:
    """When the process of this number started; empty when there is none, None when that cannot be told."""
    try:
        if _LINUX:
            # Clock ticks since the boot: psutil's time of day moves when somebody sets the clock.
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return "" if words[0] in "ZX" else words[19]
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except (psutil.NoSuchProcess, ProcessLookupError):
        return ""
    except (OSError, psutil.AccessDenied):  # /proc may hide the processes of others
        return None if psutil.pid_exists(pid) else ""


def _pid_space() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116 - one number of one file
    except OSError:
        return 0


@cache
def _boot() -> str:
    if _LINUX:
        with suppress(OSError):
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    if sys.platform == "darwin":
        with suppress(OSError, subprocess.TimeoutExpired):
            asked = ("/usr/sbin/sysctl", "-n", "kern.bootsessionuuid")
            return subprocess.run(asked, capture_output=True, text=True, check=False, timeout=5).stdout.strip()
    return ""


@cache
def _machine() -> str:
    """This machine as an earlier bench named it; empty where containers of one image, or copies of it, may be the same.

    An image is copied with its id, and made-up addresses of network cards repeat; a manufacturer's do not.
    """
    machine, card = _machine_id(), uuid.getnode()
    return f"{machine} {card:x}" if machine and not card & _MADE_UP else ""


def _machine_id() -> str:
    with suppress(OSError):
        return Path("/etc/machine-id").read_text().strip()
    return ""


def _keyed(token: str, text: str) -> str:
    return hashlib.blake2b(text.encode(), key=token.encode(), digest_size=8).hexdigest() if text else ""
