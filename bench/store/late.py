"""A launch whose attempt was closed by somebody else while it ran: what was finished is never thrown away.

Who closed it believed its owner dead, or was told so by `--force`. The result becomes a later attempt of the launch,
unless a result has taken its place by then: the first that was committed counts, and this one is named.
"""

from bench.plan import Plan
from bench.store import attempts, index
from bench.store.commit import AlreadyCommittedError, Store
from bench.store.schema import Launch, LaunchRows


def commit(store: Store, plan: Plan, rows: LaunchRows) -> tuple[Launch, str | None]:
    """Commit a launch, as its own attempt or as a later one; returns its row as it is in the store, and what to say.

    Args:
        store: to write into.
        plan: of the study.
        rows: of the attempt that was begun.

    Raises:
        CannotError: the disk does not take it.
    """
    launch = rows.launch
    try:
        store.commit(rows)
    except AlreadyCommittedError:
        closed_as = _status(store, launch)
        if closed_as not in index.UNSETTLED:  # saved by whoever recovered it, from what its folder keeps
            return launch, None
    else:
        return launch, None
    while True:
        latest = index.settled(store.path, plan.study_id, []).get(launch.launch_id)
        again = index.run_again(plan)
        if launch.status in again or (latest is not None and latest.status not in again):
            kept = store.folder(plan.study_id, launch.launch_id, launch.attempt)
            why = f"launch {launch.launch_id} had been given up by another process, and has another result by now"
            return launch, f"{why}: this one ({launch.status}) is kept in {kept}"
        attempt = attempts.begin_late(store, plan.study_id, launch.launch_id)
        if attempt is None:
            continue
        warning = f"attempt {launch.attempt} had been given up as {closed_as} by another process while it ran"
        later = rows.as_attempt(attempt.attempt, warning)
        store.commit(later)
        return later.launch, f"launch {launch.launch_id}: {warning}; its result is kept as attempt {attempt.attempt}"


def _status(store: Store, launch: Launch) -> str:
    every = index.every_marker(store.path, launch.study_id, [])
    own = (each.status for each in every if (each.launch_id, each.attempt) == (launch.launch_id, launch.attempt))
    return next(own, "lost")
