"""What launches did step by step."""

from collections.abc import Mapping, Sequence

import numpy as np

from bench.analysis.ended import by_row
from bench.analysis.result import Study, Trace, Traces
from bench.analysis.statistics import steady
from bench.analysis.statistics.steady import Steps
from bench.store.schema import Launch

LAUNCHES_OF_A_ROW = 8  # told step by step at most: more lines in one panel cannot be distinguished


def traces(study: Study, launches: Sequence[Launch], steps: Mapping[str, Steps]) -> tuple[Traces, ...]:
    """The step times of each row's launches; where a row has many, of some that are evenly spread over its rounds."""
    found = by_row(study, [each for each in launches if each.launch_id in steps])
    cuts = {row.key: row.cut_steps for row in study.rows}
    return tuple(
        Traces(
            configuration=key,
            traces=tuple(_trace(each, steps[each.launch_id], cuts[key]) for each in _spread(mine, LAUNCHES_OF_A_ROW)),
            launches=len(mine),
        )
        for key, mine in found.items()
        if mine
    )


def _spread(launches: list[Launch], at_most: int) -> list[Launch]:
    if len(launches) <= at_most:
        return launches
    places = np.unique(np.linspace(0, len(launches) - 1, at_most).round().astype(int))
    return [launches[place] for place in places]


def _trace(launch: Launch, steps: Steps, cut: int) -> Trace:
    times = steady.slowest_rank(steps) / 1e6
    return Trace(
        configuration=launch.configuration,
        round=launch.round,
        step_ms=tuple(times.tolist()),
        warmup_steps=len(times) - len(steady.slowest_rank(steady.kept(steps, 0))),
        cut_steps=cut,
    )
