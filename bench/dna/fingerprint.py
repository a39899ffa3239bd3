"""A machine's fingerprint: two results with the same ids come from the same hardware, the same software."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.dna import conditions, gpu, identity, software

if TYPE_CHECKING:
    from bench.store.schema import Dna


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What machine and software this is, and the conditions at the time."""

    hw_id: str
    sw_id: str
    num_id: str | None
    identity: Mapping[str, Any]
    conditions: Mapping[str, Any]
    software: Mapping[str, Any]
    unavailable: Mapping[str, str]  # field -> why it is missing

    def row(self, study_id: str, launch_id: str) -> "Dna":
        """This fingerprint as the row of one launch."""
        from bench.store.schema import Dna  # noqa: PLC0415 - it brings pyarrow, which takes longer than all of this

        return Dna(
            study_id=study_id,
            launch_id=launch_id,
            hw_id=self.hw_id,
            sw_id=self.sw_id,
            num_id=self.num_id,
            identity=_canonical(self.identity),
            conditions=_canonical(self.conditions),
            software=_canonical(self.software),
            unavailable=_canonical(self.unavailable),
        )


def fingerprint() -> Fingerprint:
    """This machine's, now."""
    gpus = gpu.read()
    hardware, now, programs = identity.read(gpus), conditions.read(gpus), software.read(gpus)
    gaps = {
        f"{layer}.{name}": reason
        for layer, facts in (("identity", hardware), ("conditions", now), ("software", programs))
        for name, reason in facts.unavailable.items()
    }
    return Fingerprint(
        hw_id=_id(hardware.values, without=identity.LABELS),
        sw_id=_id(programs.values, without=(software.OURS,)),
        num_id=None,
        identity=hardware.values,
        conditions=now.values,
        software=programs.values,
        unavailable={**gaps, "num_id": "numeric canaries are not part of this version"},
    )


def _id(facts: Mapping[str, Any], without: Collection[str]) -> str:
    """The first 16 hexadecimal digits of BLAKE2b over the facts as canonical JSON."""
    kept = {name: value for name, value in facts.items() if name not in without}
    return hashlib.blake2b(_canonical(kept).encode()).hexdigest()[:16]


def _canonical(document: Mapping[str, Any]) -> str:
    """One text for one content: sorted, without spaces, ASCII whatever the locale."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
