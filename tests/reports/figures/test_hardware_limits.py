from tests.reports.figures.fabricated_charts import limits, reached, texts


def test_what_a_small_machine_can_do_is_told_in_a_unit_that_has_digits_before_the_point():
    """`0.0000540 TFLOP/s` was what a page said of two cores."""
    small = limits(rows=(reached("single", 5.4e-5, measured=8.48e-3),))
    assert small.table().rows == (("single", "0.0540", "measured", "8.48", "0.6\N{NARROW NO-BREAK SPACE}%"),)
    assert small.table().headers[1] == "reached, GFLOP/s"
    assert "0.0540 GFLOP/s" in small.alt_text()
    assert any("GFLOP/s" in each for each in texts(small))
    assert limits().table().headers[1] == "reached, TFLOP/s"
