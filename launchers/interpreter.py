"""How a process of ours is started: by this interpreter, and in the packages that belong to it.

With -P, and by the name of the distribution: neither the current folder nor PYTHONPATH can put a `bench`, `launchers`
or `reports` of the user's in place of ours.
"""

import sys


def module(name: str, *arguments: str) -> tuple[str, ...]:
    """The argv that runs a module of ours."""
    return (sys.executable, "-P", "-m", "scaling_bench.module", name, *arguments)


def verb(*words: str) -> tuple[str, ...]:
    """The argv that runs bench itself."""
    return (sys.executable, "-P", "-m", "scaling_bench", *words)
