"""/proc/cpuinfo of several architectures. The texts are in the forms of the kernel's `show_cpuinfo` (arch/*/kernel)."""

import pytest

from bench.dna import cpuinfo, linux
from bench.dna.facts import AbsentError

ARM = """processor : {0}
BogoMIPS : 48.00
Features : fp asimd aes sha2 crc32 atomics
CPU implementer : 0x41
CPU architecture: 8
CPU variant : 0x1
CPU part : {1}
CPU revision : 0
"""
PI = "Hardware : BCM2835\nRevision : c03112\nSerial : 10000000zebra\nModel : Raspberry Pi 4 Model B\n"
RISCV = (
    "processor : {0}\nhart : {0}\nisa : {1}\nmmu : sv39\nuarch : {2}\nmvendorid : 0x489\nmarchid : 0x8\nmimpid : 0x4\n"
)
S390X = """vendor_id : IBM/S390
# processors : 2
features : esan3 zarch dfp vx vxe
processor 0: version = FF, identification = 0ZEBRA, machine = 8561
processor 1: version = FF, identification = 0ZEBRA, machine = 8561

cpu number : 0
physical id : 1
core id : 0
machine : 8561

cpu number : 1
physical id : 1
core id : 1
machine : 8561
"""
POWER = """processor : 0
cpu : POWER9, altivec supported
clock : 2166.0MHz
revision : 2.2 (pvr 004e 1202)

processor : 1
cpu : POWER9, altivec supported
clock : 2166.0MHz
revision : 2.2 (pvr 004e 1202)

timebase : 512000000
platform : PowerNV
model : 8335-GTH
machine : PowerNV 8335-GTH
"""
LOONG = """system type : generic-loongson-machine

processor : 0
package : 0
core : 0
CPU Family : Loongson-64bit
Model Name : Loongson-3A6000
Features : cpucfg lam ual fpu lsx lasx crc32
"""


@pytest.fixture
def facts(tmp_path):
    """The facts of a machine whose /proc/cpuinfo has this text."""

    def read(text):
        (tmp_path / "proc").mkdir(exist_ok=True)
        (tmp_path / "proc/cpuinfo").write_bytes(text if isinstance(text, bytes) else text.encode())
        return linux.identity(tmp_path)

    return read


def boards(*parts):
    return "\n".join(ARM.format(number, part) for number, part in enumerate(parts))


def test_every_kind_of_core_is_told_where_there_are_several(facts):
    small, large = facts(boards("0xd05", "0xd0b")), facts(boards("0xd05", "0xd44"))
    assert small.values["cpu_model"] == large.values["cpu_model"] == "0xd05", "the first is the same"
    assert small.values["cpu_kinds"] == {"0x41 0xd05": 1, "0x41 0xd0b": 1}
    assert small.values["cpu_kinds"] != large.values["cpu_kinds"]
    assert facts(boards("0xd05", "0xd05", "0xd0b")).values["cpu_kinds"] != small.values["cpu_kinds"]
    assert "cpu_kinds" not in facts(boards("0xd0b", "0xd0b")).values


def test_a_board_s_own_name_and_serial_are_no_processor_s(facts):
    found = facts(boards("0xd08") + "\n" + PI)
    assert found.values["cpu_model"] == "0xd08"
    assert "Raspberry" not in str(found)
    assert "zebra" not in str(found)


def test_risc_v_is_told_by_its_registers_and_its_extensions(facts):
    vector = facts(RISCV.format(0, "rv64imafdcv_zba_zbb", "sifive,x280"))
    assert (vector.values["cpu_vendor"], vector.values["cpu_model"]) == ("0x489", "sifive,x280")
    assert vector.values["cpu_isa"] == ["a", "c", "d", "f", "i", "m", "rv64", "v", "zba", "zbb"]
    mixed = facts(RISCV.format(0, "rv64imac", "sifive,s7") + "\n" + RISCV.format(1, "rv64imafdc", "sifive,u74-mc"))
    assert len(mixed.values["cpu_kinds"]) == 2


def test_a_mainframe_is_told_by_what_stands_above_its_processors(facts):
    found = facts(S390X)
    assert (found.values["cpu_vendor"], found.values["cpu_model"]) == ("IBM/S390", "8561")
    assert found.values["cpu_isa"] == ["dfp", "esan3", "vx", "vxe", "zarch"]
    assert found.values["cpu_threads"] == 2
    assert "ZEBRA" not in str(found)


def test_power_is_told_by_its_processor_and_never_by_its_board(facts):
    found = facts(POWER)
    assert found.values["cpu_model"] == "POWER9, altivec supported"
    assert found.values["cpu_isa"] == ["altivec"]
    assert found.unavailable["cpu_vendor"].startswith("absent: ")
    assert "8335" not in str(found)


def test_loongarch_lists_its_instructions(facts):
    found = facts(LOONG)
    assert found.values["cpu_brand"] == "Loongson-3A6000"
    assert "lasx" in found.values["cpu_isa"]
    assert "cpu_vendor" not in found.values


def test_text_that_cannot_be_decoded_costs_nothing(facts):
    assert facts(ARM.format(0, "0xd0b").encode() + b"Hardware : \xf8\x55\n").values["cpu_model"] == "0xd0b"


@pytest.mark.parametrize("text", ["", "nothing here\n", "processor : x\n"])
def test_a_file_without_processors_costs_its_facts_only(facts, text):
    found = facts(text)
    assert found.unavailable["cpu_threads"].startswith("unreadable: ")
    assert not any(name.startswith("cpu_") for name in found.values)


def test_an_unknown_field_is_absent_and_not_zero(facts, tmp_path):
    facts(ARM.format(0, "0xd0b"))
    with pytest.raises(AbsentError):
        cpuinfo.first(cpuinfo.read(tmp_path), cpuinfo.BRAND)


@pytest.mark.parametrize("installed", [2, 8, 16, 32, 64, 96, 128, 256, 512, 1024, 1536, 4096])
def test_installed_memory_is_the_same_whatever_the_kernel_keeps_of_it(installed):
    for left in (0.995, 0.984, 0.972, 0.95, 0.94):
        assert linux.memory_class_gib(round(installed * left * 2**20)) == installed


@pytest.mark.parametrize("gib", [7.495, 15.495, 31.495, 62.495, 125.495, 251.495])
def test_ten_mib_more_or_less_are_no_other_machine(gib):
    assert linux.memory_class_gib(round(gib * 2**20)) == linux.memory_class_gib(round((gib + 0.01) * 2**20))
