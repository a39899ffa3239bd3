"""The recipe of a run: what the settings ask for, laid over the epochs it has, and what that comes to in sentences."""

from collections.abc import Iterator, Sequence
from typing import NoReturn

from bench.errors import UsageError
from bench.learn import WorkloadError
from bench.learn.catalogue import parse_augmentations
from bench.plan import Configuration
from bench.recipe import Recipe
from bench.settings import Settings

_WARMS_UP_ITSELF = "onecycle"


def recipe_of(settings: Settings) -> Recipe:
    """The recipe, scaled to a run that is shorter than the one it was written for.

    Raises:
        UsageError: the recipe contradicts itself, or does not fit into the run.
    """
    recipe = settings.recipe
    _check_words(settings, recipe)
    _check_consistent(recipe)
    epochs, written_for = settings.measure.epochs, settings.written_for
    if written_for is not None:
        _check_fits(recipe, written_for)
    if epochs is None:
        if written_for is None and (recipe.patience or recipe.ema_decay):
            what = "patience counts epochs" if recipe.patience else "ema_decay averages weights that epochs evaluate"
            raise UsageError(f"recipe.{what}, and none are asked for", "add --epochs N, or leave it out")
        return recipe
    if written_for is not None and epochs < written_for:
        return recipe.scaled(epochs / written_for)
    _check_fits(recipe, epochs)
    return recipe


def notes(settings: Settings, recipe: Recipe, rows: Sequence[Configuration]) -> Iterator[str]:
    """What a reader could not see from the settings alone, a sentence each."""
    epochs, written_for = settings.measure.epochs, settings.written_for
    if epochs is None:
        still = [
            text
            for text, is_set in (
                (f"schedule {recipe.schedule}", recipe.schedule != "constant"),
                ("warm-up", bool(recipe.warmup_epochs)),
                ("phases", bool(recipe.phases)),
                ("patience", bool(recipe.patience)),
            )
            if is_set
        ]
        if still:
            yield (
                f"{_listed(still)}: only with --epochs; this window trains at the constant rate "
                f"{recipe.at_batch(rows[0].batch_global).learning_rate:g}."
                if recipe.batch_rule == "none"
                else f"{_listed(still)}: only with --epochs; in this window the rate is constant."
            )
    elif written_for is not None and epochs < written_for:
        yield from _scaled(settings, recipe, epochs, written_for)
    if recipe.batch_rule != "none":
        yield _batch_rule(recipe, rows)
    if settings.data.name == "synthetic" and settings.data.augment:
        yield "Augmentation: none; synthetic images are made once and used as they are."


def check_rows(recipe: Recipe, rows: Sequence[Configuration]) -> None:
    """Refuse rows that cannot do what the recipe asks.

    Raises:
        UsageError: samples are to be mixed, and a rank has only one.
    """
    if recipe.mixes and any(row.batch_per_rank < 2 for row in rows):
        raise UsageError("mixup and cutmix mix two samples, and a rank of this plan has 1", "use a larger --batch")


def _check_words(settings: Settings, recipe: Recipe) -> None:
    try:
        for words in (settings.data.augment, *(each.augment for each in recipe.phases)):
            parse_augmentations(words or ())
    except WorkloadError as error:
        raise UsageError(error.message.rstrip("."), error.hint) from None
    mean, std = settings.data.mean, settings.data.std
    if std is not None and not all(std):
        _refuse("data.std has a 0, and pixels are divided by it", "use the deviation of each channel")
    if mean is not None and std is not None and len(mean) != len(std):
        _refuse(f"data.mean has {len(mean)} numbers, data.std {len(std)}", "give one for each channel")


def _check_consistent(recipe: Recipe) -> None:
    if recipe.optimizer != "sgd" and recipe.nesterov:
        _refuse(f"recipe.nesterov is a form of sgd's momentum; {recipe.optimizer} has none", "leave nesterov out")
    if recipe.nesterov and not recipe.momentum:
        _refuse("recipe.nesterov needs momentum, which is 0", "set momentum, as in 0.9, or leave nesterov out")
    if recipe.batch_rule != "none" and recipe.batch_reference is None:
        _refuse(
            f"recipe.batch_rule {recipe.batch_rule} needs the global batch that learning_rate was chosen for",
            "add batch_reference, as in 128",
        )
    starts = [each.from_epoch for each in recipe.phases]
    if starts != sorted(set(starts)):
        _refuse(
            f"recipe.phases begin at epochs {_numbers(starts)}", "order them by from_epoch, each later than the last"
        )
    if list(recipe.milestones) != sorted(set(recipe.milestones)):
        _refuse(f"recipe.milestones are {_numbers(recipe.milestones)}", "order them, each later than the last")
    schedules = {recipe.schedule, *(each.schedule for each in recipe.phases)}
    if "multistep" in schedules and not recipe.milestones:
        _refuse("recipe.schedule multistep has no milestones", "add them, in epochs: milestones = [5, 8]")
    if recipe.schedule == _WARMS_UP_ITSELF and (recipe.warmup_epochs or recipe.batch_warmup_epochs):
        _refuse("recipe.schedule onecycle warms up by itself", "leave the warm-up out; rising_share is its share")
    for rate, least in ((span.learning_rate, span.minimum_rate) for span in recipe.spans(float("inf"))):
        if least >= rate:
            _refuse(f"recipe.minimum_rate is {least:g}, the rate {rate:g}", "use a minimum below the rate")
    if recipe.warmup_epochs and recipe.warmup_rate >= recipe.learning_rate:
        _refuse(
            f"recipe.warmup_rate is {recipe.warmup_rate:g}, the rate {recipe.learning_rate:g}", "begin below the rate"
        )


def _check_fits(recipe: Recipe, epochs: int) -> None:
    """Everything that the recipe counts in epochs has its place in the run."""
    run = f"the run of {epochs} epoch{'s' * (epochs != 1)}"
    beyond = [each.from_epoch for each in recipe.phases if each.from_epoch >= epochs]
    if beyond:
        _refuse(f"recipe.phases: one begins at epoch {beyond[0]}, beyond {run}", _longer(beyond[0] + 1))
    warmup = max(recipe.warmup_epochs, recipe.batch_warmup_epochs)
    schedules = {span.schedule for span in recipe.spans(epochs)}
    if warmup >= epochs:
        _refuse(f"the warm-up of {warmup:g} epochs fills {run}", _longer(warmup + 1))
    if "multistep" in schedules and recipe.milestones[-1] >= epochs:
        _refuse(f"recipe.milestones: {recipe.milestones[-1]:g} lies beyond {run}", _longer(recipe.milestones[-1] + 1))
    if recipe.schedule == "multistep" and recipe.milestones[0] <= warmup:
        _refuse(f"recipe.milestones: {recipe.milestones[0]:g} lies within the warm-up", "begin them after it")
    if "step" in schedules and recipe.every_epochs >= epochs:
        _refuse(
            f"recipe.every_epochs: a step after {recipe.every_epochs:g} is beyond {run}",
            _longer(recipe.every_epochs + 1),
        )
    longest = max((span.restart_epochs for span in recipe.spans(epochs) if span.schedule == "restarts"), default=0)
    if longest > epochs:
        _refuse(f"recipe.restart_epochs: a cycle of {longest:g} is longer than {run}", _longer(longest))


def _scaled(settings: Settings, recipe: Recipe, epochs: int, written_for: int) -> Iterator[str]:
    """What became of what is counted in epochs."""
    own = settings.recipe
    schedules = {span.schedule for span in recipe.spans(epochs)}
    found = [
        text
        for text, is_set in (
            (f"milestones {_numbers(recipe.milestones)}", "multistep" in schedules),
            (f"every {recipe.every_epochs:g}", "step" in schedules),
            (f"restart after {recipe.restart_epochs:g}", recipe.schedule == "restarts"),
            (f"warm-up {recipe.warmup_epochs:g}", bool(own.warmup_epochs)),
            (f"batch warm-up {recipe.batch_warmup_epochs:g}", bool(own.batch_warmup_epochs)),
            (f"phases from {_numbers([each.from_epoch for each in recipe.phases])}", bool(own.phases)),
        )
        if is_set
    ]
    if found:
        yield (
            f"Written for {written_for} epochs, run for {epochs}: what is counted in epochs is scaled by "
            f"{epochs / written_for:.3g}: {', '.join(found)}."
        )
    lost = [each for each in recipe.phases if each.from_epoch >= epochs]
    if lost:
        yield f"{len(lost)} of the phases would begin after the last epoch, and never does."


def _batch_rule(recipe: Recipe, rows: Sequence[Configuration]) -> str:
    batches = sorted({row.batch_global for row in rows})
    rates = ", ".join(f"{recipe.at_batch(batch).learning_rate:.4g} at {batch}" for batch in batches)
    warmup = f", over {recipe.batch_warmup_epochs:g} epochs where it grows" if recipe.batch_warmup_epochs else ""
    return (
        f"Batch rule {recipe.batch_rule}: rate {recipe.learning_rate:g} for a global batch of "
        f"{recipe.batch_reference}; here {rates}{warmup}."
    )


def _numbers(numbers: Sequence[float]) -> str:
    return ", ".join(f"{each:.4g}" for each in numbers)


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _longer(epochs: float) -> str:
    return f"use --epochs {int(-(-epochs // 1))} or more, or change the recipe"


def _refuse(what: str, hint: str) -> NoReturn:
    raise UsageError(what, hint)
