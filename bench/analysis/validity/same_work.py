"""Is it the same code on the same data? The files and the data of launches by content. Pure: rows in, words out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.account import Account, difference

if TYPE_CHECKING:
    from bench.store.schema import Launch
_NAMED_AT_MOST = 3


def files_of(launches: "Sequence[Launch]") -> dict[str, set[str]]:
    """Every user's file of some launches, with each content it had."""
    found: dict[str, set[str]] = {}
    for launch in launches:
        for name, digest in _source_of(launch).get("files", {}).items():
            found.setdefault(name, set()).add(digest)
    return found


def changes(launches: "Sequence[Launch]") -> Iterator[str]:
    """Files that were not the same in all launches, as `net.py changed between round 1 and round 2`."""
    seen: dict[str, tuple[str, int]] = {}
    for launch in _in_order(launches):
        for name, digest in _source_of(launch).get("files", {}).items():
            before, last = seen.get(name, (digest, launch.round))
            if before != digest:
                yield f"{name} changed {_when(last, launch.round)}"
            seen[name] = (digest, launch.round)


def unequal_ranks(launch: "Launch") -> tuple[str, ...]:
    """Files that the ranks of one launch did not load with the same content."""
    return tuple(_source_of(launch).get("differing", ()))


def different(a: "Sequence[Launch]", b: "Sequence[Launch]") -> tuple[str, ...]:
    """Names of files that differ between two studies, or that only one has; none where one does not tell its files."""
    if not (_has_source(a) and _has_source(b)):
        return ()
    mine, theirs = files_of(a), files_of(b)
    return tuple(sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)))


def named(names: Sequence[str]) -> str:
    """The first few names."""
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return ", ".join(names[:_NAMED_AT_MOST]) + more


def facts(launches: "Sequence[Launch]") -> dict[str, set[str]]:
    """The files and the commit as fields of a fingerprint."""
    if not _has_source(launches):
        return {}
    files = {f"source.{name}": digests for name, digests in files_of(launches).items()}
    commits = {_commit(each) for each in map(_source_of, launches) if each.get("commit")}
    return {**files, "source.files": {str(len(files))}, **({"commit.revision": commits} if commits else {})}


def summary(launches: "Sequence[Launch]") -> str:
    """`net.py 1a2b3c4d…, commit 0123456789ab`; empty where no launch loaded a file of the user's."""
    files = [f"{name} {' / '.join(sorted(digests))}" for name, digests in sorted(files_of(launches).items())]
    commits = dict.fromkeys(_commit(each) for each in map(_source_of, launches) if each.get("commit"))
    return ", ".join([named(files), *(f"commit {each}" for each in commits)]) if files else ""


def account_of(launches: "Sequence[Launch]") -> Account | None:
    """Of the first launch that tells."""
    return next((Account.from_json(each.data_account) for each in launches if each.data_account), None)


def data_changes(launches: "Sequence[Launch]") -> Iterator[str]:
    """Where the data became other data, as `between round 1 and round 2: training pictures of cat 24 against 23`."""
    before: Launch | None = None
    for launch in _in_order(launches):
        if launch.data_hash is None:
            continue
        if before is not None and before.data_hash != launch.data_hash:
            yield f"{_when(before.round, launch.round)}: {_apart(before, launch)}"
        before = launch


def different_data(a: "Sequence[Launch]", b: "Sequence[Launch]") -> str | None:
    """How the data of two studies differ; None where they do not, or one side does not tell."""
    mine, theirs = (next((each for each in launches if each.data_hash), None) for launches in (a, b))
    if mine is None or theirs is None or mine.data_hash == theirs.data_hash:
        return None
    return _apart(mine, theirs)


def _commit(source: Mapping[str, Any]) -> str:
    return f"{source['commit'][:12]}{', and changed since' if source.get('dirty') else ''}"


def _source_of(launch: "Launch") -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(launch.source) if launch.source else {}
    return found


def _has_source(launches: "Sequence[Launch]") -> bool:
    return any(launch.source for launch in launches)


def _apart(a: "Launch", b: "Launch") -> str:
    if a.data_account is None or b.data_account is None:
        return "other content"
    return difference(Account.from_json(a.data_account), Account.from_json(b.data_account))


def _in_order(launches: "Sequence[Launch]") -> "list[Launch]":
    return sorted(launches, key=lambda each: (each.round, each.position, each.started_at))


def _when(before: int, after: int) -> str:
    """In words, where rounds count from 1."""
    return f"within round {after + 1}" if before == after else f"between round {before + 1} and round {after + 1}"
