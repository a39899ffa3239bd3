"""A data set by its name, with what a test asks of it."""

from pathlib import Path
from typing import Any

from bench.learn import data
from bench.learn.sources import DataRequest


def load(
    name: str, folder: Path | None = None, input_shape: Any = None, *, seed: int = 0, size: int = 512, **asked: Any
):
    request = DataRequest(name=name, folder=folder and str(folder), input_shape=input_shape, **asked)
    return data.load(request, seed=seed, size=size)
