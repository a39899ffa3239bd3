"""The NVIDIA driver's library, or whatever passes for it: each call gives a value or says why not.

Packages of several names and ages install a module `pynvml`: they return bytes for text, lack functions, raise errors
of their own. A card may be lost while the others work. So every call is guarded, one by one.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.dna.facts import AbsentError, UnavailableError, plain

# Codes of nvml.h.
_NOT_SUPPORTED, _DRIVER_NOT_LOADED, _LIBRARY_NOT_FOUND = 3, 9, 12
_NOT_SUPPORTED_TEXT = "Not Supported"


class _NoDriverError(UnavailableError):
    """NVML's library or its driver is not there."""


@dataclass(frozen=True, kw_only=True)
class NvmlCard:
    """One card in the driver's order."""

    index: int
    handle: Any = None  # None where the driver does not give it
    trouble: str | None = None  # why it does not


class Driver:
    """The functions of `pynvml`, each of them guarded.

    A call that fails is an `UnavailableError` (an `AbsentError` where the card has no such thing), every text a str.
    """

    NVMLError = UnavailableError

    def __init__(self, library: Any) -> None:
        self._library = library

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._library, name, None)
        if callable(found):
            return partial(_call, found)
        if found is not None:
            return found
        if name.startswith("nvml"):
            return partial(_lacking, name)
        raise UnavailableError(f"the installed pynvml does not know {name}")


def _lacking(name: str, *_: Any) -> Any:
    raise UnavailableError(f"the installed pynvml does not know {name}")


def _call(function: Any, *arguments: Any) -> Any:
    try:
        answer = function(*arguments)
    except UnavailableError:
        raise
    except Exception as error:  # noqa: BLE001 - each package that is called pynvml has errors of its own
        text = f"NVIDIA driver: {_text_of(error)}"
        code = getattr(error, "value", None)
        if code == _NOT_SUPPORTED or _NOT_SUPPORTED_TEXT in text:
            raise AbsentError(text) from None
        if code in {_DRIVER_NOT_LOADED, _LIBRARY_NOT_FOUND} or "Not Loaded" in text or "Library Not Found" in text:
            raise _NoDriverError(text) from None
        raise UnavailableError(text) from None
    return answer.decode("utf-8", errors="replace") if isinstance(answer, bytes) else answer


def _text_of(error: Exception) -> str:
    with suppress(Exception):  # some packages fail once more while they tell of it
        if text := plain(str(error)):
            return text if type(error).__name__.startswith("NVMLError") else f"{type(error).__name__}: {text}"
    return type(error).__name__


@contextmanager
def driver(library: Any = None, root: Path = Path("/")) -> Iterator[Driver]:
    """The NVIDIA driver's library, open.

    Args:
        library: stands in for the module `pynvml` in tests.
        root: folder that holds dev/; another than `/` in tests.

    Raises:
        AbsentError: there is no driver, and no device of one.
        UnavailableError: it is there, or a device of it is, and does not answer.
    """
    asked = opened(library, root)
    try:
        yield asked
    finally:
        with suppress(UnavailableError):
            asked.nvmlShutdown()


def opened(library: Any = None, root: Path = Path("/")) -> Driver:
    """The same for the rest of this process."""
    asked = Driver(_imported() if library is None else library)
    try:
        asked.nvmlInit()
    except _NoDriverError as error:
        if nodes := device_nodes(root):
            raise UnavailableError(f"{error}, though {nodes[0]} is there") from None
        raise AbsentError(str(error)) from None
    return asked


def cards(asked: Driver) -> tuple[NvmlCard, ...]:
    """Every card that the driver counts, the ones that it does not give included.

    Raises:
        UnavailableError: it does not even count them.
    """
    found, many = [], asked.nvmlDeviceGetCount()
    if not isinstance(many, int):
        raise UnavailableError("the installed pynvml does not count the cards")
    for index in range(many):
        try:
            found.append(NvmlCard(index=index, handle=asked.nvmlDeviceGetHandleByIndex(index)))
        except UnavailableError as error:
            found.append(NvmlCard(index=index, trouble=str(error)))
    return tuple(found)


def device_nodes(root: Path = Path("/")) -> tuple[str, ...]:
    """Device files of GPUs that this process was given: a container has them even where the driver's library is not.

    NVIDIA's own, those of its boards (Jetson) and of Windows' Linux (WSL).
    """
    nodes = [
        *sorted((root / "dev").glob("nvidia[0-9]*")),
        *(root / "dev" / name for name in ("nvgpu", "nvhost-gpu", "dxg")),
    ]
    return tuple(f"/dev/{each.name}" for each in nodes if each.exists())


def cards_of_host(root: Path = Path("/")) -> int:
    """Cards that the kernel's driver has, whoever may use them: a container sees those of its host."""
    return len(list((root / "proc/driver/nvidia/gpus").glob("*")))


def _imported() -> Any:
    try:
        return import_module("pynvml")
    except Exception as error:  # noqa: BLE001 - a broken package of that name may raise anything
        raise UnavailableError(f"the Python module pynvml cannot be imported ({type(error).__name__})") from None
