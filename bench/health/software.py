"""Whether there is a torch, what it can drive, and whether it runs and computes what it did the last time."""

from bench.dna import numbers
from bench.dna.child import Child, DoesNotRunError
from bench.dna.facts import UnavailableError
from bench.dna.fingerprint import fingerprint
from bench.dna.machine import CPU_ONLY, Machine
from bench.dna.nvidia import counted
from bench.health.check import Check, ok, refusal, warning


def torch_check(machine: Machine) -> Check:
    """The installed torch against the devices that are here. Told from its files: importing it takes seconds."""
    if machine.torch_version is None:
        fix = "uv pip install --torch-backend=auto torch torchvision"
        return refusal("torch", "torch is not installed", fix)
    torch = f"torch {machine.torch_version}"
    if machine.cards.names and machine.torch_build == CPU_ONLY:
        gpus = f"{len(machine.cards.names)} NVIDIA GPU{'s' * (len(machine.cards.names) != 1)}"
        return warning(
            "torch",
            f"{torch} is a {CPU_ONLY} build, of no use to the {gpus} here",
            "uv pip install --torch-backend=auto --reinstall torch torchvision",
        )
    if machine.cards.hidden and not machine.cards.names:
        return warning(
            "torch",
            f"CUDA_VISIBLE_DEVICES={machine.cuda_visible_devices!r} hides every GPU of this machine",
            "unset CUDA_VISIBLE_DEVICES, unless that is meant",
        )
    devices = [counted(machine.cards.names)] if machine.cuda_devices else []
    devices += ["the Apple GPU"] if machine.mps else []
    devices += [_cores(machine)]
    return ok("torch", f"{torch} ({machine.torch_build or 'unknown'} build): {', '.join(devices)}")


def _cores(machine: Machine) -> str:
    """The CPUs that this process may use, as what they are."""
    many = len(machine.cpu_ids)
    words = machine.cores.words(machine.cpu_ids)
    return f"{many} CPU{'s' * (many != 1)} ({words})" if words else f"{many} CPU core{'s' * (many != 1)}"


def numbers_checks(machine: Machine, begun: Child) -> list[Check]:
    """Has the canary operations run, a second or two, and compares them with those that were kept.

    Nothing where torch is not installed, which another check says.

    Args:
        machine: what of this host there is.
        begun: their process (`bench.dna.numbers.begin`), for as many threads as there are cores.
    """
    if machine.torch_version is None:
        return []
    found = fingerprint()
    here = numbers.Circumstances(found.hw_id, found.sw_id, len(machine.cpu_ids))
    before = numbers.remembered(here)
    try:
        now = numbers.measure(here, keep=before is None, begun=begun)
    except DoesNotRunError as error:
        fix = "see the whole error: python -c 'import torch; print(torch.ones(2) @ torch.ones(2))'"
        return [refusal("numbers", f"torch does not run here: {error}", fix)]
    except UnavailableError as error:
        fix = "end what else runs (see: top), and look again"
        return [warning("numbers", f"torch could not be tried: {error}", fix)]
    if before is None:
        text = (
            f"torch runs; the bits of {len(now['one_thread'])} operations are kept, to be compared with the next ones"
        )
        return [ok("numbers", text)]
    differ = [
        name
        for name in now["one_thread"]
        if any(now[each].get(name) != before[each].get(name) for each in ("one_thread", "all_threads"))
    ]
    if not differ:
        text = f"torch runs; numbers as last time, bit for bit in {len(now['one_thread'])} operations"
        return [ok("numbers", text)]
    text = f"numbers are not those of last time, on the same hardware and software: {', '.join(differ)}"
    fix = "look again: bits that change by themselves mean that memory or a CPU fails; bits that stay changed, that a\n"
    fix += f"    library was replaced behind torch (then remove {numbers.kept_in(here)})"
    return [warning("numbers", text, fix)]
