"""Which study --resume goes on with, and what it says where there is none."""

from dataclasses import replace

import pytest

from bench import resuming
from bench.errors import CannotError, UsageError
from bench.plan import to_json
from bench.store import attempts
from bench.store.commit import Store


@pytest.fixture
def store(tmp_path, a_plan) -> Store:
    """One study, of which nothing has run."""
    store = Store.open(tmp_path / "store")
    store.create_study(to_json(a_plan()))
    return store


def again(a_plan, **changes):
    """The same plan, asked for once more."""
    return a_plan("2611230000-lenet-ffff", order_seed=8, created_at="later", command="bench scale --resume", **changes)


def test_the_same_plan_goes_on_whatever_its_name_time_and_order(store, a_plan) -> None:
    assert resuming.unfinished(store, again(a_plan)) == a_plan()


def test_a_changed_setting_is_refused_with_what_it_was_and_is(store, a_plan) -> None:
    settings = {**a_plan().settings, "measure.warmup": 20}
    with pytest.raises(UsageError, match="2611220824-lenet-0a1b is another plan: warmup was 10, is 20") as refused:
        resuming.unfinished(store, again(a_plan, settings=settings))
    assert "bench show 2611220824-lenet-0a1b" in refused.value.hint


def test_a_machine_that_makes_other_rows_of_the_same_settings_is_refused(store, a_plan) -> None:
    asked = again(a_plan)
    asked = replace(asked, workload=replace(asked.workload, seed=1))
    with pytest.raises(UsageError, match="other workload of the same settings"):
        resuming.unfinished(store, asked)


def test_a_store_without_an_unfinished_study_says_so(tmp_path, a_plan) -> None:
    with pytest.raises(UsageError, match="no unfinished study"):
        resuming.unfinished(Store.open(tmp_path / "store"), again(a_plan))


def test_where_results_lie_and_what_to_do_on_a_busy_host_may_change(store, a_plan) -> None:
    settings = {**a_plan().settings, "study.store": "elsewhere", "study.when_busy": "wait"}
    assert resuming.unfinished(store, again(a_plan, settings=settings)) == a_plan()


def test_a_study_that_a_living_process_runs_is_left_to_it(store, a_plan, monkeypatch) -> None:
    plan = a_plan()
    attempts.begin(store, plan.study_id, plan.launches[0].launch_id)
    monkeypatch.setattr("bench.store.owner.Owner.is_this_process", False)
    monkeypatch.setattr("bench.store.owner.Owner.alive", lambda _: True)
    with pytest.raises(CannotError, match="is being run by process"):
        resuming.prepare_resume(store, plan.study_id)


def test_a_study_begun_on_another_machine_is_taken_up_only_by_force(store, a_plan, monkeypatch) -> None:
    plan = a_plan()
    attempts.begin(store, plan.study_id, plan.launches[0].launch_id)
    monkeypatch.setattr("bench.store.owner.Owner.is_this_process", False)
    monkeypatch.setattr("bench.store.owner.Owner.alive", lambda _: None)
    with pytest.raises(CannotError, match="another machine") as refused:
        resuming.prepare_resume(store, plan.study_id)
    assert "bench recover 2611220824-lenet-0a1b --force" in refused.value.hint
    resuming.prepare_resume(store, plan.study_id, force=True)
    assert attempts.open_attempts(store.path, plan.study_id) == []
