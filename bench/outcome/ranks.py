"""What every rank of a launch left in its folder."""

import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.analysis.statistics.steady import Steps
from bench.worker import job
from bench.worker.job import RankResult
from launchers import heartbeat


@dataclass(frozen=True, kw_only=True)
class RankOutput:
    """What one rank left: its own words, and its steps when it got that far."""

    rank: int
    folder: Path
    document: Mapping[str, Any]  # how it ended, in its own words; empty when it said nothing
    arrays: Mapping[str, np.ndarray]  # int64 columns of its steps; empty when it timed none

    @cached_property
    def result(self) -> RankResult:
        """What it measured; only of a rank that ended well."""
        return RankResult.from_json(self.document)

    def forget(self) -> None:
        """Remove what the store now holds; logs stay."""
        for file in (job.steps_file(self.folder, self.rank), heartbeat.path(self.folder, self.rank)):
            file.unlink(missing_ok=True)


def read_ranks(folder: Path, processes: int) -> list[RankOutput]:
    """What every rank of a launch left in its folder."""
    ranks = []
    for rank in range(processes):
        arrays: dict[str, np.ndarray] = {}
        file = job.steps_file(folder, rank)
        # A rank that died while it wrote, on a full disk or not, leaves a part: it has timed nothing that can be read.
        with suppress(FileNotFoundError, EOFError, ValueError, zipfile.BadZipFile), np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
        document = job.read_result(folder, rank) or {}
        ranks.append(RankOutput(rank=rank, folder=folder, document=document, arrays=arrays))
    return ranks


def as_steps(ranks: Sequence[RankOutput]) -> Steps:
    """All ranks' steps of one launch, as the analysis takes them."""
    columns = {name: np.concatenate([rank.arrays[name] for rank in ranks]) for name in ranks[0].arrays}
    numbers = np.concatenate([np.full(len(rank.arrays["step"]), rank.rank, dtype=np.int64) for rank in ranks])
    return Steps(**{**columns, "rank": numbers, "in_window": columns["in_window"].astype(bool)})
