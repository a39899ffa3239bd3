"""Whether there is a torch, and what it can drive. Told from its files: importing it takes seconds."""

from bench.dna.machine import CPU_ONLY, Machine
from bench.dna.nvidia import counted
from bench.health.check import Check, ok, refusal, warning


def checks(machine: Machine) -> list[Check]:
    """The installed torch against the devices that are here."""
    if machine.torch_version is None:
        fix = "uv pip install --torch-backend=auto torch torchvision"
        return [refusal("torch", "torch is not installed", fix)]
    torch = f"torch {machine.torch_version}"
    if machine.cuda and machine.torch_build == CPU_ONLY:
        gpus = f"{len(machine.cuda)} NVIDIA GPU{'s' * (len(machine.cuda) != 1)}"
        return [
            warning(
                "torch",
                f"{torch} is a {CPU_ONLY} build, of no use to the {gpus} here",
                "uv pip install --torch-backend=auto --reinstall torch torchvision",
            )
        ]
    if machine.cuda_hidden and not machine.cuda:
        return [
            warning(
                "torch",
                f"CUDA_VISIBLE_DEVICES={machine.cuda_visible_devices!r} hides every GPU of this machine",
                "unset CUDA_VISIBLE_DEVICES, unless that is meant",
            )
        ]
    devices = [counted(machine.cuda)] if machine.cuda_devices else []
    devices += ["the Apple GPU"] if machine.mps else []
    devices += [_cores(machine)]
    return [ok("torch", f"{torch} ({machine.torch_build or 'unknown'} build): {', '.join(devices)}")]


def _cores(machine: Machine) -> str:
    """The CPUs that this process may use, as what they are."""
    many = len(machine.cpu_ids)
    words = machine.cores.words(machine.cpu_ids)
    return f"{many} CPU{'s' * (many != 1)} ({words})" if words else f"{many} CPU core{'s' * (many != 1)}"
