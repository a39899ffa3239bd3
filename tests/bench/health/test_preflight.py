"""The whole look at a machine before a study, and what stops one."""

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.dna.machine import CPU_ONLY, here
from bench.dna.nvidia import NvidiaCards
from bench.errors import CannotError
from bench.health import Check, as_it_is, cards, preflight, refuse, software


def test_a_look_at_this_machine_finds_out_something_and_changes_nothing(a_plan, tmp_path):
    found = {check.name: check for check in preflight(a_plan(), here(), tmp_path / "results")}
    assert {"memory", "store"} <= set(found)
    assert found["store"].level == "ok"
    assert list(tmp_path.iterdir()) == []
    assert all(check.fix for check in found.values() if check.level != "ok")
    assert cards(a_plan(), here()) == ()


def test_the_worst_comes_first(a_plan, tmp_path):
    (tmp_path / "a-file").touch()
    found = preflight(a_plan(oversubscribed=True), here(), tmp_path / "a-file" / "results")
    assert found[0].name == "store"
    places = ["refusal", "warning", "ok"]
    assert [check.level for check in found] == sorted((check.level for check in found), key=places.index)


def test_a_plan_on_cuda_looks_at_its_cards(a_plan, tmp_path):
    plan = a_plan()
    on_cuda = replace(plan.baseline, device="cuda")
    plan = replace(plan, baseline=on_cuda, configurations=(on_cuda,))

    class Busy:
        class NVMLError(Exception):
            pass

        nvmlInit = nvmlShutdown = staticmethod(lambda: None)  # noqa: N815 - the library's own names
        nvmlDeviceGetCount = staticmethod(lambda: 1)  # noqa: N815
        nvmlDeviceGetHandleByIndex = staticmethod(lambda index: index)  # noqa: N815
        nvmlDeviceGetUUID = staticmethod(lambda _: "GPU-0")  # noqa: N815
        nvmlDeviceGetComputeRunningProcesses = staticmethod(lambda _: [SimpleNamespace(pid=1)])  # noqa: N815

        def __getattr__(self, _):
            def ask(*_):
                raise self.NVMLError("Not Supported")

            return ask

    machine = replace(here(), cards=NvidiaCards(names=("H100",)), cuda_visible_devices=None)
    assert cards(plan, machine, nvml=Busy()) == (0,)
    found = preflight(plan, machine, tmp_path, nvml=Busy())
    assert (found[0].name, found[0].level) == ("gpu_processes", "refusal")
    with pytest.raises(CannotError, match="GPU 0 is in use"):
        refuse(found)
    beside = preflight(plan, machine, tmp_path, share=True, nvml=Busy())
    assert [each.level for each in beside if each.name == "gpu_processes"] == ["warning"]
    refuse(beside)


def a_refusal(text):
    return Check(name="x", level="refusal", text=text, fix=f"mend {text}")


def test_warnings_stop_nothing():
    refuse([])
    refuse([Check(name="load", level="warning", text="busy", fix="wait"), Check(name="y", level="ok", text="well")])


def test_a_refusal_is_an_error_with_its_fix_in_four_lines_at_most():
    with pytest.raises(CannotError) as error:
        refuse([Check(name="y", level="ok", text="well"), a_refusal("this")])
    assert error.value.lines == ["error: this", "  mend this"]
    assert error.value.code == 3


def test_of_several_refusals_the_first_is_told_and_the_others_counted():
    with pytest.raises(CannotError) as error:
        refuse([a_refusal("this"), a_refusal("that"), a_refusal("more")])
    assert error.value.lines == ["error: this", "  and 2 more reasons not to start: bench doctor", "  mend this"]


@pytest.mark.parametrize(
    ("changes", "level", "words"),
    [
        ({"torch_version": None}, "refusal", "not installed"),
        (
            {"torch_build": CPU_ONLY, "cards": NvidiaCards(names=("H100", "H100"))},
            "warning",
            "of no use to the 2 NVIDIA GPUs",
        ),
        ({"torch_build": "CUDA 13.2", "cards": NvidiaCards(names=("H100", "H100"))}, "ok", "2 x H100"),
        ({"cards": NvidiaCards(hidden=2), "cuda_visible_devices": ""}, "warning", "hides every GPU"),
        ({"torch_build": CPU_ONLY, "cards": NvidiaCards()}, "ok", "CPU cores"),
        ({"mps": True}, "ok", "the Apple GPU"),
    ],
)
def test_torch_is_held_against_the_devices(changes, level, words):
    check = software.torch_check(replace(here(), **changes))
    assert check.level == level
    assert words in check.text
    assert bool(check.fix) == (level != "ok")


def test_the_doctor_sees_what_a_study_sees_and_torch(tmp_path):
    assert {"torch", "memory", "store"} <= {check.name for check in as_it_is(here(), tmp_path)}


def test_looking_imports_no_torch_and_no_driver_library():
    script = """
import sys
from bench.dna.machine import Machine
from bench.health import as_it_is
from pathlib import Path
as_it_is(Machine(cpu_ids=(0,), pinnable=True, memory_bytes=2**40), Path())
print([name for name in ("torch", "numpy", "pyarrow", "pynvml", "rich") if name in sys.modules])
"""
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
