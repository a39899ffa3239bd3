"""Whether there is a torch, and what it can drive. Told from its files: importing it takes seconds."""

from bench.dna.machine import CPU_ONLY, Machine
from bench.health.check import OK, REFUSAL, WARNING, Check


def checks(machine: Machine) -> list[Check]:
    """The installed torch against the devices that are here."""
    if machine.torch_version is None:
        fix = "uv pip install --torch-backend=auto torch torchvision"
        return [Check(name="torch", level=REFUSAL, text="torch is not installed", fix=fix)]
    torch = f"torch {machine.torch_version}"
    if machine.cuda and machine.torch_build == CPU_ONLY:
        gpus = f"{len(machine.cuda)} NVIDIA GPU{'s' * (len(machine.cuda) != 1)}"
        return [
            Check(
                name="torch",
                level=WARNING,
                text=f"{torch} is a {CPU_ONLY} build, of no use to the {gpus} here",
                fix="uv pip install --torch-backend=auto --reinstall torch torchvision",
            )
        ]
    if machine.cuda_hidden and not machine.cuda:
        return [
            Check(
                name="torch",
                level=WARNING,
                text=f"CUDA_VISIBLE_DEVICES={machine.cuda_visible_devices!r} hides every GPU of this machine",
                fix="unset CUDA_VISIBLE_DEVICES, unless that is meant",
            )
        ]
    devices = [f"{machine.cuda_devices} x {machine.cuda[0]}"] if machine.cuda_devices else []
    devices += ["the Apple GPU"] if machine.mps else []
    devices += [f"{len(machine.cpu_ids)} CPU cores"]
    return [
        Check(name="torch", level=OK, text=f"{torch} ({machine.torch_build or 'unknown'} build): {', '.join(devices)}")
    ]
