"""A recipe meets the length of its run: scaled, refused, or told."""

from pathlib import Path

import pytest

from bench import planning
from bench.dna.machine import Machine
from bench.errors import UsageError
from bench.plan import Plan, from_json, to_json
from bench.settings import resolve

NOWHERE = Path("/nowhere")
HERE = Machine(cpu_ids=(0, 1, 2, 3), memory_bytes=2**33, pinnable=True, torch_version="2.15.0", torch_build="CPU")


@pytest.fixture
def planned(tmp_path):
    """`planned('[recipe]…', epochs=3)`: the plan of a profile with that text, and of these flags."""

    def plan(text: str = "", epochs_written: int | None = None, **flags) -> Plan:
        measure = "" if epochs_written is None else f"[measure]\nepochs = {epochs_written}\n"
        data = "" if "[data]" in text else '[data]\nname = "cifar10"\n'
        (tmp_path / "own.toml").write_text(f'[model]\nname = "lenet-large"\n{data}{measure}{text}')
        settings = resolve({"ranks": "1,2", **flags}, {}, tmp_path, "own.toml", user_file=NOWHERE)
        document = {
            "study_id": "s",
            "created_at": "2026-11-22T08:24:00+00:00",
            "command": "bench scale",
            "order_seed": 0,
        }
        return planning.build(settings, HERE, **document)

    return plan


S1 = '[recipe]\nlearning_rate = 0.1\nschedule = "multistep"\nmilestones = [5, 8]\n'
S5 = (
    '[recipe]\nlearning_rate = 0.1\nschedule = "restarts"\nrestart_epochs = 25\nwarmup_epochs = 5\nwarmup_rate = 0.01\n'
    "patience = 15\n[[recipe.phases]]\nfrom_epoch = 40\nmixup = 0.15\n[[recipe.phases]]\nfrom_epoch = 70\nmixup = 0.0\n"
    'schedule = "cosine"\n'
)


def test_a_plan_with_phases_survives_json(planned):
    plan = planned(S5, 100)
    assert from_json(to_json(plan)) == plan
    assert plan.settings["recipe.phases"][0] == {"from_epoch": 40, "mixup": 0.15}
    assert plan.origins["recipe.phases"] == "profile own.toml"


def test_at_its_own_length_nothing_is_scaled_and_nothing_said(planned):
    plan = planned(S1, 10)
    assert plan.workload.recipe.milestones == (5, 8)
    assert plan.notes == ()


@pytest.mark.parametrize("epochs", [1, 2, 5, 9])
def test_a_shorter_run_scales_what_is_counted_in_epochs_and_says_so(planned, epochs):
    plan = planned(S1, 10, epochs=epochs)
    assert plan.workload.recipe.milestones == pytest.approx((0.5 * epochs, 0.8 * epochs))
    assert plan.notes[0].startswith(f"Written for 10 epochs, run for {epochs}: what is counted in epochs is scaled by")


def test_phases_that_a_short_run_never_reaches_are_told(planned):
    plan = planned(S5, 100, epochs=1)
    assert [each.from_epoch for each in plan.workload.recipe.phases] == [0, 1]
    assert "1 of the phases would begin after the last epoch" in plan.notes[1]


def test_a_longer_run_keeps_the_epochs_as_they_are_written(planned):
    assert planned(S1, 10, epochs=30).workload.recipe.milestones == (5, 8)


def test_a_file_that_sets_both_a_length_and_a_schedule_is_taken_at_its_word(planned, tmp_path):
    (tmp_path / "bench.toml").write_text(f"{S1}[measure]\nepochs = 20\n")
    assert planned(S1, 40).workload.recipe.milestones == (5, 8)
    assert planned(S1, 40, epochs=10).workload.recipe.milestones == (2.5, 4)


def test_a_window_of_steps_has_a_constant_rate_and_the_plan_says_so(planned):
    assert planned(S5, 100, steps=20).notes == (
        (
            "schedule restarts, warm-up, phases and patience: only with --epochs; "
            "this window trains at the constant rate 0.1."
        ),
    )
    assert planned("[recipe]\nlearning_rate = 0.1\n", steps=20).notes == ()


def test_the_batch_rule_and_what_it_came_to_are_told_for_every_batch(planned):
    rule = '[recipe]\nlearning_rate = 0.1\nbatch_rule = "linear"\nbatch_reference = 128\nbatch_warmup_epochs = 2\n'
    plan = planned(rule, 10, batch="128")
    assert plan.notes == (
        (
            "Batch rule linear: rate 0.1 for a global batch of 128; "
            "here 0.1 at 128, 0.2 at 256, over 2 epochs where it grows."
        ),
    )


def test_synthetic_images_are_not_augmented_and_the_plan_says_so(planned):
    plan = planned('[data]\nname = "synthetic"\naugment = ["crop"]\n', steps=10)
    assert plan.notes == ("Augmentation: none; synthetic images are made once and used as they are.",)


@pytest.mark.parametrize(
    ("recipe", "complaint", "advice"),
    [
        ('schedule = "multistep"', "multistep has no milestones", "milestones = [5, 8]"),
        ('schedule = "multistep"\nmilestones = [5, 12]', "12 lies beyond the run of 10 epochs", "--epochs 13"),
        ('schedule = "multistep"\nmilestones = [8, 5]', "milestones are 8, 5", "order them"),
        ('schedule = "multistep"\nmilestones = [2, 5]\nwarmup_epochs = 3', "2 lies within the warm-up", "after it"),
        ('schedule = "step"\nevery_epochs = 30', "a step after 30 is beyond the run", "--epochs 31"),
        ('schedule = "restarts"\nrestart_epochs = 25', "a cycle of 25 is longer than the run", "--epochs 25"),
        ("warmup_epochs = 10", "the warm-up of 10 epochs fills the run", "--epochs 11"),
        ("warmup_epochs = 2\nwarmup_rate = 0.5", "warmup_rate is 0.5, the rate 0.05", "below the rate"),
        ('schedule = "cosine"\nminimum_rate = 0.05', "minimum_rate is 0.05, the rate 0.05", "below the rate"),
        ('schedule = "onecycle"\nwarmup_epochs = 2', "onecycle warms up by itself", "rising_share"),
        ('batch_rule = "linear"', "needs the global batch that learning_rate was chosen for", "batch_reference"),
        ('optimizer = "adamw"\nnesterov = true', "adamw has none", "leave nesterov out"),
        ("momentum = 0.0\nnesterov = true", "nesterov needs momentum", "set momentum"),
        ("[[recipe.phases]]\nfrom_epoch = 12\nmixup = 0.1", "begins at epoch 12, beyond the run", "--epochs 13"),
        (
            "[[recipe.phases]]\nfrom_epoch = 5\nmixup = 0.1\n[[recipe.phases]]\nfrom_epoch = 2\nmixup = 0.2",
            "phases begin at epochs 5, 2",
            "order them",
        ),
        ('[[recipe.phases]]\nfrom_epoch = 5\naugment = ["blurr"]', "There is no augmentation 'blurr'", "crop, flip"),
        ("[[recipe.phases]]\nfrom_epoch = 5\nmixupp = 0.1", "unknown key 'mixupp' in [[recipe.phases]]", "known: from"),
        ("[[recipe.phases]]\nmixup = 0.1", "[[recipe.phases]] has no 'from_epoch'", ""),
        ("[[recipe.phases]]\nfrom_epoch = 5\nmixup = -1.0", "[recipe.phases].mixup: -1.0", ""),
        ('schedule = "cosin"', "is none of constant, multistep", "Did you mean cosine?"),
        ("betas = [0.9]", "two numbers below 1", ""),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(planned, recipe, complaint, advice):
    with pytest.raises(UsageError) as caught:
        planned(f"[recipe]\n{recipe}\n", 10)
    text = "\n".join(caught.value.lines)
    assert complaint in text
    assert advice in text
    assert len(caught.value.lines) <= 4


@pytest.mark.parametrize("setting", ["patience = 5", "ema_decay = 0.9"])
def test_what_only_epochs_can_use_needs_epochs_unless_the_profile_has_them(planned, setting):
    with pytest.raises(UsageError, match="none are asked for"):
        planned(f"[recipe]\n{setting}\n", steps=5)
    planned(f"[recipe]\n{setting}\n", 10, steps=5)


def test_mixing_needs_two_samples_on_every_rank(planned):
    with pytest.raises(UsageError, match="a rank of this plan has 1"):
        planned("[recipe]\nmixup = 0.2\n", 10, scaling="strong", batch="2")
    planned("[recipe]\nmixup = 0.2\n", 10, scaling="strong", batch="4")


def test_an_unknown_augmentation_is_refused_before_anything_starts(planned):
    with pytest.raises(UsageError, match="no augmentation 'blur'"):
        planned(steps=5, augment="blur")


def test_a_mean_and_a_deviation_reach_the_workload(planned):
    numbers = "mean = [0.4914, 0.4822, 0.4465]\nstd = [0.2023, 0.1994, 0.2010]\n"
    workload = planned(f'[data]\nname = "cifar10"\n{numbers}', 1).workload
    assert workload.mean == (0.4914, 0.4822, 0.4465)
    assert workload.std == (0.2023, 0.1994, 0.2010)
    for wrong, complaint in (("std = [0.2, 0.0, 0.1]", "has a 0"), ("mean = [0.1]\nstd = [0.2, 0.1]", "has 1 numbers")):
        with pytest.raises(UsageError, match=complaint):
            planned(f'[data]\nname = "cifar10"\n{wrong}\n', 1)


def test_the_recipe_of_the_documentation_can_be_planned(planned):
    page = (Path(__file__).parents[3] / "docs" / "training.md").read_text()
    plan = planned(page.partition("```toml\n")[2].partition("```")[0])
    assert plan.workload.recipe.phases[0].schedule == "cosine"
    assert plan.notes == ()
