"""A recipe in the words of a report: what it says, and nothing of what it leaves off."""

from collections.abc import Sequence

from bench.recipe import Recipe


def recipe_facts(recipe: Recipe, notes: Sequence[str] = ()) -> dict[str, str]:
    """What a reader has to know to train alike: name of a fact -> its words.

    Args:
        recipe: how the weights were trained.
        notes: what it came to in this study, as the plan says it.
    """
    if recipe.optimizer == "sgd":
        optimizer = f"SGD, momentum {recipe.momentum:g}, weight decay {recipe.weight_decay:g}"
    else:
        optimizer = f"AdamW, betas {recipe.betas[0]:g} and {recipe.betas[1]:g}, weight decay {recipe.weight_decay:g}"
    optimizer += ", Nesterov" * recipe.nesterov + " (of weights alone)" * (recipe.decay == "weights")
    rate = f"{recipe.learning_rate:g}, {recipe.schedule}"
    if recipe.warmup_epochs:
        rate += f", rising from {recipe.warmup_rate:g} over the first {recipe.warmup_epochs:g} epochs"
    facts = {"optimizer": optimizer, "learning rate": rate}
    numbers = {
        "label smoothing": recipe.label_smoothing,
        "MixUp": recipe.mixup,
        "CutMix": recipe.cutmix,
        "gradients clipped to": recipe.clip_norm,
        "averaged weights": recipe.ema_decay,
    }
    facts |= {name: f"{value:g}" for name, value in numbers.items() if value}
    if recipe.patience:
        facts["patience"] = f"{recipe.patience} epochs without a better top-1"
    if recipe.phases:
        facts["phases"] = "from epochs " + ", ".join(str(each.from_epoch) for each in recipe.phases)
    if notes:
        facts["recipe here"] = " ".join(notes)
    return facts
