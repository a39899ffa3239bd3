"""A machine's fingerprint: two results with the same ids come from the same hardware, software and arithmetic."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.dna import conditions, gpu, machine, numbers, software
from bench.dna import hardware as identity
from bench.dna.facts import AbsentError, UnavailableError, canonical, id_of, reason_of

if TYPE_CHECKING:
    from bench.store.schema import Dna

SCHEMA = "bench.dna/1"
_LAYERS = ("identity", "conditions", "software", "numeric", "measured")
_TEXTS = (*_LAYERS, "unavailable")  # of a row, as JSON

# Gives the numeric layer: `numbers.read`, `numbers.kept`, …
AskNumbers = Callable[[numbers.Circumstances], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What machine and software this is, how it computes, and the conditions at the time."""

    hw_id: str
    sw_id: str
    num_id: str | None
    identity: Mapping[str, Any]
    conditions: Mapping[str, Any]
    software: Mapping[str, Any]
    unavailable: Mapping[str, str]  # field -> why it is missing
    numeric: Mapping[str, Any] | None = None
    measured: Mapping[str, Any] | None = None

    @property
    def _ids(self) -> dict[str, Any]:
        return {"hw_id": self.hw_id, "sw_id": self.sw_id, "num_id": self.num_id}

    def row(self, study_id: str, launch_id: str) -> "Dna":
        """This fingerprint as the row of one launch."""
        from bench.store.schema import Dna  # noqa: PLC0415 - it brings pyarrow, which takes longer than all of this

        layers = {name: getattr(self, name) for name in _TEXTS}
        texts: dict[str, Any] = {name: None if layer is None else canonical(layer) for name, layer in layers.items()}
        return Dna(study_id=study_id, launch_id=launch_id, **self._ids, **texts)

    def document(self) -> dict[str, Any]:
        """The fingerprint as `bench dna --json` prints it."""
        layers = {name: getattr(self, name) for name in _LAYERS}
        return {"schema": SCHEMA, **self._ids, **layers, "unavailable": self.unavailable}


def of_document(document: Mapping[str, Any]) -> Fingerprint:
    """A fingerprint as it was printed.

    Raises:
        ValueError: this is no such document, or one of another version.
    """
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        raise ValueError(f"not a document of the form {SCHEMA}")
    try:
        return Fingerprint(**{name: value for name, value in document.items() if name in _FIELDS})
    except TypeError as error:
        raise ValueError(f"not a whole document of the form {SCHEMA}: {error}") from error


def of_row(row: "Dna") -> Fingerprint:
    """The fingerprint that a launch left in the store."""
    texts = {name: getattr(row, name) for name in _TEXTS}
    layers: dict[str, Any] = {name: None if text is None else json.loads(text) for name, text in texts.items()}
    return Fingerprint(hw_id=row.hw_id, sw_id=row.sw_id, num_id=row.num_id, **layers)


def fingerprint(ask: AskNumbers | None = None) -> Fingerprint:
    """This machine's, now.

    Args:
        ask: gives the numeric layer, for as many threads as this process may use cores; without it, nothing is
            computed, and the fingerprint takes milliseconds.
    """
    gpus = gpu.read()
    hardware, now, programs = identity.read(gpus), conditions.read(gpus), software.read(gpus)
    gaps = {
        f"{layer}.{name}": reason
        for layer, facts in (("identity", hardware), ("conditions", now), ("software", programs))
        for name, reason in facts.unavailable.items()
    }
    hw_id = id_of(identity.hashed(hardware.values))
    if unread := identity.missing(hardware):
        gaps["hw_id"] = f"made without {', '.join(unread)}, which could not be read"
    sw_id = id_of(software.hashed(programs.values))
    numeric = None
    try:
        if ask is None:
            raise AbsentError("not asked for")
        numeric = ask(numbers.Circumstances(hw_id, sw_id, len(machine.usable_cpus())))
    except UnavailableError as error:
        gaps |= dict.fromkeys(("num_id", "numeric"), f"canaries: {reason_of(error)}")
    return Fingerprint(
        hw_id=hw_id,
        sw_id=sw_id,
        num_id=None if numeric is None else numbers.num_id(numeric),
        identity=hardware.values,
        conditions=now.values,
        software=programs.values,
        numeric=numeric,
        unavailable={**gaps, "measured": "only where it is asked for: bench dna --measure"},
    )


_FIELDS = frozenset(Fingerprint.__dataclass_fields__)
