"""Did the kernel kill for want of memory? A SIGKILL does not say; the memory cgroup's counter does."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def kills(root: Path = Path("/")) -> int | None:
    """How many processes the kernel has killed so far because memory ran out; None where it does not tell (macOS).

    Counted for this process's memory cgroup (version 1: memory.oom_control, version 2: memory.events), or for the whole
    host where the cgroup cannot be seen. Read it before and after: only a difference means anything.
    """
    for file in _counters(root):
        with suppress(OSError):
            for line in file.read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return None


def _counters(root: Path) -> Iterator[Path]:
    cgroups = root / "sys/fs/cgroup"
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            # In a container the path can be the host's and the mount our own: then our cgroup is the mount's root.
            for place in (path.lstrip("/"), ""):
                if "memory" in controllers.split(","):
                    yield cgroups / "memory" / place / "memory.oom_control"
                elif not controllers:
                    yield cgroups / place / "memory.events"
    yield root / "proc/vmstat"
