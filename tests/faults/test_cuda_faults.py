"""What only a CUDA device can show. Written beside the others and skipped, with the reason, where there is none."""

import re

import pytest

from tests.faults.faulty_studies import fault, outcome, processes_of, rows, study

pynvml = pytest.importorskip("pynvml")

pytestmark = pytest.mark.faults


def cards() -> int:
    try:
        pynvml.nvmlInit()
        return int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError:
        return 0


needs_a_card = pytest.mark.skipif(cards() < 1, reason="needs a CUDA device, and this machine shows none")
needs_two_cards = pytest.mark.skipif(cards() < 2, reason=f"needs two CUDA devices, and this machine shows {cards()}")


def on_cuda(words: tuple[object, ...]) -> tuple[object, ...]:
    return tuple("cuda" if word == "cpu" else word for word in words)


def used_bytes() -> list[int]:
    handles = (pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(cards()))
    return [pynvml.nvmlDeviceGetMemoryInfo(handle).used for handle in handles]


@needs_a_card
def test_a_full_device_is_told_as_such_and_the_next_launch_has_its_memory_back(run_bench, tmp_path, store) -> None:
    words = study(tmp_path, fault("fill-device", rank=0), ranks=1, rounds=2)
    ran = run_bench(*on_cuda(words), "--json")
    assert ran.returncode == 5, ran
    full, well = rows(store)
    assert (outcome(full), outcome(well)) == (("oom_device", 0), ("ok", None))


@needs_a_card
@pytest.mark.parametrize("what", ["kill", "spin"])
def test_no_memory_of_the_device_is_held_by_what_was_ended(run_bench, tmp_path, store, what) -> None:
    before = used_bytes()
    run_bench(*on_cuda(study(tmp_path, fault(what, rank=0), ranks=1)), "--json", BENCH_STALL="5")
    [row] = rows(store)
    assert outcome(row) == ("killed" if what == "kill" else "hang", 0)
    assert processes_of(tmp_path) == []
    margin = 64 * 2**20  # the driver's own housekeeping
    assert all(now < then + margin for now, then in zip(used_bytes(), before, strict=True))


@needs_two_cards
@pytest.mark.parametrize("what", ["stop", "hang"])
def test_a_collective_of_nccl_that_hangs_ends_as_a_row_with_the_flight_recorders_dump(
    run_bench, tmp_path, store, what
) -> None:
    words = study(tmp_path, fault(what), rounds=2)
    ran = run_bench(*on_cuda(words), "--json", BENCH_STALL="15", timeout_s=600)
    assert ran.returncode == 5, ran
    hung, well = rows(store)
    assert hung.status == "hang"
    assert hung.failed_rank in ({1} if what == "stop" else {1, None})  # and never rank 0, which waits
    assert outcome(well) == ("ok", None)
    dumps = list(store.glob("studies/*/logs/*r00p00*/nccl_trace_rank_*"))
    assert any(re.search(r"rank_0$", dump.name) and dump.stat().st_size for dump in dumps)


@needs_two_cards
def test_a_full_device_of_one_rank_is_not_blamed_on_the_other(run_bench, tmp_path, store) -> None:
    run_bench(*on_cuda(study(tmp_path, fault("fill-device"))), "--json")
    assert [outcome(row) for row in rows(store)] == [("oom_device", 1)]
