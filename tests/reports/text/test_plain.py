"""Plain values: what JSON and CSV make of missing numbers, of text and of digits."""

import json
import math
from dataclasses import dataclass

from bench.analysis.result import Estimate
from reports.text.plain import as_csv, estimate, finite


@dataclass
class Noun:
    share: float
    parts: tuple[float, ...]


def test_numbers_that_are_none_are_null_at_any_depth():
    found = finite({1: Noun(math.nan, (1.0, math.inf)), "text": "NaN"})
    assert json.dumps(found, allow_nan=False) == '{"1": {"share": null, "parts": [1.0, null]}, "text": "NaN"}'


def test_digits_are_kept_unless_fewer_are_asked_for():
    assert finite([1 / 3, 7]) == [1 / 3, 7]
    assert finite([1 / 3, 7], digits=3) == [0.333, 7]


def test_a_column_that_some_rows_lack_is_empty_there():
    assert as_csv([{"a": 1, "b": None}, {"b": math.nan, "c": [True]}]) == "a,b,c\n1,,\n,,[true]\n"


def test_true_and_false_are_those_of_json_and_no_text_is_a_formula():
    assert as_csv([{"yes": True, "text": "=1+1", "rate": 2 / 3}], digits=2) == "yes,text,rate\ntrue,'=1+1,0.67\n"


def test_no_rows_are_an_empty_file():
    assert as_csv([]) == ""


def test_an_estimate_of_no_number_is_none():
    found = Estimate(estimate=math.nan, low=None, high=None, n=1, method="")
    assert estimate(None) is estimate(found) is None
    assert estimate(Estimate(estimate=1.0, low=None, high=None, n=1, method="m")).method == "m"
