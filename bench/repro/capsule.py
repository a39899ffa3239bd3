"""A capsule: what a repro run of a workload saw, so that another machine can say where it first sees something else.

The file is a zip. `capsule.json` says what was run, where, and how far rounding alone drives two runs apart; each
rank adds `rankN.json`, its facts in order, and `rankN.npy`, the numbers that distances are computed from. No torch.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.documents import noun_of
from bench.errors import UsageError
from bench.plan import Configuration, Workload
from bench.whole_file import drafted

SCHEMA = "bench.capsule/1"
FIRST_BATCHES = 4  # whose samples are recorded
SAMPLE = 512  # numbers kept of a tensor; the hash covers every bit of it

# Kinds of facts, in the order in which one follows from the other: the first that differs is where to look.
INDICES, RAW, AUGMENTED, INIT = "indices", "raw batch", "augmented batch", "init"
FORWARD, LOCAL, REDUCED = "forward", "local gradient", "reduced gradient"
LOSS, WEIGHTS, RANDOM = "loss", "weights", "random state"
STAGES = (INDICES, RAW, AUGMENTED, INIT, FORWARD, LOCAL, REDUCED, LOSS, WEIGHTS, RANDOM)
BEFORE_TRAINING = (INDICES, RAW, AUGMENTED, INIT)  # rounding has no part in these, but for a scale that is applied

# What decides the numbers on a CPU from outside the program. Values are stored; of no other variable is anything.
VARIABLES = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_CBWR")

Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class ReproRun:
    """What is run: always in deterministic mode, so no speed is ever taken from it."""

    workload: Workload  # its `steps` are all the steps there are; nothing is warm-up
    configuration: Configuration
    nudged: int | None = None  # seed by which every weight is moved by one unit in the last place before training
    other_kernels: int | None = None  # seed by which every product is rounded otherwise, at every step
    still: bool = False  # batch norm frozen and dropout off, so that N ranks compute what one does
    backwards: bool = False  # the samples of each batch in reverse: the same gradients, summed in another order
    evaluate: bool = False  # on the test set, after the last step
    sample: int = SAMPLE

    def write(self, folder: Path) -> None:
        """Put it where its ranks will look."""
        (folder / "repro_run.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "ReproRun":
        """The inverse of `write`."""
        return noun_of(cls, json.loads((folder / "repro_run.json").read_text()))


@dataclass(frozen=True, kw_only=True, eq=False)
class Fact:
    """One thing that was seen: a tensor's bits as a hash, and some of its numbers."""

    stage: str  # one of STAGES
    step: int  # counted from 0; of weights and random states: how many steps had been made
    tensor: str  # name of the parameter, the module or the batch
    hash: str  # BLAKE2b over shape, dtype and little-endian bytes
    kind: str = ""  # of a module: its class
    count: int = 0  # elements of the tensor
    largest: float | None = None  # of all magnitudes; None: no floating point, or not finite
    total: float | None = None  # sum of all elements in float64; None as above
    sample: Numbers | None = None  # all elements, or some of them from places that depend on `count` alone

    @property
    def key(self) -> tuple[str, int, str]:
        return self.stage, self.step, self.tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What one rank saw."""

    rank: int
    conditions: Mapping[str, Any]  # threads, instruction set, versions: what may change numbers
    facts: tuple[Fact, ...]
    losses: tuple[str, ...]  # of every step, as float.hex
    warnings: tuple[str, ...]  # of deterministic mode
    nudge: str | None = None  # what was moved before training
    top1: float | None = None  # on the test set, after the last step

    @cached_property
    def loss(self) -> npt.NDArray[np.float64]:
        """The losses as numbers."""
        return np.array([float.fromhex(each) for each in self.losses])


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """How far equal computations drift apart by rounding alone: a multiple of the most that was seen on one machine."""

    loss: tuple[float, ...]  # relative difference, by step
    weights: Mapping[int, float]  # relative distance, by number of steps made
    runs: tuple[str, ...]  # what was perturbed in each


@dataclass(frozen=True, kw_only=True)
class RanksCheck:
    """Whether N ranks compute the gradient that one process computes from the same global batch."""

    ranks: int
    tensor: str  # the parameter that is furthest off
    scaled_ulp: float
    bound: float

    @property
    def agrees(self) -> bool:
        return self.scaled_ulp <= self.bound


@dataclass(frozen=True, kw_only=True, eq=False)
class Capsule:
    """One recorded repro_run, its ranks, and what its machine is."""

    created_at: str
    repro_run: ReproRun
    parts: tuple[Part, ...]
    ids: Mapping[str, str | None]  # hw_id, sw_id, num_id
    envelope: Envelope | None = None
    envelope_other_device: Envelope | None = None  # the same for another kind of device; fp32 only
    finals: Mapping[int, float] | None = None  # test accuracy after the last step, by seed
    ranks: tuple[RanksCheck, ...] = field(default=())

    @property
    def conditions(self) -> dict[str, Any]:
        """Of rank 0 and the machine: what two capsules are compared by when they differ."""
        return {**self.parts[0].conditions, **self.ids}


_OF_THE_FILE = ("schema", "deterministic", "world", "rehearsal")  # what `capsule.json` says in its own way


def write_part(folder: Path, part: Part) -> None:
    """Leave what one rank saw, whole or not at all."""
    with (
        drafted(folder / f"rank{part.rank}.part") as draft,
        zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        _put(archive, part)


def read_part(folder: Path, rank: int) -> Part:
    """The inverse of `write_part`."""
    with zipfile.ZipFile(folder / f"rank{rank}.part") as archive:
        return _take(archive, rank)


def write(file: Path, capsule: Capsule) -> None:
    """Write the capsule, whole or not at all; an older file of that name is replaced.

    Raises:
        UsageError: the file cannot be written.
    """
    document = {
        "schema": SCHEMA,
        "created_at": capsule.created_at,
        "deterministic": True,
        "rehearsal": asdict(_without_places(capsule.repro_run)),
        "world": len(capsule.parts),
        "ids": dict(capsule.ids),
        "envelope": capsule.envelope and asdict(capsule.envelope),
        "envelope_other_device": capsule.envelope_other_device and asdict(capsule.envelope_other_device),
        "finals": capsule.finals and dict(capsule.finals),
        "ranks": [asdict(each) for each in capsule.ranks],
    }
    try:
        with drafted(file) as draft, zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("capsule.json", json.dumps(document, indent=1))
            for part in capsule.parts:
                _put(archive, part)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}", "name another file: -o CAPSULE") from error


def read(file: Path) -> Capsule:
    """The inverse of `write`.

    Raises:
        UsageError: no such file, not a capsule, a torn one, or one that a newer bench wrote.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            document = json.loads(archive.read("capsule.json"))
            if document["schema"] != SCHEMA:
                raise UsageError(f"{file} is {document['schema']}; this bench reads {SCHEMA}", "use a newer bench")
            parts = tuple(_take(archive, rank) for rank in range(document["world"]))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", "record one: bench repro record -o FILE") from None
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{file} is no capsule, or a torn one ({type(error).__name__})", "ask for it again") from None
    fields = {name: value for name, value in document.items() if name not in _OF_THE_FILE}
    return replace(noun_of(Capsule, {**fields, "repro_run": document["rehearsal"], "parts": ()}), parts=parts)


def _without_places(repro_run: ReproRun) -> ReproRun:
    """The run without the folders of the machine it ran on: they say nothing elsewhere, and are private."""
    workload = repro_run.workload
    place, colon, name = workload.model.rpartition(":")
    model = f"{Path(place).name}:{name}" if colon and place.endswith(".py") else workload.model
    return replace(repro_run, workload=replace(workload, data_dir=None, model=model))


def _put(archive: zipfile.ZipFile, part: Part) -> None:
    facts, numbers = [], [np.empty(0, np.float32)]
    for fact in part.facts:
        fields = dict(vars(fact))
        sample = fields.pop("sample")
        facts.append({**fields, "kept": None if sample is None else len(sample)})
        if sample is not None:
            numbers.append(sample)
    rest = {name: getattr(part, name) for name in ("rank", "losses", "warnings", "nudge", "top1")}
    document = {**rest, "conditions": dict(part.conditions), "facts": facts}
    archive.writestr(f"rank{part.rank}.json", json.dumps(document))
    array = io.BytesIO()
    np.save(array, np.concatenate(numbers), allow_pickle=False)
    archive.writestr(f"rank{part.rank}.npy", array.getvalue())


def _take(archive: zipfile.ZipFile, rank: int) -> Part:
    document = json.loads(archive.read(f"rank{rank}.json"))
    numbers = np.load(io.BytesIO(archive.read(f"rank{rank}.npy")), allow_pickle=False)
    facts, start = [], 0
    for each in document.pop("facts"):
        kept = each.pop("kept")
        facts.append(Fact(**each, sample=None if kept is None else numbers[start : start + kept]))
        start += kept or 0
    document |= {name: tuple(document[name]) for name in ("losses", "warnings")}
    return Part(**document, facts=tuple(facts))
