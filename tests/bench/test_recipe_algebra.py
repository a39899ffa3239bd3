"""What a recipe comes to at a batch, a length and an epoch."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.documents import noun_of
from bench.learn.schedules import scheduler
from bench.recipe import SCHEDULES, Phase, Recipe, Span

BATCHES = st.integers(1, 4096)
PHASED = Recipe(
    learning_rate=0.15,
    schedule="restarts",
    mixup=0.2,
    phases=(
        Phase(from_epoch=40, dropout=0.2, mixup=0.15, augment=("crop",)),
        Phase(from_epoch=70, dropout=0.1, mixup=0.0, schedule="cosine", learning_rate=0.05),
    ),
)


@given(reference=BATCHES, batch=BATCHES)
def test_the_linear_factor_is_the_square_of_the_other_and_both_are_one_at_the_reference(reference, batch):
    linear, root = (Recipe(batch_rule=rule, batch_reference=reference) for rule in ("linear", "sqrt"))
    assert linear.rate_factor(batch) == pytest.approx(root.rate_factor(batch) ** 2)
    assert linear.rate_factor(reference) == root.rate_factor(reference) == 1
    assert Recipe().rate_factor(batch) == 1


@given(reference=BATCHES, batch=BATCHES, rule=st.sampled_from(["none", "linear", "sqrt"]))
def test_every_rate_is_multiplied_by_the_factor_and_a_second_time_changes_nothing(reference, batch, rule):
    recipe = Recipe(
        batch_rule=rule,
        batch_reference=reference,
        minimum_rate=0.01,
        warmup_epochs=2,
        warmup_rate=0.02,
        phases=(Phase(from_epoch=3, learning_rate=0.03, minimum_rate=0.001), Phase(from_epoch=5, dropout=0.1)),
    )
    factor, at = recipe.rate_factor(batch), recipe.at_batch(batch)
    rates = [at.learning_rate, at.minimum_rate, at.warmup_rate, at.phases[0].learning_rate, at.phases[0].minimum_rate]
    assert rates == pytest.approx([each * factor for each in (0.05, 0.01, 0.02, 0.03, 0.001)])
    assert at.phases[1].learning_rate is None
    assert at.at_batch(2 * batch) == at


def test_the_warm_up_of_a_larger_batch_goes_from_the_rate_without_the_rule_to_the_one_with_it():
    recipe = Recipe(learning_rate=0.1, batch_rule="linear", batch_reference=128, batch_warmup_epochs=5)
    larger, smaller = recipe.at_batch(512), recipe.at_batch(64)
    assert (larger.warmup_rate, larger.learning_rate, larger.warmup_epochs) == (0.1, pytest.approx(0.4), 5)
    assert (smaller.learning_rate, smaller.warmup_epochs) == (0.05, 0)


def test_a_warm_up_that_is_there_anyway_is_as_long_as_the_longer_of_both():
    recipe = Recipe(
        learning_rate=0.1,
        warmup_epochs=3,
        warmup_rate=0.01,
        batch_rule="linear",
        batch_reference=64,
        batch_warmup_epochs=5,
    )
    assert (recipe.at_batch(128).warmup_epochs, recipe.at_batch(128).warmup_rate) == (5, 0.02)


def test_everything_counted_in_epochs_is_scaled_but_patience():
    recipe = Recipe(
        milestones=(5, 8),
        every_epochs=30,
        restart_epochs=25,
        warmup_epochs=5,
        batch_warmup_epochs=2,
        patience=15,
        phases=(Phase(from_epoch=40, restart_epochs=10), Phase(from_epoch=70)),
    ).scaled(0.1)
    assert recipe.milestones == pytest.approx((0.5, 0.8))
    assert (recipe.every_epochs, recipe.restart_epochs, recipe.patience) == (3, 2.5, 15)
    assert (recipe.warmup_epochs, recipe.batch_warmup_epochs) == (0.5, pytest.approx(0.2))
    assert [each.from_epoch for each in recipe.phases] == [4, 7]
    assert recipe.phases[0].restart_epochs == 1


def test_the_phase_at_an_epoch_is_all_that_has_changed_so_far():
    assert PHASED.phase_at(39) == Phase(from_epoch=0)
    assert (PHASED.phase_at(40).dropout, PHASED.phase_at(69).mixup) == (0.2, 0.15)
    last = PHASED.phase_at(99)
    assert (last.dropout, last.mixup, last.augment, last.schedule) == (0.1, 0.0, ("crop",), "cosine")


def test_phases_that_fall_on_one_epoch_all_hold_the_later_over_the_earlier():
    assert PHASED.scaled(0.01).phase_at(1).dropout == 0.1


def test_a_phase_that_says_nothing_of_the_rate_begins_no_span():
    document = {"restart_epochs": 25.0, "minimum_rate": 0.0}
    assert list(PHASED.spans(100)) == [
        Span(first=0, end=70, learning_rate=0.15, schedule="restarts", **document),
        Span(first=70, end=100, learning_rate=0.05, schedule="cosine", **document),
    ]
    assert len(list(PHASED.spans(60))) == 1


def test_a_recipe_survives_json():
    recipe = Recipe(milestones=(1, 2.5), phases=PHASED.phases, betas=(0.8, 0.9))
    assert noun_of(Recipe, json.loads(json.dumps(asdict(recipe)))) == recipe
    assert noun_of(Recipe, {"learning_rate": 0.2}) == Recipe(learning_rate=0.2)  # as an earlier version wrote it


OTHERWISE = {
    "milestones": (1.0,),
    "gamma": 0.5,
    "every_epochs": 1.0,
    "restart_epochs": 1.0,
    "restart_factor": 2,
    "minimum_rate": 0.01,
    "rising_share": 0.6,
    "warmup_rate": 0.02,
}


def rates(recipe: Recipe) -> list[float]:
    """Of each of 40 steps, four epochs."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=recipe.learning_rate, momentum=0.9)
    steps = scheduler(optimizer, recipe, 40, 10)
    found = []
    for _ in range(40):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if steps is not None:
            steps.step()
    return found


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup_epochs", [0.0, 1.0])
@pytest.mark.parametrize("name", OTHERWISE)
def test_what_is_said_to_be_unread_changes_no_rate_and_what_is_read_changes_one(schedule, warmup_epochs, name):
    recipe = Recipe(
        schedule=schedule, warmup_epochs=warmup_epochs, milestones=(2.0,), every_epochs=2.0, restart_epochs=1.5
    )
    changed = rates(replace(recipe, **{name: OTHERWISE[name]})) != rates(recipe)
    assert changed == (name not in recipe.unread)


def test_the_optimizer_and_the_rule_for_batches_decide_what_else_is_read():
    assert {"betas", "batch_reference", "batch_warmup_epochs"} <= Recipe().unread
    assert {"momentum", "nesterov"} <= Recipe(optimizer="adamw", batch_rule="linear").unread
    assert not {"betas", "batch_reference"} & Recipe(optimizer="adamw", batch_rule="linear").unread
    assert "minimum_rate" not in PHASED.unread
