"""What hardware this is: facts that stay through a reboot, another load, another user and another locale."""

import platform
import sys

from bench.dna import cpu_label, linux, macos
from bench.dna.facts import Facts, gather, merge
from bench.dna.gpu import Gpus

# Told to people, not part of the identity: it may come from a program that can time out.
LABELS = ("cpu_label",)


def read(gpus: Gpus) -> Facts:
    """The stable facts of this machine.

    Args:
        gpus: what the graphics driver told (`bench.dna.gpu.read`).
    """
    cpu = macos.identity() if sys.platform == "darwin" else linux.identity()
    architecture = gather({"cpu_architecture": platform.machine})
    label = gather({"cpu_label": lambda: cpu_label.read(cpu.values)})
    return merge(architecture, label, cpu, gpus.identity)
