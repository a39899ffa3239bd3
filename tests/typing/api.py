"""What a type checker sees of `import bench`: read by `mypy --strict` in `make check`, and never run."""

from pathlib import Path

import pandas as pd
from torch import nn

import bench


def build() -> nn.Module:
    return nn.Linear(1, 1)


measured: bench.Study = bench.scale(
    model="lenet", data="digits", ranks=[1, 2], cores_per_rank=1, quick=True, env={"A": "1"}, store=Path("results")
)
one: bench.Study = bench.run(model=build, profile="demo.toml", ranks="auto", input_shape=(1, 32, 32), from_="last.pt")
bench.scale(modle="lenet")  # type: ignore[call-arg]
bench.scale(ranks=1.5)  # type: ignore[arg-type]

launches: pd.DataFrame = bench.load("results", "launches")
again: bench.Study = bench.load("results", study="@-2")
steps: pd.DataFrame = again.load("steps")

for row in measured.rows:
    each: bench.Row = row
    speedup: bench.Estimate | None = each.speedup
    verdict: bench.Verdict | None = each.verdict
    text: str = verdict.word if verdict is not None else ""

compared: bench.Comparison = bench.compare(one, measured, threshold=0.05)
bench.compare(one)  # type: ignore[call-arg]

try:
    bench.scale(resume=True, progress=False)
except bench.Interrupted as stop:
    kept: bench.Study = stop.study
except bench.BenchError as error:
    code: int = error.code
