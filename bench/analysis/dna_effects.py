"""What a differing field of two fingerprints can change: numbers, speed, or neither. A table and its reader."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from bench.analysis.comparison import Difference
from bench.store.schema import Dna

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


def effect_of(field: str) -> str | None:
    """What a difference in this field can change; None for what is of one moment only.

    A field that the table does not know may change the numbers: nothing is called harmless for want of knowing.
    """
    return next((effect for pattern, effect in EFFECTS if fnmatchcase(field, pattern)), NUMBERS)


def facts(rows: Iterable[Dna]) -> tuple[dict[str, set[str]], set[str]]:
    """Every fact of some fingerprints, with all values it has, and the fields that one of them could not read.

    Values are texts: words as they are, anything else as JSON. Lists of things (GPUs) give their length, and each
    thing's facts under its number.
    """
    told: dict[str, set[str]] = {}
    unread: set[str] = set()
    for row in rows:
        layers = {name: getattr(row, name) for name in ("identity", "software", "conditions", "numeric", "measured")}
        for layer, text in layers.items():
            for name, value in _flat(layer, json.loads(text) if text else {}):
                told.setdefault(name, set()).add(value)
        unread |= set(json.loads(row.unavailable))
        unread |= {"software.variables"} - {f"software.{name}" for name in json.loads(row.software or "{}")}
    if "software.variables" not in unread:  # the canaries' own are among them
        told = {field: values for field, values in told.items() if not field.startswith("numeric.variables.")}
    return told, unread


def differences(
    a: Mapping[str, set[str]], b: Mapping[str, set[str]], unread: Sequence[str] | set[str] = ()
) -> tuple[Difference, ...]:
    """Fields whose values differ, what can change the numbers first.

    A field that one side could not read contradicts nothing and is left out, and so does a layer that one side has
    nothing of (an older bench wrote none). A field that is merely not there is a difference: a package not installed.

    Args:
        a: values of each field of A, see `facts`.
        b: those of B.
        unread: fields that either side could not read.
    """
    found = []
    told = {field.split(".")[0] for field in a} & {field.split(".")[0] for field in b}
    for field in sorted(a.keys() | b.keys()):
        mine, theirs = a.get(field, set()), b.get(field, set())
        effect = effect_of(field)
        if mine == theirs or effect is MOMENTARY:
            continue
        if not (mine and theirs) and (field.split(".")[0] not in told or _is_unread(field, unread)):
            continue
        found.append(Difference(field=field, a=_told(mine), b=_told(theirs), effect=effect))
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


def _told(values: set[str]) -> str | None:
    return " / ".join(sorted(values)) or None
