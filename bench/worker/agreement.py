"""What all ranks find out together: each tries its own part, and one that cannot keeps nobody waiting."""

from collections.abc import Callable
from typing import TypeVar

from bench.learn.copying import NotCopiedError
from bench.worker.group import Group

T = TypeVar("T")


class NotProvenError(Exception):
    """Why something could not be found out: a part of a sentence, in one line."""


def agreed(group: Group, local: Callable[[], T]) -> T:
    """This rank's own value, once every rank has one.

    Raises:
        NotProvenError: on all ranks, when one of them has none.
    """
    value, why = None, None
    try:
        value = local()
    except Exception as error:  # noqa: BLE001 - the user's model may raise anything, and the others wait
        why = in_words(error)
    for rank, each in enumerate(group.gather(why)):
        if each is not None:
            raise NotProvenError(each if rank == 0 else f"rank {rank}: {each}")
    return value  # type: ignore[return-value] # None only where `local` gives it


def in_words(error: BaseException) -> str:
    """One line; a reason of ours as it is, anything else with the name of its kind."""
    first = (str(error).splitlines() or [""])[0]
    if isinstance(error, NotProvenError | NotCopiedError):
        return first
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
