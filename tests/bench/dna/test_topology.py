"""Which CPUs are cores, from files in the kernel's form."""

import pytest

from bench.dna import topology
from bench.dna.machine import Machine
from bench.plan import Configuration
from bench.planning import placement


@pytest.fixture
def cores(tmp_path):
    """A machine: for each CPU its siblings, and its capacity or highest clock."""

    def read(siblings, strength=None, name="cpu_capacity", allowed=None):
        for cpu, text in siblings.items():
            folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}"
            (folder / "topology").mkdir(parents=True, exist_ok=True)
            (folder / "cpufreq").mkdir(exist_ok=True)
            (folder / "topology/thread_siblings_list").write_text(f"{text}\n")
            if strength:
                (folder / name).write_text(f"{strength[cpu]}\n")
        return topology.read(allowed or tuple(siblings), tmp_path)

    return read


SMT = {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}


def row(ranks=1, cores=1):
    return Configuration(
        strategy="ddp" if ranks > 1 else "single",
        ranks=ranks,
        device="cpu",
        backend="gloo",
        cores_per_rank=cores,
        batch_per_rank=1,
        batch_global=ranks,
    )


def on(found):
    cpus = tuple(sorted(found.order))
    return Machine(cpu_ids=cpus, pinnable=True, memory_bytes=1, topology=found)


def test_two_threads_of_one_core_are_one_core(cores):
    found = cores(SMT)
    assert (len(found.cores), found.places, found.order) == (2, 2, (0, 1, 2, 3))
    assert found.words((0, 1)) == ""
    assert found.words((0, 2)) == "2 threads of 1 core"
    assert found.words((0, 1, 2, 3)) == "4 threads of 2 cores"


def test_one_core_with_two_threads_still_gives_two_places_and_says_what_they_are(cores):
    found = cores({0: "0-1", 1: "0-1"})
    assert found.places == 2
    assert placement.words([row(2)], on(found)) == {row(2).key: "2 threads of 1 core"}


def test_ranks_get_whole_cores_and_both_threads_of_theirs_where_there_are_too_few(cores):
    machine = on(cores(SMT))
    assert placement.cores_of(row(2), machine) == ((0,), (1,))
    assert placement.cores_of(row(2, 2), machine) == ((0, 2), (1, 3))
    assert placement.cores_of(row(1, 2), machine) == ((0, 1),)


def test_strong_cores_are_taken_first_and_a_mixture_is_told(cores):
    little = dict.fromkeys(range(4), 300) | dict.fromkeys(range(4, 6), 1024)
    found = cores({cpu: str(cpu) for cpu in range(6)}, little)
    assert found.order[:2] == (4, 5)
    assert found.places == 2, "as many as there are of the strongest kind"
    machine = on(found)
    assert placement.words([row(2)], machine) == {}
    assert placement.words([row(4)], machine)[row(4).key].startswith("2 x ")
    (note,) = placement.notes([row(4)], machine, "cpu")
    assert "unlike cores wait for the slowest" in note


def test_cores_with_a_little_more_turbo_are_of_the_same_kind(cores):
    clocks = {0: 5_700_000, 1: 5_700_000, 2: 5_400_000, 3: 5_200_000}
    assert cores({cpu: str(cpu) for cpu in range(4)}, clocks, "cpufreq/cpuinfo_max_freq").places == 4
    dense = {0: 5_100_000, 1: 5_100_000, 2: 3_300_000, 3: 3_300_000}
    assert cores({cpu: str(cpu) for cpu in range(4)}, dense, "cpufreq/cpuinfo_max_freq").places == 2


def test_hybrid_x86_is_told_by_the_kernel_s_own_names(cores, tmp_path):
    for name, cpus in (("cpu_core", "0-3"), ("cpu_atom", "4-5")):
        (tmp_path / f"sys/devices/{name}").mkdir(parents=True)
        (tmp_path / f"sys/devices/{name}/cpus").write_text(f"{cpus}\n")
    found = cores({0: "0-1", 1: "0-1", 2: "2-3", 3: "2-3", 4: "4", 5: "5"})
    assert found.words((0, 2, 4)) == "2 x P core, 1 x E core"
    assert found.order == (0, 2, 4, 5, 1, 3)


def test_a_mask_of_half_a_core_leaves_that_half(cores):
    found = cores(SMT, allowed=(0, 2))
    assert (found.order, found.places) == ((0, 2), 2)


def test_where_nothing_is_told_every_thread_is_a_core_and_that_is_known(tmp_path):
    found = topology.read((0, 1), tmp_path)
    assert (found.order, found.known) == ((0, 1), False)


def test_siblings_come_from_proc_where_sys_is_hidden(tmp_path):
    (tmp_path / "proc").mkdir()
    block = "processor : {}\nphysical id : 0\ncore id : {}\nsiblings : 4\nflags : sse\n"
    (tmp_path / "proc/cpuinfo").write_text("\n".join(block.format(cpu, cpu % 2) for cpu in range(4)))
    found = topology.read((0, 1, 2, 3), tmp_path)
    assert [core.threads for core in found.cores] == [(0, 2), (1, 3)]


@pytest.mark.parametrize(("text", "cpus"), [("0-3,8", (0, 1, 2, 3, 8)), ("5", (5,)), ("", ())])
def test_the_kernel_s_lists_are_read(text, cpus):
    assert topology.cpu_set(text) == cpus
