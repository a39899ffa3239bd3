"""Files in the form of the kernel's, in a folder that stands in for the root."""

import shutil

X86 = """processor\t: {number}
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R)  Platinum 8480+
stepping\t: 8
microcode\t: {microcode}
cpu MHz\t\t: {mhz}
flags\t\t: fpu sse sse2 {extra} avx avx2 avx512f amx_bf16 hypervisor sme smep
bogomips\t: {mhz}
"""


def a_linux(root, *, text=X86, cores=4, threads_per_core=2, memory_kb=65_786_000, **changes):
    """A folder with the parts of /proc and /sys that are read."""
    document = {"microcode": "0x2b", "mhz": 2000.0, "extra": ""} | changes
    shutil.rmtree(root, ignore_errors=True)
    (root / "proc").mkdir(parents=True)
    threads = cores * threads_per_core
    blocks = [text.format(number=number, **document) for number in range(threads)]
    (root / "proc/cpuinfo").write_text("\n".join(blocks) + "\n")
    (root / "proc/meminfo").write_text(f"MemTotal:       {memory_kb} kB\nMemFree:        1234 kB\n")
    for number in range(threads):
        topology = root / f"sys/devices/system/cpu/cpu{number}/topology"
        topology.mkdir(parents=True)
        core = number % cores
        (topology / "thread_siblings_list").write_text(f"{core},{core + cores}\n")
        (topology / "physical_package_id").write_text(f"{core * 2 // cores}\n")
    for place, (level, kind, size) in enumerate([(1, "Data", 48), (1, "Instruction", 32), (2, "Unified", 2048)]):
        folder = root / f"sys/devices/system/cpu/cpu0/cache/index{place}"
        folder.mkdir(parents=True)
        (folder / "level").write_text(f"{level}\n")
        (folder / "type").write_text(f"{kind}\n")
        (folder / "size").write_text(f"{size}K\n")
    for node in range(2):
        (root / f"sys/devices/system/node/node{node}").mkdir(parents=True)
    return root
