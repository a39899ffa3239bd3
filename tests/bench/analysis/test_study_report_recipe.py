"""A recipe in words: all that it says, and nothing that it leaves off."""

from dataclasses import fields

from bench.analysis.study_report import recipe_facts
from bench.recipe import Phase, Recipe


def test_what_is_off_is_not_told():
    assert recipe_facts(Recipe()) == {
        "optimizer": "SGD, momentum 0.9, weight decay 0",
        "learning rate": "0.05, constant",
    }


def test_all_that_a_recipe_says_is_told():
    recipe = Recipe(
        optimizer="adamw",
        betas=(0.8, 0.95),
        weight_decay=0.01,
        decay="weights",
        learning_rate=0.002,
        schedule="cosine",
        warmup_epochs=5.0,
        warmup_rate=0.0001,
        label_smoothing=0.1,
        mixup=0.2,
        cutmix=1.0,
        clip_norm=3.0,
        ema_decay=0.999,
        patience=15,
        phases=(Phase(from_epoch=40, mixup=0.0), Phase(from_epoch=70)),
    )
    assert recipe_facts(recipe, ["rate 0.004 by the linear rule."]) == {
        "optimizer": "AdamW, betas 0.8 and 0.95, weight decay 0.01 (of weights alone)",
        "learning rate": "0.002, cosine, rising from 0.0001 over the first 5 epochs",
        "label smoothing": "0.1",
        "MixUp": "0.2",
        "CutMix": "1",
        "gradients clipped to": "3",
        "averaged weights": "0.999",
        "patience": "15 epochs without a better top-1",
        "phases": "from epochs 40, 70",
        "recipe here": "rate 0.004 by the linear rule.",
    }
    assert "Nesterov" in recipe_facts(Recipe(nesterov=True))["optimizer"]


def test_a_key_that_is_new_to_recipes_is_noticed_here():
    """Those that a report leaves to the profile, the plan's notes or the schedule's name."""
    left = {"milestones", "gamma", "every_epochs", "restart_epochs", "restart_factor", "minimum_rate", "rising_share"}
    left |= {"batch_rule", "batch_reference", "batch_warmup_epochs"}
    document = {"optimizer", "learning_rate", "momentum", "nesterov", "betas", "weight_decay", "decay", "schedule"}
    document |= {"warmup_epochs", "warmup_rate", "label_smoothing", "mixup", "cutmix", "clip_norm", "ema_decay"}
    assert {each.name for each in fields(Recipe)} == left | document | {"patience", "phases"}
