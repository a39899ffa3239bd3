"""The one table that every output shows."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.scaling.table import build
from reports.text import fmt
from reports.text.columns import Column, fitting, laid_out, widest
from tests.reports import fabricated_studies as studies

MEASURED = ("throughput", "speedup", "efficiency", "verdict", "step_ms", "epoch_s", "data_wait", "peak_memory_bytes")


def plain(text: str) -> str:
    return text.replace(fmt.NARROW, " ")


def table(study) -> list[dict[str, str]]:
    """The rows, each cell under its header."""
    columns = build(study).columns
    return [
        dict(zip((plain(each.header) for each in columns), map(plain, row), strict=True)) for row in build(study).rows
    ]


def notes(study) -> list[str]:
    return [plain(note.text) for note in build(study).footnotes]


def test_the_title_says_what_was_run_and_how_it_was_scaled():
    lines = [plain(" · ".join(line)) for line in build(studies.good()).title]
    assert lines == [
        "lenet-large · 657 080 parameters · cifar10 · fp32 · contiguous",
        "WEAK scaling: batch 64 on every rank · seed 0",
        "6 rounds x 30 steps · AMD EPYC 7B13, 2 cores",
    ]
    assert plain(build(studies.accelerators()).title[1][0]) == "STRONG scaling: batch 256 over all ranks"


def test_the_baseline_is_marked_and_its_rate_stands_in_its_row():
    first = table(studies.good())[0]
    assert first["speedup [95 %]"] == "1.00 (baseline)"
    assert first["samples/s"] == "1 303.1"


def test_a_row_reads_as_a_person_would_say_it():
    assert table(studies.good())[3] == {
        "mode": "ddp",
        "ranks": "2",
        "cores/rank": "1",
        "batch (global)": "64 (128)",
        "samples/s": "2 253",
        "±95 %": "0.86 %",
        "speedup [95 %]": "1.729 [1.714, 1.744]",
        "eff. [95 %]": "86.45 % [85.69, 87.21]",
        "step p50/p95 ms": "56.6 / 58.6",
        "epoch s": "~22.2",
        "data wait": "0.2 %",
        "comm.": "4.2 %",
        "peak MiB": "386",
        "verdict": "FASTER",
        "status": "ok",
    }


def test_rows_without_a_number_stay_in_place_with_their_reason_below():
    study = studies.failed_rank()
    assert [(row["ranks"], row["status"]) for row in table(study)] == [
        ("1", "ok"),
        ("2", "crash"),
        ("3", "suspect"),
        ("4", "not_run"),
    ]
    assert table(study)[1]["samples/s"] == fmt.MISSING
    assert (
        "ddp on 2 ranks: crash: rank 1 ended first, with exit code 1 (RuntimeError: loss is NaN)."
        in notes(study)  # without the colours of the log it was found in
    )
    assert "ddp on 4 ranks: not_run: interrupted; run again with --resume." in notes(study)


def test_a_table_with_a_ratio_names_the_baseline_and_its_rate():
    assert notes(studies.good())[0] == (
        "Baseline: single with 1 core, 1 303.1 [1 298.3, 1 308.0] samples/s; speedup and eff. are against it."
    )


def test_without_a_baseline_there_is_no_ratio_and_the_reason_is_given():
    study = studies.missing_baseline()
    assert {row["speedup [95 %]"] for row in table(study)} == {fmt.MISSING}
    assert notes(study)[0] == "The baseline, single, has no number, so there is no speedup and no efficiency."
    assert "Not measured: speedup and efficiency (the baseline has no number)." in notes(study)


def test_the_reason_of_a_missing_number_names_its_rows_unless_it_holds_for_all():
    first, two = studies.baseline(), studies.measured("ddp", 2, studies.DDP2_RATES)
    lacking = replace(two, peak_memory_bytes=None, reasons_null={"peak_memory_bytes": "the counter was denied"})
    assert "Not measured: peak memory of ddp on 2 ranks (the counter was denied)." in notes(
        studies.study(first, lacking)
    )


def test_methods_and_launches_behind_the_intervals_are_named():
    assert (
        "95 % intervals. samples/s: t interval on log throughput over launches, n = 6; "
        "speedup: t interval on paired log ratios by round, n = 6." in notes(studies.good())
    )


def test_accuracy_has_a_column_only_when_some_row_has_it():
    assert "acc top-1" not in table(studies.good())[0]
    assert [row["acc top-1"] for row in table(studies.quick())] == ["96.39 %", "95.83 %"]


def test_a_projected_epoch_is_marked_and_a_timed_one_is_not():
    assert table(studies.good())[0]["epoch s"] == "~38.4"
    assert table(studies.quick())[0]["epoch s"] == "0.411"
    assert any(note.startswith("~ projected") for note in notes(studies.good()))
    assert not any(note.startswith("~ projected") for note in notes(studies.quick()))


def test_verdicts_are_absent_from_a_quick_study():
    assert "verdict" not in table(studies.quick())[0]


def test_a_refused_rows_reason_is_given_once_and_its_others_beside_it():
    assert (
        "ddp on 3 ranks: INVALID: trained on different numbers of samples; repeat the study whole; "
        "suspect: 3 of 6 launches ended as hang: no step for 60 s." in notes(studies.failed_rank())
    )


def test_a_suspect_row_says_what_speaks_against_it():
    assert (
        "ddp on 2 ranks: suspect: the device was throttled in 38 % of the window; let it cool, and run again."
        in notes(studies.undecided())
    )


def test_an_invalid_baseline_is_not_marked_as_one_and_says_why():
    bad = studies.baseline(speedup=None, efficiency=None, verdict=studies.verdict("INVALID", "the loss became NaN"))
    study = studies.study(bad, studies.measured("ddp", 2, studies.DDP2_RATES))
    assert [row["speedup [95 %]"] for row in table(study)] == [fmt.MISSING, fmt.MISSING]
    assert notes(study)[:2] == [
        "The baseline, single, is INVALID, so there is no speedup and no efficiency.",
        "single: INVALID: the loss became NaN.",
    ]


def test_a_study_without_rows_is_still_a_table():
    assert build(studies.study()).rows == ()


def test_what_an_ok_row_has_to_say_is_said_once():
    why = "the baseline has no number (hang)"
    single = studies.measured(
        "ddp",
        2,
        studies.DDP2_RATES[:4],
        reasons=("2 of 6 launches not run: --resume runs them", f"no speedup: {why}"),
        reasons_null={"speedup": why, "efficiency": why},
    )
    text = notes(studies.study(single))
    assert f"ddp on 2 ranks: 2 of 6 launches not run: --resume runs them; no speedup: {why}." in text
    assert not any(note.startswith("Not measured") for note in text)


def test_the_same_reason_is_given_once_for_all_its_rows():
    assert "ddp on 2 ranks and ddp on 4 ranks: n/a: this machine has no CUDA device." in notes(studies.nothing_runs())


def test_devices_are_told_apart_where_there_are_several():
    cpu = studies.baseline()
    mps = studies.measured("single", 1, (9840.0, 9801.0, 9855.0), device="mps", cores_per_rank=None)
    assert [row["mode"] for row in table(studies.study(cpu, mps))] == ["single cpu", "single mps"]


def test_a_ratio_is_written_from_its_own_estimate_and_not_from_the_rounded_rates():
    base = studies.measured("single", 1, (10.44, 10.2, 10.7), is_baseline=True)
    two = studies.measured("ddp", 2, (20.4, 20.46, 20.52))
    ratio = replace(two.throughput, estimate=1.9597, low=1.9496, high=1.9698)
    cells = table(studies.study(base, replace(two, speedup=ratio, efficiency=None)))[1]
    assert cells["speedup [95 %]"] == "1.960 [1.950, 1.970]"  # 20.46 / 10.44, where 20 / 10 would read 2


@settings(max_examples=40)
@given(st.sets(st.sampled_from(MEASURED)))
def test_what_was_not_measured_is_a_dash_or_absent_and_never_a_zero(gone):
    base, row = studies.good().rows[0], studies.good().rows[3]
    lacking = replace(row, **dict.fromkeys(gone))
    columns = build(studies.study(base, lacking)).columns
    for column in columns:
        if column.key in gone:
            assert column.cells[1] in {fmt.MISSING, ""}
        else:
            assert column.cells[1] not in {fmt.MISSING, ""}


@pytest.mark.parametrize("made", [studies.good, studies.failed_rank, studies.accelerators])
def test_columns_give_way_until_the_table_fits_and_the_core_of_it_stays(made):
    columns = build(made()).columns
    for width in range(1, 200, 3):
        shown, gone = fitting(columns, width)
        taken = sum(map(widest, shown)) + 2 * (len(shown) - 1)
        assert taken <= width or all(column.drop is None for column in shown)
        assert {"strategy", "ranks", "throughput", "speedup"} <= {column.key for column in shown}
        assert len(shown) + len(gone) == len(columns)


def test_what_fits_is_left_whole():
    columns = build(studies.good()).columns
    assert fitting(columns, 400) == (columns, ())


def test_an_interval_gives_way_before_its_estimate():
    shown, _ = fitting(build(studies.good()).columns, 80)
    assert "eff." in [column.header for column in shown]


def test_a_status_that_says_something_never_gives_way():
    assert "status" in {column.key for column in fitting(build(studies.failed_rank()).columns, 60)[0]}
    assert "status" not in {column.key for column in fitting(build(studies.good()).columns, 60)[0]}


@pytest.mark.parametrize("align", ["left", "right", "point"])
def test_every_cell_of_a_column_takes_the_same_room(align):
    column = Column(
        key="x",
        header="header",
        cells=("1.5", "12.25 [12.20,\u202f12.30]", fmt.MISSING, "", "1\u202f200"),
        align=align,
    )
    assert len({len(text) for text in laid_out(column)}) == 1


def test_decimal_points_stand_in_one_line():
    column = Column(key="x", header="h", cells=("1.93 [1.92, 1.95]", "15.2 [15.1, 15.3]", fmt.MISSING), align="point")
    assert [text.rstrip() for text in laid_out(column)[1:]] == [
        " 1.93 [1.92, 1.95]",
        "15.2 [15.1, 15.3]",
        f" {fmt.MISSING}",
    ]
