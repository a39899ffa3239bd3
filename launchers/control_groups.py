"""The control groups that this process is in, of version 1, of version 2, and of both at once: what they tell."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the groups that may limit what `controller` counts, each from its own up to the top.

    Inside a container the path that the kernel tells may be the host's; the top of the mounted tree is then the
    container's own group, which is why the top is always among them.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") > 1):
        if not controllers:
            tops = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif controller in controllers.split(","):
            tops = [root / "sys/fs/cgroup" / controller, root / "sys/fs/cgroup" / controllers]
        else:
            continue
        own = Path(path.strip().lstrip("/"))
        for top in tops:
            yield from (top / each for each in (own, *own.parents))


def oom_kills(root: Path = Path("/")) -> int | None:
    """How many processes the kernel has killed so far because memory ran out; None where it does not tell (macOS).

    A SIGKILL does not say what it was for; the memory group's counter does.

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
