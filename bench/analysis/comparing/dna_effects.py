"""What a differing field of two fingerprints can change: numbers, speed, or neither. A table and its reader."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from bench.analysis.comparing.nouns import Difference
from bench.store.schema import Dna, Launch

NUMBERS, SPEED, COSMETIC = "numbers", "speed", "cosmetic"
ORDER = (NUMBERS, SPEED, COSMETIC)
MOMENTARY = None  # a state of one moment, never the same twice: no difference between machines

# Variables that decide where and when something is computed, and not in which order.
_OF_SPEED = (
    *("CUDA_LAUNCH_BLOCKING", "CUDA_DEVICE_MAX_CONNECTIONS", "CUDA_MODULE_LOADING", "GLOO_*", "KMP_BLOCKTIME"),
    *("MALLOC_*", "_RJEM_MALLOC_CONF", "MIMALLOC_*", "TCMALLOC_*", "PYTORCH_*ALLOC_CONF", "NCCL_IB_*", "NCCL_NET*"),
)

# Patterns of "layer.name", the first that fits decides. What can change the numbers can change the speed too.
EFFECTS: tuple[tuple[str, str | None], ...] = (
    ("identity.cpu_label", COSMETIC),  # a name for people, from a program that may time out
    ("identity.cpu_brand", COSMETIC),  # family, model and stepping say the same to the machine
    ("identity.cpu_stepping", SPEED),  # its microcode with its mitigations
    ("identity.cpu_architecture", NUMBERS),
    ("identity.cpu_vendor", NUMBERS),  # MKL chooses its kernels by the vendor
    ("identity.cpu_family", NUMBERS),
    ("identity.cpu_model", NUMBERS),
    ("identity.cpu_isa", NUMBERS),  # ATen, oneDNN and MKL choose their kernels by it
    ("identity.cpu_kinds.*", NUMBERS),  # other cores than the first are computed on too
    ("identity.cache_kib.*", NUMBERS),  # oneDNN cuts its sums to the caches
    ("identity.gpus.count", SPEED),
    ("identity.gpus.*.name", NUMBERS),
    ("identity.gpus.*.compute_capability", NUMBERS),
    ("identity.gpus.*.cores", NUMBERS),  # cuBLAS splits its sums over them
    ("identity.gpus.*.mig", NUMBERS),
    ("identity.*", SPEED),  # cores, memory, memory nodes, clocks, links, virtual machine
    ("software.scaling-bench", COSMETIC),  # method_version says when a version of ours changes a measured value
    ("software.os", COSMETIC),
    ("software.kernel", SPEED),
    ("software.python", SPEED),
    ("software.driver", SPEED),
    *((f"software.variables.{name}", SPEED) for name in _OF_SPEED),
    ("software.*", NUMBERS),  # torch, its libraries, libm, decoders of images
    ("conditions.governor", SPEED),
    ("conditions.on_battery", SPEED),
    ("conditions.usable_threads", SPEED),
    ("conditions.clock_cap_mhz", SPEED),
    ("conditions.turbo", SPEED),
    ("conditions.cpu_quota", SPEED),
    ("conditions.memory_limit_gib", SPEED),
    ("conditions.gpus.*.power_limit_w", SPEED),
    ("conditions.gpus.*.throttle_reasons", SPEED),
    ("conditions.*", MOMENTARY),
    ("measured.*", MOMENTARY),  # measured quantities differ always; they are compared with intervals or not at all
    ("launch.*.threads_per_rank", NUMBERS),  # a sum is cut into as many parts
    ("launch.*.device_names", NUMBERS),
    ("launch.*.launcher", COSMETIC),
    ("source.*", NUMBERS),
    ("commit.*", COSMETIC),  # the content of every file is compared
    ("numeric.ulp.*", MOMENTARY),  # distances from the truth, which follow from the bits
    ("numeric.*", NUMBERS),
)


# Facts that are equal within a share. What the kernel leaves of the memory changes with every update of it, and older
# fingerprints rounded that; installed sizes lie farther apart.
_TOLERANCE = {"identity.memory_gib": 0.08}
_LIMITS = tuple(f"conditions.{name}" for name in ("clock_cap_mhz", "turbo", "cpu_quota", "memory_limit_gib"))
_IDS = frozenset({"hw_id", "num_id"})  # made of facts; not facts themselves
_ABSENT = "absent:"  # a reason that begins so: there is no such thing, which can differ; see `bench.dna.facts`


def effect_of(field: str) -> str | None:
    """What a difference in this field can change; None for what is of one moment only.

    A field that the table does not know may change the numbers: nothing is called harmless for want of knowing.
    """
    return next((effect for pattern, effect in EFFECTS if fnmatchcase(field, pattern)), NUMBERS)


def facts(rows: Iterable[Dna]) -> tuple[dict[str, set[str]], set[str]]:
    """Every fact of some fingerprints, with all values it has, and the fields that one of them could not read.

    What a machine does not have is no unread field: a GPU, a quota. Values are texts: words as they are, anything else
    as JSON. Lists of things (GPUs) give their length, and each thing's facts under its number.
    """
    found: dict[str, set[str]] = {}
    unread: set[str] = set()
    for row in rows:
        layers = {name: getattr(row, name) for name in ("identity", "software", "conditions", "numeric", "measured")}
        for layer, text in layers.items():
            for name, value in _flat(layer, json.loads(text) if text else {}):
                found.setdefault(name, set()).add(value)
        for name, reason in json.loads(row.unavailable).items():
            if not reason.startswith(_ABSENT):
                unread.add(name)
            elif name == "identity.gpus":
                found.setdefault(f"{name}.count", set()).add("0")
        unread |= {name for name in _LIMITS if name not in found and name not in row.unavailable}  # of an older bench
        unread |= {"software.variables"} - {f"software.{name}" for name in json.loads(row.software or "{}")}
    if "software.variables" not in unread:  # the canaries' own are among them
        found = {field: values for field, values in found.items() if not field.startswith("numeric.variables.")}
    return found, unread - _IDS


def unread_by(a: Iterable[Dna], b: Iterable[Dna]) -> dict[str, str]:
    """Facts of machines and software that a side could not read, and so were not compared, each with its reason."""
    return {
        f"{field} of {name}": reason
        for name, rows in (("A", a), ("B", b))
        for row in rows
        for field, reason in json.loads(row.unavailable).items()
        if field.startswith(("identity.", "software.")) and not reason.startswith(_ABSENT)
    }


def as_one_machine(launches: Sequence[Launch], rows: Sequence[Dna]) -> list[Launch]:
    """The launches, where those of one machine have one `hw_id`.

    An id is made of the facts that could be read; one that was made without something is no other machine.
    """
    of_id = {row.hw_id: row for row in rows}
    kept: list[Dna] = []
    same: dict[str, str] = {}
    for hw_id, row in of_id.items():
        twin = next((each for each in kept if is_one_machine([each], [row])), None)
        kept += [] if twin else [row]
        same[hw_id] = twin.hw_id if twin else hw_id
    return [replace(each, hw_id=same.get(each.hw_id, each.hw_id)) if each.hw_id else each for each in launches]


def is_one_machine(a: Sequence[Dna], b: Sequence[Dna]) -> bool:
    """Whether nothing of the hardware that both could read differs, and one of them could not read everything."""
    (mine, unread_a), (theirs, unread_b) = facts(a), facts(b)
    unread = {each for each in unread_a | unread_b if each.startswith("identity.")}
    found = differences(mine, theirs, unread)
    return bool(unread) and not any(is_of_hardware(each) for each in found)


def is_of_hardware(difference: Difference) -> bool:
    """Whether it says that these are two machines."""
    return difference.field.startswith("identity.") and difference.effect != COSMETIC


def changed_variables(rows: Iterable[Dna]) -> tuple[str, ...]:
    """Variables that were not the same in all launches of a study that tell theirs, as `NCCL_ALGO: Ring / not set`."""
    layers = [json.loads(row.software) for row in rows]
    variables = [layer["variables"] for layer in layers if "variables" in layer]
    values = {
        name: sorted({each.get(name, "not set") for each in variables})
        for name in sorted({n for t in variables for n in t})
    }
    return tuple(f"{name}: {' / '.join(each)}" for name, each in values.items() if len(each) > 1)


def differences(
    a: Mapping[str, set[str]], b: Mapping[str, set[str]], unread: Sequence[str] | set[str] = ()
) -> tuple[Difference, ...]:
    """Fields whose values differ, what can change the numbers first.

    A field that one side could not read contradicts nothing and is left out, and so does a layer that one side has
    nothing of (an older bench wrote none). A field that is merely not there is a difference: a package not installed,
    a quota that only one side has.

    Args:
        a: values of each field of A, see `facts`.
        b: those of B.
        unread: fields that either side could not read.
    """
    found = []
    layers = {field.split(".")[0] for field in a} & {field.split(".")[0] for field in b}
    for field in sorted(a.keys() | b.keys()):
        mine, theirs = a.get(field, set()), b.get(field, set())
        effect = effect_of(field)
        if mine == theirs or effect is MOMENTARY or _is_close(field, mine, theirs):
            continue
        if not (mine and theirs) and (field.split(".")[0] not in layers or _is_unread(field, unread)):
            continue
        found.append(Difference(field=field, a=_as_text(mine), b=_as_text(theirs), effect=effect))
    return tuple(sorted(found, key=lambda each: ORDER.index(each.effect)))


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(f"{name}.{key}", each)
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        yield f"{name}.count", str(len(value))
        for number, each in enumerate(value):
            yield from _flat(f"{name}.{number}", each)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _is_unread(field: str, unread: Sequence[str] | set[str]) -> bool:
    """Unread itself, or part of a thing that is; and a GPU that only one side has is told by their number."""
    return any(field == each or field.startswith(f"{each}.") for each in unread) or ".gpus." in field


def _is_close(field: str, mine: set[str], theirs: set[str]) -> bool:
    share = _TOLERANCE.get(field)
    if share is None or not (mine and theirs):
        return False
    values = [float(each) for each in mine | theirs]
    return max(values) <= (1 + share) * min(values)


def _as_text(values: set[str]) -> str | None:
    return " / ".join(sorted(values)) or None
