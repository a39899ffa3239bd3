"""What software this is, read from files: nothing here imports torch."""

import importlib.util
import platform
import re
import sys
from collections.abc import Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from bench import plugins
from bench.dna import variables
from bench.dna.facts import AbsentError, Facts, UnavailableError, gather, merge, text_of
from bench.dna.gpu import Gpus
from bench.version import __version__

# Told, not part of the identity: each row's method_version says what a version of ours changes in the numbers.
OURS = "scaling-bench"
_PACKAGES = ("torch", "torchvision", "numpy", "pillow")
_OPTIONAL = ("timm", "triton")  # no gap where they are not installed


def read(gpus: Gpus) -> Facts:
    """Operating system, Python, the packages that make the numbers, and the graphics driver.

    Args:
        gpus: what the graphics driver gave (`bench.dna.gpu.read`).
    """
    system = gather(
        {
            "os": _os,
            "kernel": lambda: f"{platform.system()} {platform.release()}",
            "libc": _libc,
            "python": lambda: f"{platform.python_implementation()} {platform.python_version()}",
            "variables": variables.recorded,
            "torch_git": partial(_torch_build, "git_version"),
            **{name: partial(_version, name) for name in (*_PACKAGES, *plugins.used())},
            OURS: lambda: __version__,
        }
    )
    optional = gather({name: partial(_version, name) for name in (*_OPTIONAL, *_nvidia_packages())})
    everywhere = gather({"preloaded": variables.preloaded_everywhere})
    toolkit = gather({name: partial(_torch_build, name) for name in ("cuda", "hip")})
    return merge(
        system,
        Facts(values=optional.values, unavailable={}),
        Facts(values={f"torch_{name}": value for name, value in toolkit.values.items()}, unavailable={}),
        Facts(
            values={name: value for name, value in everywhere.values.items() if value},
            unavailable=everywhere.unavailable,
        ),
        gpus.driver,
    )


def hashed(values: Mapping[str, Any]) -> dict[str, Any]:
    """What of it makes another software: of the variables only what is preloaded, which is code of its own.

    The others change what one and the same software does, and are compared one by one.
    """
    kept = {name: value for name, value in values.items() if name not in {OURS, "variables"}}
    preloaded = {name: value for name, value in values.get("variables", {}).items() if name in variables.PRELOADS}
    return kept | preloaded


def _os() -> str:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return platform.freedesktop_os_release()["PRETTY_NAME"]


def _libc() -> str:
    name, number = platform.libc_ver()
    if not name:
        raise UnavailableError("this Python does not tell its C library")
    return f"{name} {number}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        raise AbsentError("not installed") from None


def _nvidia_packages() -> list[str]:
    """The libraries that torch brings along and whose version changes numbers or speed; none for a CPU-only build."""
    try:
        needs = requires("torch") or []
    except PackageNotFoundError:
        return []
    return sorted({found[0] for need in needs if (found := re.match(r"nvidia-(cudnn|nccl|cublas)[\w-]*", need))})


def _torch_build(name: str) -> str:
    """A line of torch/version.py, which stands in the installed package: importing it would take seconds."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        raise AbsentError("torch is not installed")
    try:
        text = text_of(Path(spec.origin).parent / "version.py")
    except OSError as error:  # the folder's name may tell whose it is
        raise UnavailableError(f"the version file of torch: {error.strerror}") from None
    found = re.search(rf"^{name}\b[^=\n]*= *'([^']+)'", text, re.MULTILINE)
    if not found:
        raise UnavailableError(f"torch/version.py does not tell {name}")
    return found[1]
