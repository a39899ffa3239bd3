"""The account of a run's data, as lines for a person."""

from collections.abc import Iterator

from bench.account import TRAINING, VALIDATION, Account

_CLASSES_AT_MOST = 20


def notes(account: Account) -> Iterator[str]:
    """What the data are, then everything that a reader must know of them."""
    yield account.summary
    for note in account.notes:
        yield "; ".join(filter(None, note))


def lines(account: Account) -> Iterator[str]:
    """All that is known: files, pictures of each class, sizes and modes."""
    yield from notes(account)
    if account.found:
        yield f"files: {account.found:,} found, {account.taken:,} taken"
    for part, counts in ((TRAINING, account.training), (VALIDATION, account.validation)):
        counted = [f"{name} {count:,}" for name, count in zip(account.classes, counts, strict=True)]
        more = len(counted) - _CLASSES_AT_MOST
        classes = ", ".join(counted[:_CLASSES_AT_MOST]) + (f" and {more} more (--json has all)" if more > 0 else "")
        yield f"{part} by class: {classes}"
        if (seen := account.seen.get(part)) is not None:
            sizes = ", ".join(f"{which} {size}" for which, size in seen.sizes.items())
            modes = ", ".join(f"{count:,} {mode}" for mode, count in seen.modes.items())
            yield f"{part} pictures: {sizes}; {modes}"
