"""Is it the same data? What launches trained on, by content, and the account of it. Pure: rows in, words out."""

from collections.abc import Iterator, Sequence

from bench.account import Account, difference
from bench.store.schema import Launch


def account_of(launches: Sequence[Launch]) -> Account | None:
    """Of the first launch that tells."""
    return next((Account.from_json(each.data_account) for each in launches if each.data_account), None)


def changes(launches: Sequence[Launch]) -> Iterator[str]:
    """Where the data became other data, as `between round 1 and round 2: training pictures of cat 24 against 23`."""
    before: Launch | None = None
    for launch in sorted(launches, key=lambda each: (each.round, each.position, each.started_at)):
        if launch.data_hash is None:
            continue
        if before is not None and before.data_hash != launch.data_hash:
            after, now = before.round + 1, launch.round + 1
            when = f"within round {now}" if after == now else f"between round {after} and round {now}"
            yield f"{when}: {_apart(before, launch)}"
        before = launch


def different(a: Sequence[Launch], b: Sequence[Launch]) -> str | None:
    """How the data of two studies differ; None where they do not, or one side does not tell."""
    mine, theirs = (next((each for each in launches if each.data_hash), None) for launches in (a, b))
    if mine is None or theirs is None or mine.data_hash == theirs.data_hash:
        return None
    return _apart(mine, theirs)


def _apart(a: Launch, b: Launch) -> str:
    if a.data_account is None or b.data_account is None:
        return "other content"
    return difference(Account.from_json(a.data_account), Account.from_json(b.data_account))
