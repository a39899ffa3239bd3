"""Macro means over all classes that have samples, compared with a count of every single sample."""

import numpy as np
import pytest

from bench.analysis.learning import accuracy
from bench.store.schema import ClassScore


def scores(matrix, f1=None):
    """As a store has them; `f1` of every class, as older versions left it out."""
    counts = np.array(matrix)
    return [
        ClassScore(
            study_id="s",
            launch_id="s.r00p00",
            epoch=1,
            label=label,
            name=str(label),
            support=int(row.sum()),
            precision=float(row[label] / counts[:, label].sum()) if counts[:, label].sum() else None,
            recall=float(row[label] / row.sum()) if row.sum() else None,
            f1=f1,
            confusion=tuple(map(int, row)),
        )
        for label, row in enumerate(counts)
    ]


def one_by_one(matrix):
    """Macro precision, recall and F1 from the samples themselves; an empty share is 0."""
    truth = [is_ for is_, row in enumerate(matrix) for called, many in enumerate(row) for _ in range(many)]
    said = [called for row in matrix for called, many in enumerate(row) for _ in range(many)]
    found = []
    for label in sorted(set(truth)):
        right = sum(a == b == label for a, b in zip(truth, said, strict=True))
        called, are = said.count(label), truth.count(label)
        precision, recall = right / called if called else 0.0, right / are
        found.append((precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0))
    return np.mean(found, axis=0)


MATRICES = {
    "two of three classes never called": ((0, 0, 4), (0, 0, 4), (0, 0, 4)),
    "one never called": ((3, 1, 0), (1, 3, 0), (2, 2, 0)),
    "one called and never right": ((0, 4), (4, 0)),
    "one without samples": ((3, 1, 0), (1, 3, 0), (0, 0, 0)),
    "one without samples that is called": ((3, 0, 1), (1, 3, 0), (0, 0, 0)),
    "all right": ((4, 0), (0, 4)),
}


@pytest.mark.parametrize("matrix", [*MATRICES.values(), np.random.default_rng(3).integers(0, 9, (7, 7)).tolist()])
@pytest.mark.parametrize("stored", [None, 0.9])
def test_the_means_are_those_of_counting_every_sample(matrix, stored):
    found = accuracy.macro_means(scores(matrix, f1=stored))
    assert (found.precision, found.recall, found.f1) == pytest.approx(tuple(one_by_one(matrix)))


def test_a_model_that_calls_everything_one_class_of_nine_has_the_f1_of_that():
    matrix = [[4] + [0] * 8 for _ in range(9)]
    found = accuracy.macro_means(scores(matrix))
    assert found.f1 == pytest.approx(2 * 4 / (4 + 36) / 9)
    assert (found.classes, found.never_called) == (9, 8)


def test_without_a_sample_there_is_no_mean():
    found = accuracy.macro_means(scores(((0, 0), (0, 0))))
    assert (found.precision, found.recall, found.f1, found.classes) == (None, None, None, 0)


def test_the_precision_of_a_class_never_called_stays_missing_and_its_f1_is_0():
    first, second = accuracy.scored(scores(((0, 4), (0, 4))))
    assert (first.precision, first.f1) == (None, 0.0)
    assert second.f1 == pytest.approx(2 / 3)
