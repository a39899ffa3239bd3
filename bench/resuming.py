"""Which study of a store an unfinished one is resumed in, and how a plan differs from it where there is none."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from bench import recovery
from bench.errors import CannotError, UsageError
from bench.plan import Plan, to_json
from bench.store import index
from bench.store.commit import Store

# What may differ between two runs of one plan: its name, its time, its order, and where the results lie.
# What a profile quotes and wants reached decides nothing that is run, nor do estimates. What the data are each launch
# says itself, and a study whose launches had other data is INVALID.
_OWN = (
    *("study_id", "created_at", "command", "launches", "order_seed", "origins", "settings"),
    *("profile", "published", "targets", "not_passed", "estimated_s", "estimated_bytes", "estimates", "data_notes"),
)
_NO_MATTER = ("study.store", "study.when_busy", "study.order_seed", "study.rdzv")
_NAMED_AT_MOST = 4


def unfinished(store: Store, asked: Plan) -> Plan:
    """The newest study of the store that is this plan, and that lacks launches.

    Raises:
        UsageError: there is none; with what the newest unfinished one has otherwise.
    """
    nearest: tuple[str, list[str]] | None = None
    unreadable: list[str] = []
    for study_id in index.studies(store.path):
        try:
            found = index.plan(store.path, study_id)
            left = index.unsettled(store.path, found, [])
        except CannotError as error:  # nobody can tell whether it is the one that is meant
            unreadable.append(error.message)
            continue
        if not left:
            continue
        changed = list(differences(found, asked))
        if not changed:
            return found
        nearest = nearest or (study_id, changed)
    if nearest is None:
        why = "".join(f"; {each}" for each in unreadable[:1])
        raise UsageError(
            f"there is no unfinished study to resume{why}",
            f"{store.path} holds: bench ls; without --resume a new one begins",
        )
    study_id, changed = nearest
    how = "; ".join(changed[:_NAMED_AT_MOST]) + (f"; {len(changed) - 4} more" if len(changed) > _NAMED_AT_MOST else "")
    raise UsageError(
        f"the unfinished study {study_id} is another plan: {how}",
        f"its own command goes on with it: bench show {study_id}; without --resume a new study begins",
    )


def prepare_resume(
    store: Store, study_id: str, *, force: bool = False, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Close what nobody runs any more of a study that is about to be resumed; arguments as for `close_stale`.

    Raises:
        CannotError: a living process runs it, or one on another machine may.
    """
    closed = recovery.close_stale(store, study_id, force=force, tell=tell)
    if closed.running:
        now = closed.running[0]
        raise CannotError(
            f"study {study_id} is being run by {now.owner}, since {now.started_at}",
            "wait for it, or end that process and repeat",
        )
    if closed.unknown:
        raise CannotError(
            f"study {study_id} was begun on another machine, on {closed.unknown[0].started_at}, and may run there",
            f"if nothing runs there any more: bench recover {study_id} --force --store {store.path}",
        )
    if closed.unclosed:
        raise CannotError(closed.unclosed[0], f"look with: bench verify {study_id} --store {store.path}")


def differences(found: Plan, asked: Plan) -> Iterator[str]:
    """What a plan asks otherwise than an earlier one, setting by setting; nothing when it is the same plan."""
    before, now = found.settings, asked.settings
    settings = [name for name in {**before, **now} if name not in _NO_MATTER and before.get(name) != now.get(name)]
    for name in settings:
        key = name.partition(".")[2]
        yield f"{key} was {_said(before.get(name))}, is {_said(now.get(name))}"
    if settings:
        return
    own = {field: getattr(asked, field) for field in _OWN}
    if replace(found, **own) != asked:
        was, wanted = to_json(found), to_json(asked)
        changed = [field for field in was if field not in _OWN and was[field] != wanted[field]]
        yield f"this machine or this version of bench makes other {', '.join(changed)} of the same settings"


def _said(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "none"
    return "not set" if value is None else str(value)
