"""What held a machine below what it can do: CPU quota, clocks, memory, in words, with what to do about it.

What paused the ranks within their window marks the row. What was as it was all the time (a clock that is capped) is
warned of: the number is right, of a machine that is held down.
"""

from collections.abc import Iterator, Sequence

from bench.analysis.validity.rules import SUSPECT, WARNING, Finding
from bench.store.schema import Launch

PAUSED = 0.001  # of the window: as closure, what is lost beyond it is seen in the number
MEMORY_LEFT = 0.05  # of the control group's limit


def marks(launch: Launch) -> Iterator[Finding]:
    """A quota does not make a core slower: it stops it for the rest of every period, as soon as it is spent."""
    paused = launch.throttled_s is not None and launch.throttled_s > PAUSED * (launch.window_ns or 0) / 1e9
    cores = (launch.cores_per_rank or 1) * launch.ranks // launch.nodes
    if paused or (launch.device == "cpu" and launch.cpu_quota is not None and launch.cpu_quota < cores):
        quota = f"a CPU quota of {launch.cpu_quota:g} cores" if launch.cpu_quota is not None else "a CPU quota"
        yield Finding(
            severity=SUSPECT,
            text=f"the kernel paused the ranks within the window, for {quota}"
            if paused
            else f"{quota} for {cores} used",
            fix="give the container whole cores instead of a quota (docker run --cpuset-cpus=0-3)",
        )
    if held := [word for word in (launch.gpu_throttling or "").split(", ") if word and word != "power limit"]:
        yield Finding(
            severity=SUSPECT,
            text=f"the GPUs' clocks were held down ({', '.join(held)})",
            fix="let them cool, look at fans and power supply: nvidia-smi -q -d PERFORMANCE",
        )


def warnings(launches: Sequence[Launch]) -> Iterator[Finding]:
    """What held the machine below what it can do, in every launch alike or in some."""
    limits: dict[tuple[str, str], int] = {}
    for launch in launches:
        for each in _limits(launch):
            limits[each] = limits.get(each, 0) + 1
    for (text, fix), count in limits.items():
        many = "" if count == len(launches) else f" (in {count} of {len(launches)} launches)"
        yield Finding(severity=WARNING, text=f"{text}{many}", fix=fix)


def _limits(launch: Launch) -> Iterator[tuple[str, str]]:
    if launch.turbo is False:
        yield "turbo was switched off: no core went above its nominal clock", "compare with machines like it only"
    if launch.clock_cap_mhz is not None:
        yield f"the cores' clock was capped to {launch.clock_cap_mhz} MHz", "sudo cpupower frequency-set -u, or say so"
    if launch.governor is not None and any(word in launch.governor for word in ("powersave", "conservative")):
        yield f"the cores ran under the governor {launch.governor}", "sudo cpupower frequency-set -g performance"
    if "power limit" in (launch.gpu_throttling or ""):
        yield "the GPUs ran at their power limit", "that is their limit, not the program's: compare at equal limits"
    left, limit = launch.memory_left_bytes, launch.memory_limit_bytes
    if left is not None and limit is not None and left < MEMORY_LEFT * limit:
        yield (
            f"the container's memory ({limit / 2**30:.1f} GiB) was nearly spent after the window",
            "raise its limit: what is reclaimed has to be read again",
        )
