"""GPUs before and after, on a driver that answers as told. No card stands behind these tests."""

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.dna import nvidia
from bench.dna.machine import Machine
from bench.health import Check, GpuMemory, gpu, postflight
from bench.health.capacity import Demand
from bench.health.check import tolerated

GIB = 2**30
FOUR = Machine(cpu_ids=(0, 1), pinnable=True, memory_bytes=16 * GIB, cards=nvidia.NvidiaCards(names=("H100",) * 4))
TWO_CARDS = Demand(device="cuda", ranks=2, cuda_devices=2, oversubscribed=False, store_bytes=0)


class NVMLError(Exception):
    pass


class FakeNvml:
    """Four idle H100; what differs is given by the name of the call without `nvmlDeviceGet`, an error for `refuses`."""

    NVMLError = NVMLError

    def __init__(self, refuses=(), init=None, **answers):
        self.opened = 0
        self._init = init
        self._refuses = set(refuses)
        self._answers = {
            "UUID": lambda card: f"GPU-{card}",
            "ComputeRunningProcesses": [],
            "GraphicsRunningProcesses": [],
            "MemoryInfo": SimpleNamespace(used=GIB // 2, total=80 * GIB),
            "RemappedRows": (0, 0, 0, 0),
            "TotalEccErrors": 0,
            "CurrentClocksThrottleReasons": 0x1,
            "EnforcedPowerLimit": 700_000,
            "PowerManagementDefaultLimit": 700_000,
        } | answers

    def nvmlInit(self):
        if self._init:
            raise NVMLError(self._init)
        self.opened += 1

    def nvmlShutdown(self):
        self.opened -= 1

    def nvmlDeviceGetCount(self):
        return 4

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def __getattr__(self, call):
        name = call.removeprefix("nvmlDeviceGet")

        def ask(card, *_):
            if name in self._refuses:
                raise NVMLError("Not Supported")
            answer = self._answers[name]
            return answer(card) if callable(answer) else answer

        return ask


def process(pid):
    return SimpleNamespace(pid=pid)


def unwell(nvml, cards=(0,)):
    return {check.name: check for check in gpu.checks(cards, nvml) if check.level != "ok"}


def test_idle_cards_are_well_and_every_check_is_told_for_each():
    nvml = FakeNvml()
    found = gpu.checks((0, 1), nvml)
    assert {check.level for check in found} == {"ok"}
    assert len(found) == 2 * 5
    assert nvml.opened == 0


@pytest.mark.parametrize(
    ("visible", "cards"), [(None, (0, 1)), ("3,1,0", (3, 1)), ("GPU-2", (2,)), ("", ()), ("MIG-a", ())]
)
def test_the_planned_cards_are_the_first_visible_ones(visible, cards):
    machine = Machine(cpu_ids=(0,), pinnable=True, memory_bytes=1, cuda_visible_devices=visible)
    assert gpu.planned(TWO_CARDS, machine, FakeNvml()) == cards


def test_off_cuda_and_without_a_driver_nothing_is_asked():
    class Untouchable:
        def __getattr__(self, name):
            raise AssertionError(name)

    on_cpu = Demand(device="cpu", ranks=2, cuda_devices=0, oversubscribed=False, store_bytes=0)
    assert gpu.planned(on_cpu, FOUR, Untouchable()) == ()
    assert gpu.checks((), Untouchable()) == []
    assert postflight(GpuMemory.before((), Untouchable()), nvml=Untouchable()) == []
    assert gpu.planned(TWO_CARDS, FOUR, FakeNvml(init="Driver Not Loaded")) == ()
    assert GpuMemory.before((0,), FakeNvml(init="Driver Not Loaded")).used_bytes == {}


def test_other_people_s_computing_on_a_planned_card_is_a_refusal_with_their_number():
    nvml = FakeNvml(ComputeRunningProcesses=lambda card: [process(4711), process(4712)] if card == 1 else [])
    check = unwell(nvml, (0, 1))["gpu_processes"]
    assert (check.level, check.text) == ("refusal", "GPU 1 is in use: 2 other processes compute on it")
    assert "CUDA_VISIBLE_DEVICES" in check.fix
    assert "4711" not in check.text + check.fix
    assert unwell(nvml, (0, 2)) == {}


def test_who_says_to_measure_beside_others_is_warned_of_them_and_of_nothing_less():
    ours = [Check(name="gpu_processes", level="refusal", text="in use"), Check(name="memory", level="refusal", text="")]
    assert [each.level for each in tolerated(ours, "gpu_processes")] == ["warning", "refusal"]
    assert [each.text for each in tolerated(ours, "gpu_processes")] == ["in use", ""]


def test_a_desktop_and_we_ourselves_are_nobody_s_computing():
    nvml = FakeNvml(
        ComputeRunningProcesses=[process(os.getpid()), process(900)], GraphicsRunningProcesses=[process(900)]
    )
    assert unwell(nvml) == {}


@pytest.mark.parametrize(
    ("answers", "name", "words"),
    [
        ({"MemoryInfo": SimpleNamespace(used=9 * GIB, total=80 * GIB)}, "gpu_memory", "9.0 of 80 GiB"),
        ({"RemappedRows": (1, 0, 1, 0)}, "gpu_errors", "wait to be replaced"),
        ({"RemappedRows": (1, 0, 0, 1)}, "gpu_errors", "could not be replaced"),
        ({"TotalEccErrors": 3}, "gpu_errors", "3 memory errors"),
        ({"CurrentClocksThrottleReasons": 0x48}, "gpu_throttling", "hardware slowdown, temperature (hardware)"),
        ({"EnforcedPowerLimit": 450_000}, "gpu_power_limit", "450 W, 700 W by default"),
    ],
)
def test_a_card_that_is_not_at_its_best_is_a_warning_with_what_and_how(answers, name, words):
    found = unwell(FakeNvml(**answers))
    assert list(found) == [name]
    assert found[name].level == "warning"
    assert words in found[name].text
    assert found[name].fix


def test_a_card_that_tells_little_costs_those_checks_only():
    asked = {"RemappedRows", "TotalEccErrors", "EnforcedPowerLimit", "GraphicsRunningProcesses"}
    found = gpu.checks((0,), FakeNvml(refuses=asked))
    assert [check.name for check in found] == ["gpu_processes", "gpu_memory", "gpu_throttling"]


def test_a_card_that_fell_off_the_bus_is_a_warning_and_no_error():
    class Lost(FakeNvml):
        def nvmlDeviceGetHandleByIndex(self, index):
            raise NVMLError("GPU is lost")

    nvml = Lost()
    machine = replace(FOUR, cards=nvidia.look(None, library=nvml))
    assert gpu.planned(TWO_CARDS, machine, nvml) == ()
    checks = gpu.present(machine)
    assert [(check.name, check.level) for check in checks] == [("gpu_broken", "warning")] * 4
    assert "GPU is lost" in checks[3].text
    assert "GPU 3" in checks[3].text
    assert nvml.opened == 0


class Time:
    def __init__(self):
        self.now = 0.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def after(time, nvml, before=(GIB,)):
    memory = GpuMemory(used_bytes=dict(enumerate(before)))
    return postflight(memory, nvml=nvml, clock=time.clock, sleep=time.sleep)


def used(bytes_used):
    return SimpleNamespace(used=bytes_used, total=80 * GIB)


def test_memory_that_comes_back_in_time_is_waited_for_and_well():
    time = Time()
    nvml = FakeNvml(MemoryInfo=lambda _: used(30 * GIB if time.now < 3 else GIB + 2**20))
    assert after(time, nvml) == []
    assert 3 <= time.now < 4
    assert nvml.opened == 0


def test_memory_that_is_back_at_once_costs_no_waiting():
    time = Time()
    assert after(time, FakeNvml(MemoryInfo=used(GIB))) == []
    assert time.now == 0


def test_memory_that_does_not_come_back_names_the_processes_that_hold_it():
    time = Time()
    nvml = FakeNvml(
        MemoryInfo=lambda card: used(3 * GIB if card else GIB), ComputeRunningProcesses=[process(12), process(7)]
    )
    (check,) = after(time, nvml, before=(GIB, GIB))
    assert check.level == "refusal"
    assert check.text == "GPU 1 holds 2.0 GiB more than before the launch, 10 s after it, in processes 7, 12"
    assert "kill 7 12" in check.fix
    assert 10 <= time.now < 11


@pytest.mark.parametrize("nvml", [{}, {"refuses": {"ComputeRunningProcesses"}}])
def test_memory_that_nobody_is_seen_to_hold_is_only_less_memory(nvml):
    (check,) = after(Time(), FakeNvml(MemoryInfo=used(5 * GIB), **nvml))
    assert check.level == "warning"
    assert "nobody is seen" in check.text


def test_a_driver_that_stops_answering_afterwards_raises_nothing():
    assert after(Time(), FakeNvml(refuses={"MemoryInfo"})) == []
    assert GpuMemory.before((0, 1), FakeNvml(MemoryInfo=lambda card: used(card * GIB))).used_bytes == {0: 0, 1: GIB}
