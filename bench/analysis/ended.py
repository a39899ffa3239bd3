"""Which launches stand behind a row: those that ended with a number, in order of rounds."""

import json
from collections.abc import Iterable

from bench.analysis.result import Study
from bench.store.schema import ENDED, Launch


def ended(launches: Iterable[Launch], key: str) -> list[Launch]:
    """The launches behind the row of this key, in order of rounds."""
    mine = [each for each in launches if each.configuration == key and each.status in ENDED]
    return sorted(mine, key=lambda each: (each.round, each.position))


def by_row(study: Study, launches: Iterable[Launch]) -> dict[str, list[Launch]]:
    """The same of every row of a study."""
    every = list(launches)
    return {row.key: ended(every, row.key) for row in study.rows}


def why_null(launches: Iterable[Launch], column: str) -> str | None:
    """Why a column of the launches is null, in the words of whoever measured; None when nobody said."""
    reasons = (json.loads(launch.unavailable).get(column) for launch in launches)
    return next((str(reason) for reason in reasons if reason), None)
