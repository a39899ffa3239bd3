"""What source code a launch ran: the files of all its ranks as one text of the store."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.dna import revision
from bench.worker.job import RankResult


def source_of(results: Sequence[RankResult], model: str) -> str:
    """The user's files of a launch, and the commit that they are of, as the JSON text of a row's `source`.

    Args:
        results: what each rank says.
        model: as it was asked for.
    """
    files = _together(results)
    place = model.rpartition(":")[0]
    folder = Path(place).expanduser().parent if place.endswith(".py") else Path()
    commit = revision.of(folder, files)
    found = {
        "files": files,
        "commit": commit.commit if commit else None,
        "dirty": commit.dirty if commit else None,
        "differing": sorted(
            name for name in files if len({each.source.get(name, files[name]) for each in results}) > 1
        ),
    }
    return json.dumps(found, sort_keys=True)


def about_source(results: Sequence[RankResult]) -> list[str]:
    """What is to be said beside the number of a file that somebody edited meanwhile."""
    names = sorted({name for each in results for name in each.edited})
    return [f"{name} was edited while the launch ran, which used what it had loaded before" for name in names]


def _together(results: Sequence[RankResult]) -> Mapping[str, str]:
    """Of every file the content that the first rank to load it saw."""
    files: dict[str, str] = {}
    for each in results:
        files = {**each.source, **files}
    return files
