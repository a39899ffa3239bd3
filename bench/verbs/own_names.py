"""What this host and its user call themselves: nothing of it is left in what is anonymous."""

import getpass
import os
import platform

_WORDS = {"", "/", "root", "/root", "localhost", "bench", "home", "user", "/nonexistent"}  # in any text, of no person


def own_names() -> tuple[str, ...]:
    """Names of the host and the user, and the user's home folder, where they are names and not words of any text."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        user = ""
    host, home = platform.node(), os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
    names = (home, host, host.partition(".")[0], user, os.path.basename(home))  # noqa: PTH119 - see above
    return tuple(dict.fromkeys(name for name in names if name not in _WORDS))
