"""Which NVIDIA GPUs a plan may use, which are there and do not work, and who said so. Found without torch where we can.

The driver's library (NVML) tells it. Where that is missing and the process was given device files of GPUs all the same
(containers without the "utility" capability, Jetson boards), torch itself is asked, in a process of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.dna import nvml
from bench.dna.child import document_of
from bench.dna.facts import AbsentError, UnavailableError, plain

_UNNAMED = "NVIDIA GPU"
_TORCH_TIMEOUT_S = 120


@dataclass(frozen=True, kw_only=True)
class NvidiaCards:
    """What was found."""

    names: tuple[str, ...] = ()  # of those that CUDA_VISIBLE_DEVICES leaves visible and that answer
    hidden: int = 0  # that it hides
    driver: str | None = None  # its version; None: no driver answers
    trouble: tuple[str, ...] = ()  # cards, or their driver, that are there and do not work, and in which way
    notes: tuple[str, ...] = ()  # what else has to be said of the cards


@dataclass(frozen=True, kw_only=True)
class _Device:
    """What CUDA would show as one device: a card, or a slice of one that is cut up (MIG)."""

    name: str
    works: bool = True


def look(visible: str | None, *, drives_cuda: bool = True, library: Any = None, root: Path = Path("/")) -> NvidiaCards:
    """The cards as the driver tells them, else as torch does.

    Args:
        visible: the value of CUDA_VISIBLE_DEVICES; None when not set.
        drives_cuda: whether the installed torch can drive any.
        library: stands in for the module `pynvml` in tests.
        root: folder that holds dev/ and proc/; another than `/` in tests.
    """
    try:
        with nvml.driver(library, root) as asked:
            return _of_driver(asked, visible)
    except AbsentError:
        return _unreachable(root)
    except UnavailableError as error:
        nodes = nvml.device_nodes(root)
        return _of_torch(str(error)) if nodes and drives_cuda else NvidiaCards(trouble=(str(error),))


def visible_devices(visible: str | None, names: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the GPUs that a value of CUDA_VISIBLE_DEVICES leaves visible, in its order.

    Follows the CUDA programming guide: indices or (beginnings of) UUIDs, nothing after the first one that is not a
    device, and no device at all when one is listed twice.

    Args:
        visible: the variable's value; None when not set.
        names: UUID -> name of every GPU, in the driver's order.
    """
    chosen = chosen_uuids(visible, tuple(names))
    return tuple(names.get(uuid, "MIG slice") for uuid in chosen)


def chosen_uuids(visible: str | None, uuids: Sequence[str]) -> tuple[str, ...]:
    """The same, as UUIDs."""
    if visible is None:
        return tuple(uuids)
    chosen: list[str] = []
    for token in (each.strip() for each in visible.split(",")):
        found = _device(token, uuids)
        if found is None:
            break
        chosen.append(found)
    return tuple(chosen) if len(set(chosen)) == len(chosen) else ()


def _device(token: str, uuids: Sequence[str]) -> str | None:
    if token.isascii() and token.isdecimal():
        return uuids[int(token)] if int(token) < len(uuids) else None
    if token.startswith("MIG-"):
        return token
    close = [uuid for uuid in uuids if token and uuid.startswith(token)]
    return close[0] if len(close) == 1 else None


def _of_driver(asked: nvml.Driver, visible: str | None) -> NvidiaCards:
    trouble: list[str] = []
    notes: list[str] = []
    devices: dict[str, _Device] = {}
    slices: dict[str, _Device] = {}
    for card in nvml.cards(asked):
        # A card that is lost keeps its place: an index in CUDA_VISIBLE_DEVICES may mean it.
        uuid = _text(asked.nvmlDeviceGetUUID, card.handle)
        uuid = uuid if uuid and uuid not in devices else f"#{card.index}"
        if why := card.trouble or _silent(asked, card.handle):
            trouble.append(f"GPU {card.index}: {why}")
            devices[uuid] = _Device(name=_UNNAMED, works=False)
            continue
        name = _text(asked.nvmlDeviceGetName, card.handle)
        if name is None:
            notes.append(f"GPU {card.index} does not tell its name")
        devices[uuid] = _Device(name=name or _UNNAMED, works=not (cut := _is_cut(asked, card.handle)))
        if cut and (found := _slices(asked, card.handle)):
            slices |= found
        elif cut:
            trouble.append(f"GPU {card.index}: in MIG mode, and without a slice to compute on")
    shown = _shown(visible, devices, slices)
    if slices and len(shown) == 1 and shown[0].name in {each.name for each in slices.values()}:
        notes.append("a GPU in MIG mode is cut into slices; a process sees one of them, which is what is measured")
    working = tuple(each.name for each in shown if each.works)
    whole = sum(each.works for each in devices.values()) + bool(slices)
    return NvidiaCards(
        names=working,
        hidden=max(0, whole - len(working)),
        driver=_text(asked.nvmlSystemGetDriverVersion),
        trouble=tuple(trouble),
        notes=(*notes, *_unlike(working)),
    )


def _shown(visible: str | None, devices: Mapping[str, _Device], slices: Mapping[str, _Device]) -> tuple[_Device, ...]:
    """What CUDA shows. Of slices a process sees one at most (NVIDIA's MIG user guide, "CUDA device enumeration")."""
    chosen = chosen_uuids(visible, tuple(devices))
    named = [uuid for uuid in chosen if uuid.startswith("MIG-")]
    if named:
        return (slices.get(named[0], _Device(name="MIG slice")),)
    shown = tuple(devices[uuid] for uuid in chosen)
    if slices and not any(each.works for each in shown) and shown:
        return (next(iter(slices.values())),)
    return shown


def _silent(asked: nvml.Driver, handle: Any) -> str | None:
    """Why a card that was given does not answer all the same; None when it does."""
    try:
        asked.nvmlDeviceGetMemoryInfo(handle)
    except UnavailableError as error:
        return None if _text(asked.nvmlDeviceGetUUID, handle) else str(error)
    return None


def _is_cut(asked: nvml.Driver, handle: Any) -> bool:
    mode = _or_none(asked.nvmlDeviceGetMigMode, handle)
    return isinstance(mode, Sequence) and bool(mode) and bool(mode[0])


def _slices(asked: nvml.Driver, handle: Any) -> dict[str, _Device]:
    """The slices of one card, by UUID."""
    found = {}
    most = _or_none(asked.nvmlDeviceGetMaxMigDeviceCount, handle)
    for number in range(most if isinstance(most, int) else 0):
        part = _or_none(asked.nvmlDeviceGetMigDeviceHandleByIndex, handle, number)
        if part is not None:
            uuid = _text(asked.nvmlDeviceGetUUID, part) or f"MIG-{number}"
            found[uuid] = _Device(name=_text(asked.nvmlDeviceGetName, part) or "MIG slice")
    return found


def _unlike(names: Sequence[str]) -> tuple[str, ...]:
    if len(set(names)) < 2:
        return ()
    return (f"the GPUs are not alike: {counted(names)}; rows over several of them go as fast as the slowest",)


def counted(names: Sequence[str]) -> str:
    """What each is and how often, in order: "2 x A, 1 x B"."""
    return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))


def _unreachable(root: Path) -> NvidiaCards:
    """No driver answers and no device file was given; the host may have cards all the same."""
    if many := nvml.cards_of_host(root):
        cards = f"{many} NVIDIA GPU{'s' * (many != 1)}"
        return NvidiaCards(notes=(f"this host has {cards}, and this process was given none (docker run --gpus all)",))
    return NvidiaCards()


def _of_torch(reason: str) -> NvidiaCards:
    """What torch sees where the driver's library does not answer."""
    try:
        seen = document_of("bench.dna.seen_by_torch", (), timeout_s=_TORCH_TIMEOUT_S)
    except UnavailableError as error:
        return NvidiaCards(trouble=(f"{reason}; torch does not answer either: {plain(str(error))}",))
    names = tuple(seen["names"])
    if not names:
        why = f" ({plain(seen['reason'])})" if seen["reason"] else ""
        return NvidiaCards(trouble=(f"{reason}; torch sees no CUDA device{why}",))
    note = f"{reason}: who else is on the cards, throttling and energy cannot be seen"
    return NvidiaCards(names=names, notes=(note, *_unlike(names)))


def _or_none(call: Any, *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except UnavailableError:
        return None


def _text(call: Any, *arguments: Any) -> str | None:
    """The same where only text is an answer, whatever an odd `pynvml` gives."""
    found = _or_none(call, *arguments)
    return found if isinstance(found, str) else None
