from collections.abc import Callable
from pathlib import Path

import pytest

from launchers.local import launch
from launchers.watchdog import Patience
from tests.launchers.scripted_ranks import Launched, command_for, nobody_watches

Launcher = Callable[..., Launched]


@pytest.fixture
def run_ranks(tmp_path: Path) -> Launcher:
    """Launch a script in `ranks` processes and wait for its end."""

    def run(
        body: str, *, ranks: int = 2, watch=nobody_watches, folder: Path = tmp_path, patience=None, **options
    ) -> Launched:
        ending = launch(command_for(folder, body, ranks=ranks, **options), watch, patience or Patience())
        return Launched(ending=ending, folder=folder)

    return run
