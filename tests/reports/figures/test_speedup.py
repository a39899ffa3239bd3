from bench.analysis.result import Law
from reports.figures.svg.files import drawn
from tests.reports.figures.fabricated_charts import speedup, texts


def test_the_description_has_the_numbers():
    said = speedup(counts=(1, 2, 4), lines=1).alt_text()
    assert "ddp: speedup 1.000, 1.940 and 3.764 at 1, 2 and 4 ranks, n = 6." in said
    assert "Ideal at 4: 4." in said
    assert "1 is single: 1\u202f302 samples/s." in said or "1 is single: 1 302 samples/s." in said


def test_more_than_six_lines_are_in_the_table_only_and_that_is_said():
    chart = speedup(counts=(1, 2), lines=8)
    assert "In the table only: c and d." in chart.alt_text()
    assert {row[0] for row in chart.table().rows} >= {"c", "d"}
    assert not {"c, n = 6", "d, n = 6"} & set(texts(chart))


def test_axes_are_linear_to_16_and_logarithmic_beyond():
    for counts, scale in (((1, 2, 4, 8, 16), "linear"), ((1, 2, 4, 8, 16, 32), "log")):
        with drawn(speedup(counts=counts, lines=1)) as figure:
            (axes,) = figure.axes
            assert (axes.get_xscale(), axes.get_yscale()) == (scale, scale)


def test_the_ideal_line_and_the_envelope_end_where_the_measurements_end():
    law = Law(
        name="Amdahl",
        strategy="ddp",
        device="cpu",
        cores_per_rank=1,
        parameters={},
        resources=(1.0, 2.0, 4.0),
        low=(1, 1.8, 3.4),
        high=(1, 1.9, 3.8),
    )
    chart = speedup(counts=(1, 2, 4), lines=1, laws=(("Amdahl", law),))
    with drawn(chart) as figure:
        (axes,) = figure.axes
        assert max(max(line.get_xdata()) for line in axes.lines) == 4
        assert axes.get_xlim()[1] < 4.2
    assert "Shaded: Amdahl, within the measured range." in chart.alt_text()


def test_the_ideal_line_starts_from_the_baselines_resources():
    with drawn(speedup(counts=(2, 4, 8), lines=1, baseline_resources=2)) as figure:
        ideal = figure.axes[0].lines[0]
        assert list(ideal.get_ydata()) == [1, 2, 4]
