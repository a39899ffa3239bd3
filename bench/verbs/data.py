"""The data of a run, looked at whole before anything is started: no study begins on files that cannot be read."""

from bench.account import Account
from bench.errors import BenchError
from bench.learn import WorkloadError
from bench.learn.augment_words import HUE, parse
from bench.learn.sources import DataRequest, Source, find
from bench.output import say
from bench.settings import Settings


def account_of(settings: Settings, *, quiet: bool = False) -> Account | None:
    """What was found of the data set, its pictures decoded into the cache of every launch; None: there is none.

    Args:
        settings: what is asked for.
        quiet: say nothing of how far it is, where that takes longer than a moment.

    Raises:
        BenchError: the data are missing, damaged, or not what was asked for.
    """
    data = settings.data
    request = DataRequest(
        name=data.name,
        folder=data.dir,
        input_shape=data.input_shape,
        classes=data.classes,
        mean=data.mean,
        std=data.std,
        allow_empty_classes=data.allow_empty_classes,
        tell=(lambda _: None) if quiet else say,
    )
    try:
        source = find(request)
        _refuse_hue(settings, source)
        return source.arrays().account if source.account is not None else None
    except WorkloadError as error:
        raise BenchError(error.message, error.hint, error.exit_code) from error


def _refuse_hue(settings: Settings, source: Source) -> None:
    """What every rank would say, once it has its data."""
    words = [settings.data.augment, *(each.augment or () for each in settings.recipe.phases)]
    if source.shape[0] != 3 and any(each.name == HUE for some in words for each in parse(some)):
        raise WorkloadError(f"{source.name} is not in colour, and has no hue.", "Leave hue out of augment.")
