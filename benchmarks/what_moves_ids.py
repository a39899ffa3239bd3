"""Over which changes of a machine its ids stay, and over which the right one moves. Prints the table of docs/dna.md.

Each change is made for one `bench dna --json` alone: an environment, an affinity mask, a control group, and, where this
process may have a mount namespace of its own (root, Linux), files of /proc and /sys in another form. The machine itself
is left as it is. A change that cannot be made here is said, not left out. What should move nothing is repeated; the
cards are a stand-in's for the driver.

    python benchmarks/what_moves_ids.py
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

REPEATS = 20  # of a change that should move nothing
IDS = ("hw_id", "sw_id", "num_id")
CPUS = "/sys/devices/system/cpu"
# A small copy of what /sys tells of the CPUs, to be changed and then mounted over it.
COPY = f"""d=$(mktemp -d); mount -t tmpfs none $d
for c in {CPUS}/cpu[0-9]*; do n=$d/${{c##*/}}; mkdir -p $n/topology $n/cache $n/cpufreq
  for f in $c/topology/*; do cat $f >$n/topology/${{f##*/}} 2>/dev/null; done
  for i in $c/cache/index*; do mkdir -p $n/cache/${{i##*/}}
    for f in $i/*; do [ -f $f ] && cat $f >$n/cache/${{i##*/}}/${{f##*/}} 2>/dev/null; done; done; done
cat {CPUS}/online >$d/online; mkdir -p $d/cpufreq $d/intel_pstate
"""
CLOCKS = (
    "for c in $d/cpu[0-9]*; do echo {governor} >$c/cpufreq/scaling_governor; echo {cap} >$c/cpufreq/scaling_max_freq; "
)
CLOCKS += "echo 4000000 >$c/cpufreq/cpuinfo_max_freq; done; "
# A driver with one card, called as CARD says; `bench` finds it before the real one.
DRIVER = """import os, types
NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0
nvmlInit = nvmlShutdown = lambda: None
nvmlDeviceGetCount = lambda: 1
nvmlDeviceGetHandleByIndex = lambda index: index
nvmlDeviceGetName = lambda card: os.environ["CARD"]
nvmlDeviceGetUUID = lambda card: "GPU-0"
nvmlDeviceGetMemoryInfo = lambda card: types.SimpleNamespace(total=80 * 2**30, used=0)
nvmlSystemGetDriverVersion = lambda: "600.1"
"""
OVER = f"mount --bind $d {CPUS}; "


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that is another."""

    name: str
    expected: str  # what should move; "" for nothing
    mounts: str = ""  # shell, in a mount namespace of its own
    environment: dict[str, str] = field(default_factory=dict)
    cpus: str = ""  # a taskset list
    uts: bool = False  # another host name
    instead: dict[str, str] = field(default_factory=dict)  # the environment it is compared with, where not this one
    group: str = ""  # files of a control group of the cpu controller: "file=value"


def replaced(file: str, sed: str) -> str:
    """The file with another text in it."""
    return f"f=$(mktemp); sed -E {shlex.quote(sed)} {file} >$f; mount --bind $f {file}; "


def changes(driver: str) -> Iterator[Change]:
    """What is tried, in the order of the table."""
    yield Change(name="nothing, once more", expected="")
    yield Change(name="another host name", expected="", uts=True)
    yield Change(
        name="another boot",
        expected="",
        mounts=replaced("/proc/sys/kernel/random/boot_id", "s/^......../00000000/")
        + replaced("/proc/stat", "s/btime .*/btime 1/"),
    )
    yield Change(
        name="another working folder, home and user name",
        expected="",
        environment={"HOME": "/var", "USER": "zebra", "LOGNAME": "zebra"},
    )
    yield Change(name="another locale", expected="", environment={"LC_ALL": "C", "LANG": "de_DE.UTF-8"})
    yield Change(name="one CPU of the affinity mask", expected="usable_threads", cpus="0")
    yield Change(
        name="microcode and clock of the moment",
        expected="",
        mounts=replaced("/proc/cpuinfo", r"s/^(cpu MHz\s*: ).*/\11234.5/; s/^(microcode\s*: ).*/\10x99/"),
    )
    yield Change(
        name="a kernel that keeps 60 MiB more of the memory",
        expected="",
        mounts=replaced("/proc/meminfo", r"s/^(MemTotal:\s+)([0-9]+)/echo \"\1$((\2 - 61440))\"/e"),
    )
    yield Change(name="/sys hidden", expected="", mounts="mount -t tmpfs none /sys; ")
    yield Change(
        name="caches and memory nodes hidden",
        expected="",
        mounts=f"mount -t tmpfs none {CPUS}; mount -t tmpfs none /sys/devices/system/node; ",
    )
    yield Change(
        name="another model of CPU", expected="hw_id", mounts=replaced("/proc/cpuinfo", r"s/^(model\s*: ).*/\1250/")
    )
    yield Change(
        name="one core of another kind",
        expected="hw_id",
        mounts=replaced("/proc/cpuinfo", r"0,/^model\s*:/s/^(model\s*: ).*/\1250/"),
    )
    yield Change(name="an instruction set less", expected="hw_id", mounts=replaced("/proc/cpuinfo", "s/ avx2 / /"))
    yield Change(
        name="four times the memory",
        expected="hw_id",
        mounts=replaced("/proc/meminfo", r"s/^(MemTotal:\s+)([0-9]+)/echo \"\1$((\2 * 4))\"/e"),
    )
    yield Change(
        name="other caches",
        expected="cache_kib",
        mounts=COPY + "for f in $d/cpu*/cache/index*/size; do echo 7K >$f; done; " + OVER,
    )
    cards = [{"PYTHONPATH": driver, "CARD": name} for name in ("NVIDIA H100", "NVIDIA H200")]
    yield Change(name="another card", expected="hw_id", environment=cards[1], instead=cards[0])
    yield Change(
        name="the governor powersave",
        expected="governor",
        mounts=COPY + CLOCKS.format(governor="powersave", cap=4000000) + OVER,
    )
    yield Change(
        name="the clock capped to a quarter",
        expected="clock_cap_mhz",
        mounts=COPY + CLOCKS.format(governor="performance", cap=1000000) + OVER,
    )
    yield Change(name="turbo off", expected="turbo", mounts=COPY + "echo 1 >$d/intel_pstate/no_turbo; " + OVER)
    yield Change(
        name="a CPU quota of half a core",
        expected="cpu_quota",
        group="cpu.cfs_period_us=100000 cpu.cfs_quota_us=50000 cpu.max=50000 100000",
    )
    yield Change(name="a preloaded library", expected="sw_id", environment={"LD_PRELOAD": "libm.so.6"})
    yield Change(
        name="a preloaded library that flushes subnormal numbers to zero",
        expected="num_id",
        mounts="f=$(mktemp -d)/libflush.so; echo | cc -x c -shared -ffast-math -o $f -; export LD_PRELOAD=$f; ",
    )
    yield Change(name="`ATEN_CPU_CAPABILITY=avx2`", expected="num_id", environment={"ATEN_CPU_CAPABILITY": "avx2"})
    yield Change(name="`ONEDNN_MAX_CPU_ISA=AVX2`", expected="num_id", environment={"ONEDNN_MAX_CPU_ISA": "AVX2"})


def main() -> int:
    """Print the table; 1 where something moved that should not, or the other way about."""
    if sys.platform != "linux":
        print("the changes are those of Linux")
        return 2
    bench = str(Path(sys.executable).parent / "bench")
    wrong = 0
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as driver:
        (Path(driver) / "pynvml.py").write_text(DRIVER)
        before = document(bench, Change(name="", expected=""), cache)
        if isinstance(before, str):
            print(f"bench dna does not run here: {before}")
            return 2
        print("| change | n | should move | ids | fields that differ |\n| --- | --- | --- | --- | --- |")
        for change in changes(driver):
            of_before = before
            if change.instead:
                of_before = document(bench, Change(name="", expected="", environment=change.instead), cache)
            many = 1 if change.expected else REPEATS
            line, right = tried(of_before, [document(bench, change, cache) for _ in range(many)], change.expected)
            print(f"| {change.name} | {many} | {change.expected or 'nothing'} | {line} |", flush=True)
            wrong += not right
    return int(bool(wrong))


def tried(before: dict[str, object] | str, after: list[dict[str, object] | str], expected: str) -> tuple[str, bool]:
    """The last cells of a change's line, over all its repeats; and whether it moved what it should in each."""
    ids, names, right = dict[str, None](), dict[str, None](), True
    for each in after:
        if isinstance(before, str) or isinstance(each, str):
            return f"not tried: {before if isinstance(before, str) else each} | ", True
        moved = [name for name in IDS if each[name] != before[name]]
        fields = [*differing(before, each)]
        changed = {*moved, *(name.rpartition(".")[2] for name in fields), *(name.split(".")[1] for name in fields)}
        right &= expected in changed if expected else not moved
        right &= expected in IDS or not moved
        ids |= dict.fromkeys(f"`{name}`" for name in moved)
        names |= dict.fromkeys(fields)
    wrong = "" if right else " **(wrong)**"
    return f"{', '.join(ids) or 'equal'}{wrong} | {', '.join(names) or 'none'}", right


def document(bench: str, change: Change, cache: str) -> dict[str, object] | str:
    """The fingerprint under this change; a text says why it could not be made."""
    command = f"{shlex.quote(bench)} dna --json --when-busy share"
    if change.cpus:
        command = f"taskset -c {change.cpus} {command}"
    if change.uts or change.mounts:
        kinds = "-m " * bool(change.mounts) + "-u " * change.uts
        script = change.mounts + ("hostname zebra-of-arc; " if change.uts else "") + f"exec {command}"
        command = f"unshare {kinds}bash -ec {shlex.quote(script)}"
    group = None
    if change.group:
        group = next((each for each in map(Path, ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup")) if each.is_dir()), None)
        if group is None:
            return "no control groups here"
        group /= f"bench-ids-{os.getpid()}"
        try:
            group.mkdir()
            for word in change.group.replace(" 100000", "_100000").split():
                name, _, value = word.partition("=")
                if (group / name).exists():
                    (group / name).write_text(value.replace("_", " "))
        except OSError as error:
            return str(error.strerror)
        command = f"bash -c {shlex.quote(f'echo $$ >{group}/cgroup.procs; exec {command}')}"
    environment = {**os.environ, "BENCH_CACHE_DIR": cache, **change.environment}
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, env=environment, cwd="/"
    )
    if group is not None:
        group.rmdir()
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def differing(a: dict[str, object], b: dict[str, object]) -> Iterator[str]:
    """Fields that `bench dna --diff` would name, canaries left out: their id stands for them."""
    from bench.analysis.comparing import dna_effects
    from bench.dna.fingerprint import of_document

    rows = [[of_document(each).row("", "")] for each in (a, b)]
    (mine, unread), (theirs, more) = map(dna_effects.facts, rows)
    for each in dna_effects.differences(mine, theirs, unread | more):
        if not each.field.startswith("numeric."):
            yield each.field


if __name__ == "__main__":
    sys.exit(main())
