"""Is it the same code? The user's files of launches by content. Pure: rows in, words out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
    for launch in sorted(launches, key=lambda each: (each.round, each.position, each.started_at)):
        for name, digest in _source_of(launch).get("files", {}).items():
            before, last = seen.get(name, (digest, launch.round))
            if before != digest:
                when = (
                    f"within round {last + 1}"
                    if last == launch.round
                    else f"between round {last + 1} and round {launch.round + 1}"
                )
                yield f"{name} changed {when}"
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


def _commit(source: Mapping[str, Any]) -> str:
    return f"{source['commit'][:12]}{', and changed since' if source.get('dirty') else ''}"


def _source_of(launch: "Launch") -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(launch.source) if launch.source else {}
    return found


def _has_source(launches: "Sequence[Launch]") -> bool:
    return any(launch.source for launch in launches)
