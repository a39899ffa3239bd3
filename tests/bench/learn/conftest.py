"""A data set in which every image says which one it is, and a cache folder that is nobody's."""

import pytest
import torch

from bench.learn.data import DataSet


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Decoded copies go to the test's own folder."""
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def numbered():
    """`numbered(train, test)`: 3x8x8 random images whose label is their number, in as many classes as asked."""

    def make(train: int = 20, test: int = 20, classes: int = 10) -> DataSet:
        rng = torch.Generator().manual_seed(1)
        return DataSet(
            name="numbered",
            train_images=torch.randint(0, 256, (train, 3, 8, 8), dtype=torch.uint8, generator=rng),
            train_labels=torch.arange(train),
            test_images=torch.randint(0, 256, (test, 3, 8, 8), dtype=torch.uint8, generator=rng),
            test_labels=torch.arange(test) % classes,
            class_names=tuple(map(str, range(classes))),
            mean=(0.4, 0.5, 0.6),
            std=(0.2, 0.25, 0.3),
            described="numbered",
        )

    return make
