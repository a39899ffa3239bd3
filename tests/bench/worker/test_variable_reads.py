"""Who looks for a variable that was left out: in a process of its own, since os.environ stays changed."""

import json
import os
import subprocess
import sys

import pytest

from launchers.environment import environment

PROGRAM = """
import json, sys
from bench.worker import variable_reads
variable_reads.listen()
sys.path.insert(0, sys.argv[1])
import reads_net
print(json.dumps(variable_reads.warnings()))
"""


def said(tmp_path, code, **shell):
    (tmp_path / "reads_net.py").write_text(code)
    ran = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, str(tmp_path)],
        env=environment({}, inherited={**os.environ, **shell}),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.environ.get('NET_WIDTH', '8')",
        "import os; os.getenv('NET_WIDTH')",
        "from os import environ; 'NET_WIDTH' in environ",
        "import os; os.environ.setdefault('NET_WIDTH', '8')",
        "import os\ntry:\n    os.environ['NET_WIDTH']\nexcept KeyError:\n    pass",
    ],
)
def test_every_way_to_look_for_a_variable_that_was_left_out_is_noticed(tmp_path, code):
    (warning,) = said(tmp_path, code, NET_WIDTH="64")
    assert warning.startswith("reads_net.py reads NET_WIDTH, which is set in your shell and not passed")
    assert "--env NET_WIDTH" in warning


def test_a_variable_that_is_set_nowhere_or_passes_is_no_finding(tmp_path):
    code = "import os; os.getenv('NET_WIDTH'); os.getenv('TIMM_FUSED_ATTN')"
    assert said(tmp_path, code, TIMM_FUSED_ATTN="0") == []


def test_a_library_that_looks_for_the_user_is_named(tmp_path):
    place = tmp_path / "site-packages" / "reads_config"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text("import os\ndef value(name):\n    return os.environ.get(name)\n")
    code = (
        f"import sys; sys.path.insert(0, {str(place.parent)!r}); import reads_config; reads_config.value('NET_WIDTH')"
    )
    (warning,) = said(tmp_path, code, NET_WIDTH="64")
    assert warning.startswith("reads_config reads NET_WIDTH")


def test_what_the_standard_library_looks_for_by_itself_is_nobodys_wish(tmp_path):
    assert said(tmp_path, "import webbrowser, getpass; getpass.getuser()", DISPLAY=":0", LNAME="me", BROWSER="x") == []
