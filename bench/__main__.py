"""`python -m bench`, where no other `bench` is found first; `python -m scaling_bench` always is this one."""

import sys
from pathlib import Path

# `python -m` looks first in the current folder, where a user's own folder may be called `scaling_bench`.
if not sys.flags.safe_path and Path(sys.path[0]).resolve() != Path(__file__).resolve().parent.parent:
    del sys.path[0]

from scaling_bench import main  # after the path is clean

if __name__ == "__main__":
    main()
