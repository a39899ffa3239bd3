"""What a row is called, in words, wherever it is spoken of."""

from collections.abc import Sequence
from typing import Protocol

from reports.text import fmt


class Named(Protocol):
    """A row of the study or a configuration of the plan."""

    @property
    def strategy(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def ranks(self) -> int: ...
    @property
    def cores_per_rank(self) -> int | None: ...
    @property
    def nodes(self) -> int: ...


def phrase(row: Named, among: Sequence[Named]) -> str:
    """E.g. `ddp on 2 ranks` or `single`; device and cores are said where rows would otherwise share a name."""
    where = {"single": "", "dp": f" on {fmt.count(row.ranks, 'device')}"}
    ranks = where.get(row.strategy, f" on {'one rank' if row.ranks == 1 else fmt.count(row.ranks, 'rank')}")
    hosts = f" over {row.nodes} nodes" if row.nodes > 1 else ""
    return f"{row.strategy}{ranks}{hosts}" + _device(row, among, " of ") + _cores(row, among, " with ")


def label(row: Named, among: Sequence[Named]) -> str:
    """Short, for a progress line: `ddp cpu x2`."""
    hosts = f" on {row.nodes} nodes" if row.nodes > 1 else ""
    return f"{row.strategy} {row.device} x{row.ranks}{hosts}" + _cores(row, among, ", ")


def mode(row: Named, among: Sequence[Named]) -> str:
    """For a table with columns for ranks and cores: `ddp`, or `single mps` where several devices are distinguished."""
    return row.strategy + _device(row, among, " ")


def _device(row: Named, among: Sequence[Named], joint: str) -> str:
    return f"{joint}{row.device}" if len({each.device for each in among}) > 1 else ""


def _cores(row: Named, among: Sequence[Named], joint: str) -> str:
    namesakes = {
        each.cores_per_rank
        for each in among
        if (each.strategy, each.device, each.ranks) == (row.strategy, row.device, row.ranks)
    }
    if len(namesakes) < 2 or row.cores_per_rank is None:
        return ""
    return f"{joint}{fmt.count(row.cores_per_rank, 'core')}"
