"""Did the kernel kill for want of memory? A SIGKILL does not say; the memory cgroup's counter does."""

from contextlib import suppress
from pathlib import Path

from launchers.control_groups import groups


def kills(root: Path = Path("/")) -> int | None:
    """How many processes the kernel has killed so far because memory ran out; None where it does not tell (macOS).

    Counted for this process's memory cgroup (version 1: memory.oom_control, version 2: memory.events), or for the whole
    host where the cgroup cannot be seen. Read it before and after: only a difference means anything.
    """
    counters = [group / name for group in groups(root, "memory") for name in ("memory.events", "memory.oom_control")]
    for file in (*counters, root / "proc/vmstat"):
        with suppress(OSError):
            for line in file.read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
    return None
