import pytest

from bench.analysis.result import Part, StepParts


def test_the_parts_of_a_step_have_to_be_the_step():
    with pytest.raises(ValueError, match=r"come to 3 ms, not to 5"):
        StepParts(configuration="x", total_ms=5, parts=(Part(name="a", ms=1), Part(name="b", ms=2)))
    with pytest.raises(ValueError, match="negative"):
        StepParts(configuration="x", total_ms=1, parts=(Part(name="a", ms=2), Part(name="b", ms=-1)))
