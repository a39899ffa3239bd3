import math
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.analysis.result import EQUIVALENT, FASTER, INCONCLUSIVE, INVALID, SLOWER
from bench.analysis.scaling.findings import analyse
from bench.plan import Workload
from tests.bench.analysis.analysis_fakes import DDP2, DDP4, SINGLE, changed, configuration, epoch, row, steps, study

BASE = (100.0, 101.0, 99.0, 100.5, 99.5, 100.2)
DOUBLE = (190.0, 192.0, 188.0, 191.0, 189.0, 190.5)
QUADRUPLE = (360.0, 364.0, 357.0, 362.0, 359.0, 361.0)
RATES = {SINGLE: BASE, DDP2: DOUBLE, DDP4: QUADRUPLE}
TWO = {SINGLE: BASE, DDP2: DOUBLE}
NULLABLE = (
    "throughput",
    "speedup",
    "efficiency",
    "verdict",
    "step_ms",
    "epoch_s",
    "data_wait",
    "communication",
    "peak_memory_bytes",
    "accuracy",
    "mfu",
)


def analysed(rates=RATES, **changes):
    return analyse(*study(rates, **changes), epochs=[])


def with_launches(its, change, rates=TWO, **changes):
    """The study of `rates` after `change` has been made to every launch of one configuration."""
    plan, launches, timed = study(rates, **changes)
    return analyse(plan, changed(launches, its, **change), timed, epochs=[])


def assert_whole(found):
    """Every quantity of every row is there or has its reason, never both."""
    for each in found.rows:
        for name in NULLABLE:
            assert (getattr(each, name) is None) == (name in each.reasons_null), (each.key, name)
            assert each.reasons_null.get(name, "why") != ""


def test_a_study_has_a_row_for_every_configuration_with_rate_speedup_efficiency_and_verdict():
    found = analysed()
    assert_whole(found)
    assert [each.key for each in found.rows] == [SINGLE.key, DDP2.key, DDP4.key]
    two = row(found, DDP2)
    assert two.throughput.estimate == pytest.approx(math.prod(DOUBLE) ** (1 / 6))
    assert two.speedup.estimate == pytest.approx(math.prod(a / b for a, b in zip(DOUBLE, BASE, strict=True)) ** (1 / 6))
    assert two.efficiency.estimate == pytest.approx(two.speedup.estimate / 2)
    assert two.efficiency.low == pytest.approx(two.speedup.low / 2)
    assert two.verdict.word == FASTER
    assert (two.status, two.reasons, two.launches, two.launches_failed) == ("ok", (), 6, 0)
    assert two.rates == pytest.approx(DOUBLE)
    assert (two.data_wait, two.peak_memory_bytes, two.cut_steps) == (pytest.approx(0.1), 2**28, 0)


def test_the_golden_numbers_of_a_small_study():
    # ln 2, ln(198/101), ln 2.04: mean 0.693081, sd 0.019902; half-width 4.302653 x sd / sqrt(3) = 0.049439.
    found = row(analysed({SINGLE: (100.0, 101.0, 100.0), DDP2: (200.0, 198.0, 204.0)}), DDP2)
    assert found.speedup.estimate == pytest.approx(1.999868, rel=1e-6)
    assert found.speedup.low == pytest.approx(1.903401, rel=1e-6)
    assert found.speedup.high == pytest.approx(2.101224, rel=1e-6)
    assert (found.speedup.n, found.speedup.method) == (3, "t interval on log ratios paired by round")


def test_the_baseline_is_one_by_definition_and_keeps_its_absolute_rate():
    base = analysed().baseline
    assert base.is_baseline
    assert base.throughput.estimate == pytest.approx(100.03, abs=0.01)
    assert (base.speedup.estimate, base.speedup.low, base.speedup.high) == (1, 1, 1)
    assert base.efficiency.estimate == 1
    assert base.verdict is None


def test_the_known_answer_of_a_sleeping_model_is_exact():
    found = analysed({SINGLE: (320.0,) * 6, DDP2: (640.0,) * 6, configuration("ddp", 3): (960.0,) * 6})
    for each in found.rows:
        assert each.throughput.estimate == pytest.approx(320 * each.configuration.ranks)
        assert each.speedup.estimate == pytest.approx(each.configuration.ranks)
        assert each.efficiency.estimate == pytest.approx(1)


def test_a_straggler_halves_the_rate_of_its_row():
    plan, launches, timed = study({SINGLE: (320.0,) * 6, DDP2: (640.0,) * 6})
    for each in launches:
        if each.configuration == DDP2.key:
            timed[each.launch_id] = steps([[100.0] * 40, [200.0] * 40], ranks=2)
    found = row(analyse(plan, launches, timed, epochs=[]), DDP2)
    assert found.throughput.estimate == pytest.approx(320)
    assert found.efficiency.estimate == pytest.approx(0.5)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 1e5), st.floats(1, 1e5)), min_size=3, max_size=6))
def test_speedup_times_the_baseline_is_the_rate(pairs):
    base, other = zip(*pairs, strict=True)
    found = analysed({SINGLE: base, DDP2: other})
    expected = row(found, DDP2)
    product = expected.speedup.estimate * found.baseline.throughput.estimate
    assert product == pytest.approx(expected.throughput.estimate, rel=1e-5)


def test_ratios_come_from_unrounded_numbers():
    # As whole numbers, both would be 1 sample/s and the speedup 1.
    found = analysed({SINGLE: (1.4,) * 6, DDP2: (1.6,) * 6})
    assert row(found, DDP2).speedup.estimate == pytest.approx(1.6 / 1.4, rel=1e-6)


def test_ranks_are_sorted_as_numbers():
    many = {configuration("ddp", n): (100.0 * n,) for n in (16, 2, 8, 1, 4)}
    found = analysed({**many, SINGLE: (100.0,)})
    assert [(each.configuration.strategy, each.configuration.ranks) for each in found.rows] == [
        ("single", 1),
        *[("ddp", n) for n in (1, 2, 4, 8, 16)],
    ]


def test_rows_stand_in_the_order_baseline_all_cores_ddp_dp():
    all_cores = configuration(cores=4)
    shuffled = {configuration("dp", 2): (1.0,), DDP4: (1.0,), DDP2: (1.0,), all_cores: (1.0,), SINGLE: (1.0,)}
    found = analysed(shuffled)
    of_rows = [each.configuration for each in found.rows]
    assert [(each.strategy, each.ranks, each.cores_per_rank) for each in of_rows] == [
        ("single", 1, 1),
        ("single", 1, 4),
        ("ddp", 2, 1),
        ("ddp", 4, 1),
        ("dp", 2, 1),
    ]


def test_rounds_are_paired_whatever_order_launches_come_in():
    plan, launches, timed = study(RATES)
    assert analyse(plan, launches[::-1], timed, epochs=[]).rows == analyse(plan, launches, timed, epochs=[]).rows


def test_repeats_are_replicates_and_their_steps_are_not():
    found = row(analysed(TWO), DDP2)
    assert (found.throughput.n, found.speedup.n, len(found.rates)) == (6, 6, 6)


def test_a_round_that_was_run_twice_counts_once_and_loses_nothing():
    plan, launches, timed = study(TWO)
    again = replace(next(each for each in launches if each.configuration == DDP2.key), launch_id="again")
    timed["again"] = steps(1e3 * DDP2.batch_global / 200, ranks=2)
    found = row(analyse(plan, [*launches, again], timed, epochs=[]), DDP2)
    assert len(found.rates) == found.launches == 7
    assert found.speedup.n == 6
    ratios = [math.sqrt(190.0 * 200.0) / BASE[0], *(a / b for a, b in zip(DOUBLE[1:], BASE[1:], strict=True))]
    assert found.speedup.estimate == pytest.approx(math.prod(ratios) ** (1 / 6), rel=1e-6)


def test_all_cores_efficiency_is_per_core():
    found = row(analysed({SINGLE: BASE, configuration(cores=2): DOUBLE}), configuration(cores=2))
    assert found.efficiency.estimate == pytest.approx(found.speedup.estimate / 2)


def test_efficiency_is_per_rank_where_cores_are_not_set_on_accelerators():
    base, two = configuration(device="cuda", cores=None), configuration("ddp", 2, device="cuda", cores=None)
    found = row(analysed({base: BASE, two: DOUBLE}, baseline=base), two)
    assert found.efficiency.estimate == pytest.approx(found.speedup.estimate / 2)


def test_ranks_on_unbounded_cores_are_no_resource():
    base, two = configuration(cores=None), configuration("ddp", 2, cores=None)
    found = row(analysed({base: BASE, two: DOUBLE}, baseline=base), two)
    assert found.speedup is not None
    assert found.efficiency is None
    assert "cores per rank are not set" in found.reasons_null["efficiency"]


def test_there_is_no_efficiency_across_kinds_of_device():
    gpu = configuration(device="mps", cores=None)
    found = row(analysed({SINGLE: BASE, gpu: QUADRUPLE}), gpu)
    assert found.speedup.estimate == pytest.approx(3.6, rel=0.01)
    assert found.efficiency is None
    assert "mps against cpu" in found.reasons_null["efficiency"]


def test_quick_studies_give_estimates_and_no_verdict():
    found = analysed({its: rates[:3] for its, rates in RATES.items()}, quick=True)
    assert_whole(found)
    assert found.quick
    assert all(each.verdict is None for each in found.rows)
    assert row(found, DDP2).speedup.low is not None
    assert "6 rounds" in row(found, DDP2).reasons_null["verdict"]


def test_three_rounds_give_no_verdict_even_if_nobody_said_quick():
    found = analysed({its: rates[:3] for its, rates in RATES.items()})
    assert found.quick
    assert row(found, DDP2).verdict is None


def test_a_failed_launch_is_counted_and_never_averaged_in():
    found = row(analysed({SINGLE: BASE, DDP2: (*DOUBLE[:5], None)}), DDP2)
    assert (found.launches, found.launches_failed, len(found.rates)) == (5, 1, 5)
    assert found.throughput.estimate == pytest.approx(math.prod(DOUBLE[:5]) ** (1 / 5))
    assert found.speedup.n == 5
    assert found.status == "suspect"
    assert found.reasons == ("1 of 6 launches ended as crash: RuntimeError: boom",)
    assert found.verdict.word == INCONCLUSIVE
    assert "5 complete rounds" in found.verdict.reasons[0]


def test_a_row_that_always_failed_has_its_failure_for_a_status_and_leaves_the_others_alone():
    whole, broken = analysed(), analysed({**RATES, DDP2: (None,) * 6})
    assert_whole(broken)
    found = row(broken, DDP2)
    assert (found.status, found.launches, found.launches_failed) == ("crash", 0, 6)
    assert "RuntimeError: boom" in found.reasons[0]
    assert row(broken, DDP4) == row(whole, DDP4)


def test_without_a_baseline_that_ran_no_row_has_a_speedup_and_each_says_why():
    found = analysed({**RATES, SINGLE: (None,) * 6})
    assert_whole(found)
    assert found.baseline.status == "crash"
    for its in (DDP2, DDP4):
        each = row(found, its)
        assert (each.speedup, each.efficiency, each.verdict, each.status) == (None, None, None, "ok")
        assert each.throughput is not None
        assert "no speedup: the baseline has no number" in each.reasons[0]
        assert "RuntimeError: boom" in each.reasons_null["speedup"]


def test_without_a_baseline_in_the_plan_no_row_has_a_speedup():
    found = analysed({DDP2: DOUBLE, DDP4: QUADRUPLE})
    assert_whole(found)
    assert found.baseline is None
    assert all("there is no baseline row" in each.reasons_null["speedup"] for each in found.rows)


def test_only_rounds_with_both_sides_make_a_ratio():
    found = row(analysed({SINGLE: (None, *BASE[1:]), DDP2: (*DOUBLE[:5], None)}), DDP2)
    assert found.speedup.n == 4
    assert found.speedup.estimate == pytest.approx(
        math.prod(DOUBLE[i] / BASE[i] for i in range(1, 5)) ** (1 / 4), rel=1e-6
    )


def test_no_common_round_means_no_ratio():
    found = row(analysed({SINGLE: (*BASE[:3], None, None, None), DDP2: (None, None, None, *DOUBLE[3:])}), DDP2)
    assert found.speedup is None
    assert "no round has a number both here and for the baseline" in found.reasons_null["speedup"]


INVALIDATING = [
    {"closure_error": 0.004},
    {"loss_finite": False},
    {"weights_moved": False},
    {"weights_equal": False},
    {"world_size": 1},
    {"params": 5},
]


@pytest.mark.parametrize("fault", INVALIDATING, ids=lambda fault: next(iter(fault)))
def test_an_invalid_row_shows_its_reason_and_no_ratio(fault):
    found = with_launches(DDP2, fault, RATES)
    assert_whole(found)
    broken = row(found, DDP2)
    assert (broken.speedup, broken.efficiency, broken.mfu) == (None, None, None)
    assert broken.verdict.word == INVALID
    assert broken.verdict.reasons == broken.reasons
    assert broken.status == "suspect"
    assert broken.throughput is not None
    assert row(found, DDP4) == row(analysed(), DDP4)


def test_one_invalid_launch_is_enough_and_is_not_dropped():
    plan, launches, timed = study(TWO)
    launches = [replace(each, loss_finite=False) if each.launch_id == "s1.r3p1" else each for each in launches]
    found = row(analyse(plan, launches, timed, epochs=[]), DDP2)
    assert found.verdict.word == INVALID
    assert found.reasons[0].startswith("in 1 of 6 launches the loss became NaN")
    assert found.launches == 6


def test_an_invalid_row_is_invalid_in_a_quick_study_too():
    short = {its: rates[:3] for its, rates in TWO.items()}
    assert row(with_launches(DDP2, {"loss_finite": False}, short, quick=True), DDP2).verdict.word == INVALID


def test_an_invalid_baseline_forbids_every_speedup():
    found = with_launches(SINGLE, {"loss_finite": False}, RATES)
    assert_whole(found)
    assert found.baseline.verdict.word == INVALID
    assert found.baseline.speedup is None
    for its in (DDP2, DDP4):
        each = row(found, its)
        assert (each.speedup, each.verdict) == (None, None)
        assert "the baseline is INVALID (the loss became NaN" in each.reasons_null["speedup"]


def test_mixed_method_versions_give_no_ratio_anywhere():
    found = with_launches(DDP2, {"method_version": 99}, RATES)
    assert all(each.speedup is None for each in found.rows)
    assert all(each.verdict.word == INVALID for each in found.rows)
    assert "method_version" in found.rows[0].reasons[0]


def test_a_row_without_steps_is_invalid_and_blanks_nothing_else():
    plan, launches, timed = study(RATES)
    for each in launches:
        if each.configuration == DDP2.key:
            del timed[each.launch_id]
    found = analyse(plan, launches, timed, epochs=[])
    assert_whole(found)
    broken = row(found, DDP2)
    assert (broken.status, broken.verdict.word, broken.launches) == ("suspect", INVALID, 0)
    assert "no timed step was kept" in broken.reasons[0]
    assert row(found, DDP4) == row(analysed(), DDP4)


def test_a_launch_without_steps_among_others_makes_its_row_invalid():
    plan, launches, timed = study(TWO)
    del timed["s1.r2p1"]
    found = row(analyse(plan, launches, timed, epochs=[]), DDP2)
    assert found.verdict.word == INVALID
    assert found.launches == 5
    assert "in 1 of 6 launches no timed step was kept" in found.reasons[0]


def test_drift_in_most_launches_is_no_steady_state():
    plan, launches, timed = study(TWO)
    slowing = [[300.0 + 2 * i for i in range(40)]]
    for each in launches:
        if each.configuration == DDP2.key:
            timed[each.launch_id] = steps(slowing, ranks=2)
    found = row(analyse(plan, launches, timed, epochs=[]), DDP2)
    assert found.verdict.word == INVALID
    assert "no steady state: in 6 of 6 launches the steps get slower" in found.reasons[0]


def test_every_launch_of_a_row_is_cut_alike():
    plan, launches, timed = study(TWO)
    timed["s1.r0p1"] = steps([[600.0] * 10 + [336.0] * 30], ranks=2)
    found = row(analyse(plan, launches, timed, epochs=[]), DDP2)
    assert found.cut_steps == 10
    assert found.rates[0] == pytest.approx(1e3 * 64 / 336)
    assert row(analyse(plan, launches, timed, epochs=[]), SINGLE).cut_steps == 0


def test_rows_that_cannot_run_say_why_beside_those_that_did():
    eight = configuration("ddp", 8)
    found = analysed(TWO, unrunnable=[(eight, "this machine has 4 cores")])
    assert_whole(found)
    last = found.rows[-1]
    assert (last.key, last.status, last.reasons) == (eight.key, "n/a", ("this machine has 4 cores",))
    assert last.reasons_null["throughput"] == "this machine has 4 cores"


def test_a_baseline_that_cannot_run_is_still_the_baseline():
    found = analysed({DDP2: DOUBLE}, unrunnable=[(SINGLE, "no")])
    assert found.baseline.status == "n/a"
    assert row(found, DDP2).speedup is None


def test_what_was_not_run_is_told_from_what_failed():
    plan, launches, timed = study(RATES)
    begun = [each for each in launches if each.configuration != DDP4.key and each.round < 4]
    found = analyse(plan, begun, timed, epochs=[])
    assert_whole(found)
    assert row(found, DDP4).status == "not_run"
    half = row(found, DDP2)
    assert (half.status, half.launches, half.launches_failed) == ("ok", 4, 0)
    assert half.reasons == ("2 of 6 launches not run: --resume runs them",)
    assert half.verdict.word == INCONCLUSIVE


def test_a_study_that_has_not_begun_is_a_table_of_rows_not_run():
    plan, _, _ = study(RATES)
    found = analyse(plan, [], {}, epochs=[])
    assert_whole(found)
    assert {each.status for each in found.rows} == {"not_run"}
    assert found.hw_id is None


def test_a_suspect_launch_marks_its_row_and_keeps_its_number():
    found = row(with_launches(DDP2, {"status": "suspect", "reason": "throttled"}), DDP2)
    assert found.status == "suspect"
    assert "throttled" in found.reasons[0]
    assert found.verdict.word == FASTER


def test_slower_and_equivalent_rows_are_named():
    found = analysed({SINGLE: BASE, DDP2: [0.8 * each for each in BASE], DDP4: [1.001 * each for each in BASE]})
    assert row(found, DDP2).verdict.word == SLOWER
    assert row(found, DDP4).verdict.word == EQUIVALENT


def test_an_epoch_is_projected_from_the_rate_unless_it_was_timed():
    projected = row(analysed(TWO), DDP2)
    assert projected.epoch_s.projected
    assert projected.epoch_s.estimate == pytest.approx(1437 / projected.throughput.estimate)

    plan, launches, timed = study(TWO)
    trained = [epoch(each.launch_id, number, train_s=10.0 + number) for each in launches for number in range(3)]
    found = row(analyse(plan, launches, timed, trained), DDP2)
    assert (found.epoch_s.estimate, found.epoch_s.projected) == (pytest.approx(11), False)


def test_synthetic_data_has_no_epoch():
    why = '{"epoch_samples": "synthetic data has no epoch"}'
    found = row(with_launches(DDP2, {"epoch_samples": None, "unavailable": why}), DDP2)
    assert found.epoch_s is None
    assert found.reasons_null["epoch_s"] == "synthetic data has no epoch"


def test_accuracy_is_the_last_epochs_mean_over_launches():
    plan, launches, timed = study(TWO)
    trained = [
        epoch(each.launch_id, number, top1=0.5 + 0.1 * number + 0.01 * each.round, validation_loss=1 - 0.1 * number)
        for each in launches
        for number in range(3)
    ]
    found = row(analyse(plan, launches, timed, trained), DDP2).accuracy
    assert (found.top1, found.top5, found.loss, found.epoch) == (
        pytest.approx(0.725),
        pytest.approx(0.99),
        pytest.approx(0.8),
        3,
    )
    trained[-1] = replace(trained[-1], top5=None)
    assert row(analyse(plan, launches, timed, trained), DDP2).accuracy.top5 is None
    assert row(analysed(), DDP2).accuracy is None


def test_epochs_of_failed_launches_do_not_count():
    plan, launches, timed = study({SINGLE: BASE, DDP2: (*DOUBLE[:5], None)})
    trained = [epoch(each.launch_id, 0, top1=0.0 if each.status == "crash" else 1.0) for each in launches]
    assert row(analyse(plan, launches, timed, trained), DDP2).accuracy.top1 == 1


def test_the_share_of_the_peak_uses_the_devices_own_name():
    base = configuration(device="cuda", cores=None)
    plan, launches, timed = study({base: BASE}, baseline=base)
    launches = [replace(each, flop_per_sample=1e9, device_names=("Chip A",)) for each in launches]
    peaks = {"chip": [{"match": ["Chip A"], "dense_flops": {"fp32": 1e12}}]}
    assert analyse(plan, launches, timed, [], peaks).rows[0].mfu == pytest.approx(0.1, rel=0.01)
    unknown = analyse(plan, launches, timed, []).rows[0]
    assert unknown.mfu is None
    assert "Chip A" in unknown.reasons_null["mfu"]


def test_missing_values_keep_the_reason_of_whoever_measured():
    why = '{"peak_memory_bytes": "the driver does not tell", "flop_per_sample": "only for accelerators"}'
    found = row(with_launches(DDP2, {"peak_memory_bytes": None, "unavailable": why}), DDP2)
    assert found.peak_memory_bytes is None
    assert found.reasons_null["peak_memory_bytes"] == "the driver does not tell"
    assert found.reasons_null["mfu"] == "only for accelerators"


def test_the_title_tells_what_was_run():
    found = analysed(TWO, scaling="strong", workload=Workload(model="lenet", data="digits", steps=40, seed=7))
    assert (found.title.scaling, found.title.batch, found.title.seed, found.title.params) == ("strong", 32, 7, 62006)
    assert (found.title.rounds, found.title.window, found.margin) == (6, "40 steps", 0.02)
    assert (found.hw_id, found.sw_id, found.num_id) == ("hw", "sw", None)


def test_every_quantity_of_a_row_that_may_be_missing_is_in_this_files_list():
    from bench.analysis.result import Row

    document = {each.name for each in fields(Row) if "None" in str(each.type)}
    assert document - {"backend", "cores_per_rank"} == set(NULLABLE)


def test_communication_is_the_share_of_a_step_that_is_not_compute():
    single = round(1e9 * DDP2.batch_global / 200 * 0.6)
    found = with_launches(DDP2, {"compute_step_ns": single}, rates={SINGLE: BASE, DDP2: (200.0,) * 6})
    assert row(found, DDP2).communication == pytest.approx(0.4, abs=0.01)
    assert "40% of a step in the all-reduce" in " ".join(found.warnings)
