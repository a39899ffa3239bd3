"""Each usual cause of a low accuracy is found where it is, not found where it is not, and the costliest comes first."""

import math
from dataclasses import replace

import pytest

from bench.analysis.learning import accuracy, why
from bench.analysis.scaling.rows import without_a_number
from bench.plan import Recipe, Workload
from reports.learning import why as report
from tests.bench.analysis.analysis_fakes import configuration as row_of
from tests.bench.analysis.analysis_fakes import epoch, launch, plan

SOUND = Recipe(learning_rate=0.1, weight_decay=5e-4, schedule="cosine")


def diagnosed(recipe=SOUND, *, batch=128, ranks=1, epochs=200, tops=None, rates=None, base_batch=None, **work):
    """A row that trained so; by default as the well-known recipe has it."""
    report = {"model": "resnet18", "data": "cifar10", "augment": ("crop", "flip"), "epochs": epochs, **work}
    mine = row_of("ddp" if ranks > 1 else "single", ranks, batch=batch)
    base = replace(row_of(batch=batch), batch_global=base_batch or batch)
    whole = plan([base, mine], rounds=1, baseline=base, workload=Workload(recipe=recipe, **report))
    one = launch(whole.launches[1])
    rates = rates or [recipe.learning_rate] * (epochs - 1) + [0.0 if recipe.schedule != "constant" else 0.1]
    tops = tops or [0.9] * len(rates)
    trained = [
        epoch(one.launch_id, number, learning_rate=rate, top1=top1)
        for number, (rate, top1) in enumerate(zip(rates, tops, strict=True))
    ]
    row = without_a_number(mine, "ok", (), is_baseline=False)
    row = replace(row, accuracy=accuracy.accuracy([one], trained))
    return why.diagnose(whole, row, trained)


def broken(losses, **changed):
    """A run whose losses were these."""
    report = {"model": "resnet18", "data": "cifar10", "epochs": len(losses), **changed}
    mine = row_of(batch=128)
    whole = plan([mine], rounds=1, workload=Workload(recipe=Recipe(learning_rate=3.0), **report))
    one = launch(whole.launches[0])
    trained = [
        epoch(one.launch_id, number, learning_rate=3.0, train_loss=loss, validation_loss=loss, top1=0.1)
        for number, loss in enumerate(losses)
    ]
    row = replace(without_a_number(mine, "ok", (), is_baseline=True), accuracy=accuracy.accuracy([one], trained))
    return why.diagnose(whole, row, trained)


@pytest.mark.parametrize("losses", [(math.nan,) * 3, (2.0, math.nan, math.nan), (2.0, 1.0, math.inf)])
def test_a_loss_that_is_no_number_is_the_first_and_only_thing_to_look_at(losses):
    (cause,) = broken(losses).causes
    assert cause.name == "learning rate"
    since = next(number for number, loss in enumerate(losses, 1) if not math.isfinite(loss))
    assert f"from epoch {since} on" in cause.seen
    assert "up to 3" in cause.seen
    text = "\n".join(report.lines(broken(losses)))
    assert "crop" not in text
    assert "Looked at and not found" not in text


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_after_a_divergence_a_narrow_precision_comes_second(precision):
    causes = broken((2.0, math.nan), precision=precision).causes
    assert [each.name for each in causes] == ["learning rate", "precision"]


def found(**changed):
    return [each.name for each in diagnosed(**changed).causes]


def test_the_well_known_recipe_has_none_of_the_causes():
    seen = diagnosed()
    assert seen.causes == ()
    assert len(seen.sound) == 10


CASES = {
    "stem": {"model": "efficientnet_b0"},
    "schedule": {"recipe": replace(SOUND, schedule="constant")},
    "length": {"epochs": 25},
    "weight decay": {"recipe": replace(SOUND, weight_decay=1e-4)},
    "augmentation": {"augment": ("flip",)},
    "learning rate": {"recipe": replace(SOUND, learning_rate=0.001)},
    "global batch": {"ranks": 4},
    "best epoch": {"epochs": 200, "tops": [0.9] * 198 + [0.93, 0.92]},
    "batch norm": {"batch": 4, "recipe": replace(SOUND, learning_rate=0.01)},
    "mixing": {"epochs": 100, "recipe": replace(SOUND, mixup=0.2)},
}


@pytest.mark.parametrize("name", CASES)
def test_each_cause_alone_is_the_one_that_is_found(name):
    assert found(**CASES[name]) == [name]


@pytest.mark.parametrize("name", CASES)
def test_every_cause_has_a_cost_a_source_and_something_to_do(name):
    (cause,) = diagnosed(**CASES[name]).causes
    assert 0 < cause.low <= cause.high
    assert cause.seen
    assert cause.source
    assert cause.fix


def test_a_run_that_stopped_within_its_schedule_did_not_end_it():
    half = [0.1 * (200 - number) / 200 for number in range(120)]
    (cause,) = diagnosed(rates=half).causes
    assert cause.name == "schedule"
    assert "planned: 200, trained: 120" in cause.fix


def test_a_batch_that_grew_under_its_own_rule_is_no_cause():
    ruled = replace(SOUND, batch_rule="linear", batch_reference=128)
    assert "global batch" not in found(recipe=ruled, ranks=4)
    assert "global batch" not in found(batch=128, base_batch=128)


def test_a_network_without_batch_norm_takes_any_batch_and_length():
    assert found(model="lenet-large", batch=4, epochs=20, recipe=replace(SOUND, learning_rate=0.01)) == []


def test_the_costliest_cause_comes_first_and_the_best_epoch_counts_with_what_it_had():
    seen = diagnosed(
        recipe=replace(SOUND, schedule="constant", weight_decay=0.0), augment=(), tops=[0.9] * 198 + [0.93, 0.92]
    )
    assert [each.name for each in seen.causes] == ["augmentation", "schedule", "weight decay", "best epoch"]
    assert seen.causes[-1].low == pytest.approx(1.0)


def test_the_first_report_is_low_for_its_ten_epochs_and_its_weight_decay():
    first = Recipe(learning_rate=0.1, weight_decay=1e-4, schedule="multistep", milestones=(5, 8))
    rates = [0.1] * 5 + [0.01] * 3 + [0.001] * 2
    assert found(recipe=first, model="resnet50", epochs=10, rates=rates) == ["length", "weight decay"]
