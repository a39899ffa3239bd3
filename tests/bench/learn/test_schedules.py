"""The rate of every step against the published formulas, and exact resumption from every step."""

import io
import math

import pytest
import torch
from torch import nn

from bench.learn import WorkloadError
from bench.learn.schedules import scheduler
from bench.recipe import SCHEDULES, Phase, Recipe


def optimizer_of(recipe):
    weights = [nn.Parameter(torch.ones(2)) for _ in range(2)]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(weights, lr=recipe.learning_rate, betas=recipe.betas)
    return torch.optim.SGD([{"params": [each]} for each in weights], lr=recipe.learning_rate, momentum=recipe.momentum)


def step(optimizer, made):
    optimizer.step()
    if made is not None:
        made.step()


def rates_of(recipe, epochs, steps_per_epoch):
    """The rate of each step of the run."""
    optimizer = optimizer_of(recipe)
    made = scheduler(optimizer, recipe, epochs * steps_per_epoch, steps_per_epoch)
    rates = []
    for _ in range(epochs * steps_per_epoch):
        assert len({group["lr"] for group in optimizer.param_groups}) == 1
        rates.append(optimizer.param_groups[0]["lr"])
        step(optimizer, made)
    return rates


def cosine(share, high, low=0.0):
    return low + (high - low) * (1 + math.cos(math.pi * share)) / 2


def test_cosine_falls_to_zero_over_the_run():
    rates = rates_of(Recipe(learning_rate=0.4, schedule="cosine"), 2, 5)
    assert rates == pytest.approx([cosine(step / 10, 0.4) for step in range(10)])


def test_every_schedule_is_known_and_no_other():
    for name in SCHEDULES:
        recipe = Recipe(schedule=name, milestones=(1,))
        assert (scheduler(optimizer_of(recipe), recipe, 10, 5) is None) == (name == "constant")
    with pytest.raises(WorkloadError, match="constant, multistep, step, cosine, restarts, onecycle"):
        scheduler(optimizer_of(Recipe()), Recipe(schedule="linear"), 10, 5)


def test_s1_divides_by_ten_with_the_sixth_and_the_ninth_epoch():
    recipe = Recipe(learning_rate=0.1, schedule="multistep", milestones=(5, 8))
    assert rates_of(recipe, 10, 3) == pytest.approx([0.1] * 15 + [0.01] * 9 + [0.001] * 6)


def test_s2_onecycle_is_torchs_with_its_momentum():
    recipe = Recipe(learning_rate=0.1, schedule="onecycle")
    optimizer = optimizer_of(recipe)
    made = scheduler(optimizer, recipe, 100, 10)
    rates, momenta = [], []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        step(optimizer, made)
    # From a 25th of the maximum, up a cosine over 30 % of the steps, down another to a 10,000th of where it began.
    assert rates[:30] == pytest.approx([cosine(step / 29, 0.004, 0.1) for step in range(30)])
    assert rates[29:] == pytest.approx([cosine(step / 70, 0.1, 4e-7) for step in range(71)])
    assert momenta[0] == momenta[-1] == pytest.approx(0.95)
    assert min(momenta) == momenta[29] == pytest.approx(0.85)


def test_onecycle_leaves_a_momentum_of_zero_alone():
    recipe = Recipe(schedule="onecycle", momentum=0.0)
    optimizer = optimizer_of(recipe)
    scheduler(optimizer, recipe, 10, 5)
    assert optimizer.param_groups[0]["momentum"] == 0


def test_s3_steps_every_thirty_epochs():
    recipe = Recipe(learning_rate=0.1, schedule="step", every_epochs=30)
    rates = rates_of(recipe, 100, 2)
    assert [rates[2 * epoch] for epoch in (0, 29, 30, 59, 60, 89, 90, 99)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.0001, 0.0001]
    )


def test_s4_cosine_over_25_epochs():
    rates = rates_of(Recipe(learning_rate=0.15, schedule="cosine"), 25, 4)
    assert [rates[4 * epoch] for epoch in (0, 5, 10, 20)] == pytest.approx(
        [cosine(epoch / 25, 0.15) for epoch in (0, 5, 10, 20)]
    )


def test_s5_warms_up_over_five_epochs_and_restarts_every_25():
    recipe = Recipe(
        learning_rate=0.1, schedule="restarts", restart_epochs=25, minimum_rate=1e-4, warmup_epochs=5, warmup_rate=0.01
    )
    rates = rates_of(recipe, 100, 4)
    assert rates[:20] == pytest.approx([0.01 + 0.09 * step / 20 for step in range(20)])
    for first in (5, 30, 55, 80):
        of_cycle = rates[4 * first : 4 * (first + 25)]
        assert of_cycle == pytest.approx([cosine(step / 100, 0.1, 1e-4) for step in range(len(of_cycle))])
        assert rates[4 * first] == pytest.approx(0.1)


def test_the_warm_up_is_torchs_linear_one():
    recipe = Recipe(learning_rate=0.1, warmup_epochs=2, warmup_rate=0.01)
    optimizer = optimizer_of(recipe)
    linear = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=10)
    expected = []
    for _ in range(15):
        expected.append(optimizer.param_groups[0]["lr"])
        step(optimizer, linear)
    assert rates_of(recipe, 3, 5) == pytest.approx(expected)


def test_a_warm_up_may_begin_at_zero_and_milestones_count_from_the_start_of_the_run():
    recipe = Recipe(learning_rate=0.1, warmup_epochs=1, schedule="multistep", milestones=(2, 3))
    assert rates_of(recipe, 4, 2) == pytest.approx([0, 0.05, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_a_longer_second_cycle():
    rates = rates_of(Recipe(learning_rate=0.1, schedule="restarts", restart_epochs=2, restart_factor=2), 6, 3)
    assert rates[6] == pytest.approx(0.1)
    assert rates[6:] == pytest.approx([cosine(step / 12, 0.1) for step in range(12)])


PHASED = Recipe(
    learning_rate=0.15,
    schedule="restarts",
    restart_epochs=2,
    warmup_epochs=1,
    warmup_rate=0.01,
    phases=(
        Phase(from_epoch=3, dropout=0.2),
        Phase(from_epoch=4, schedule="onecycle", learning_rate=0.1),
        Phase(from_epoch=7, schedule="cosine", minimum_rate=0.001, learning_rate=0.05),
    ),
)


def test_a_phases_schedule_begins_anew_and_ends_with_the_next_that_says_one():
    rates = rates_of(PHASED, 10, 4)
    assert rates[4:12] == pytest.approx([cosine(step / 8, 0.15) for step in range(8)])
    assert rates[12:16] == pytest.approx([cosine(step / 8, 0.15) for step in range(4)])  # a phase of dropout alone
    assert rates[16] == pytest.approx(0.1 / 25)
    assert max(rates[16:28]) == pytest.approx(0.1, rel=0.05)
    assert rates[28:] == pytest.approx([cosine(step / 12, 0.05, 0.001) for step in range(12)])


def test_what_onecycle_did_to_momentum_ends_with_its_phase():
    optimizer = optimizer_of(PHASED)
    made = scheduler(optimizer, PHASED, 40, 4)
    for _ in range(28):
        step(optimizer, made)
    assert {group["momentum"] for group in optimizer.param_groups} == {0.9}


EVERY = {
    "multistep": Recipe(schedule="multistep", milestones=(1, 2)),
    "step": Recipe(schedule="step", every_epochs=0.7),
    "cosine": Recipe(schedule="cosine"),
    "restarts": Recipe(schedule="restarts", restart_epochs=0.6, restart_factor=2),
    "onecycle": Recipe(schedule="onecycle"),
    "adamw": Recipe(optimizer="adamw", schedule="onecycle"),
    "warm-up": Recipe(schedule="constant", warmup_epochs=1),
    "phases": PHASED,
}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("optimizer_first", [True, False])
def test_a_run_gone_on_with_from_any_step_has_the_same_rates(name, optimizer_first):
    recipe, total = EVERY[name], 40

    def made():
        optimizer = optimizer_of(recipe)
        return optimizer, scheduler(optimizer, recipe, total, 4)

    def groups(optimizer):
        return [{key: each for key, each in group.items() if key != "params"} for group in optimizer.param_groups]

    optimizer, running = made()
    seen, saved = [], []
    for _ in range(total):
        file = io.BytesIO()
        torch.save({"optimizer": optimizer.state_dict(), "scheduler": running.state_dict()}, file)
        saved.append(file)
        seen.append(groups(optimizer))
        step(optimizer, running)
    for at, file in list(enumerate(saved))[::3]:
        file.seek(0)
        state = torch.load(file, weights_only=True)
        optimizer, running = made()
        if optimizer_first:
            optimizer.load_state_dict(state["optimizer"])
        running.load_state_dict(state["scheduler"])
        if not optimizer_first:
            optimizer.load_state_dict(state["optimizer"])
        for expected in seen[at:]:
            assert groups(optimizer) == expected
            step(optimizer, running)
