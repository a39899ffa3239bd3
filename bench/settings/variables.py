"""Which variables the settings ask to be passed to ranks, and with which values."""

from collections.abc import Mapping, Sequence

from bench.errors import UsageError


def asked(words: Sequence[str], environ: Mapping[str, str], where: str) -> dict[str, str | None]:
    """Name -> value; None: the one that the variable has here.

    Args:
        words: `NAME` or `NAME=VALUE`.
        environ: the environment.
        where: what to call the place that asks for them.

    Raises:
        UsageError: a name without a value that is not set here: the ranks would run without it, and nobody know.
    """
    found: dict[str, str | None] = {}
    for word in words:
        name, given, value = word.partition("=")
        if not given and name not in environ:
            raise UsageError(f"{where}: {name} is to be passed, and not set here", f"set it, or say {name}=VALUE")
        found[name] = value if given else None
    return found
