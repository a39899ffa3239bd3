from dataclasses import replace

from reports.figures.energy import EnergyPerSample
from tests.reports import fabricated_studies as studies
from tests.reports.figures.fabricated_charts import estimate
from tests.reports.page import fabricated_reports as reports


def test_a_row_whose_energy_was_not_measured_is_named_with_its_reason_beside_those_that_have_bars():
    report = reports.whole(studies.good())
    first, *others = report.energy
    measured = replace(first, per_sample_j=estimate(0.5), reason=None)
    chart = EnergyPerSample.select(replace(report, energy=(measured, *others)))
    assert [each.label for each in chart.bars] == ["single with 1 core"]
    assert len(chart.absent) == len(others)
    assert all(each.endswith(": no counter can be read") for each in chart.absent)


def test_where_no_row_has_a_number_there_are_reasons_instead_of_bars():
    found = EnergyPerSample.select(reports.whole(studies.good()))
    assert found == "Not measured here: no counter can be read."
