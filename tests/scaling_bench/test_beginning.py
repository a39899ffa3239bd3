"""How bench begins, whatever the shell, the folder or the caller left behind: real processes, which run no verb."""

import os
import subprocess
import sys

import pytest

LETTERS = "2 \N{MULTIPLICATION SIGN} 3 \N{EN DASH} 1\N{HORIZONTAL ELLIPSIS}"
BEGUN = "import scaling_bench; scaling_bench.begin(); "


def python(code, *, cwd=None, before="", **shell):
    """What a process of this interpreter prints that begins as bench does; `before` is said to its shell."""
    line = f'{before}{sys.executable} -P -c "$CODE"'
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    return subprocess.run(
        ["bash", "-c", line], cwd=cwd, env={**environ, **shell, "CODE": BEGUN + code}, capture_output=True, check=False
    )


@pytest.fixture
def project(tmp_path):
    """A folder as others have it, with packages called like ours."""
    (tmp_path / "bench.py").write_text("raise SystemExit('a script of the user')")
    for name in ("launchers", "profiles", "reports"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("WHOSE = 'the user'")
    return tmp_path


def test_packages_of_the_user_on_pythonpath_do_not_become_ours(project):
    code = "import bench.cli, launchers, profiles as a, reports as b; print(hasattr(a, 'WHOSE'), hasattr(b, 'WHOSE'))"
    ran = python(code, cwd=project, PYTHONPATH=".")
    assert (ran.stdout, ran.stderr) == (b"False False\n", b"")


def test_a_rank_finds_our_worker_and_the_users_own_reports(project):
    (project / "usercustomize.py").write_text("")
    code = "import bench.worker.job, launchers.environment, reports, profiles; print(reports.WHOSE, profiles.WHOSE)"
    (project / "own.py").write_text(code)
    program = "import scaling_bench, runpy; scaling_bench.find_ours(scaling_bench.OURS_OF_A_RANK); import own"
    ran = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("the user the user\n", "")


def test_the_module_of_a_rank_is_ours_wherever_it_is_started(project):
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "scaling_bench.module", "bench.dna.numeric", "--help"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "--threads" in ran.stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_the_caller_closed_leads_nowhere_and_its_number_is_nobody_elses(closed, tmp_path):
    code = (
        "import os, sys; print('out'); print('err', file=sys.stderr); f = open('file', 'w');"
        "f.write(str(f.fileno() > 2)); f.close(); sys.exit(7)"
    )
    ran = python(code, cwd=tmp_path, before=f"exec {closed}; ")
    assert ran.returncode == 7
    assert (tmp_path / "file").read_text() == "True"


@pytest.mark.parametrize(
    ("shell", "shown"),
    [
        ({"LC_ALL": "C"}, b"2 x 3 - 1...\n"),
        ({"LC_ALL": "POSIX"}, b"2 x 3 - 1...\n"),
        ({"PYTHONIOENCODING": "ascii"}, b"2 x 3 - 1...\n"),
        ({"PYTHONIOENCODING": "latin-1"}, b"2 \xd7 3 - 1...\n"),
        ({"LC_ALL": "C.UTF-8"}, f"{LETTERS}\n".encode()),
        ({"LC_ALL": "C", "PYTHONIOENCODING": "utf-8"}, f"{LETTERS}\n".encode()),
    ],
)
def test_letters_are_those_that_the_stream_was_asked_to_show(shell, shown):
    ran = python(f"print({LETTERS!r})", **{"LC_ALL": "", **shell})
    assert (ran.stdout, ran.stderr) == (shown, b"")


def test_warnings_that_the_shell_calls_errors_end_nothing():
    code = "import warnings; warnings.warn('old', DeprecationWarning); warnings.warn('odd', UserWarning); print('on')"
    ran = python(code, PYTHONWARNINGS="error")
    assert ran.stdout == b"on\n"
    assert b"odd" in ran.stderr
    assert b"old" not in ran.stderr


@pytest.mark.parametrize(
    "shell",
    [
        {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
        {"MPLBACKEND": "TkAgg", "MATPLOTLIBRC": "/nowhere/matplotlibrc"},
        {"COLUMNS": "0", "LINES": "-1"},
        {"COLUMNS": "wide"},
    ],
)
def test_what_a_notebook_or_a_terminal_left_behind_is_gone(shell):
    ran = python(f"import os; print([name for name in {list(shell)} if name in os.environ])", **shell)
    assert ran.stdout == b"[]\n"


def test_the_width_of_a_terminal_stays():
    assert python("import os; print(os.environ['COLUMNS'])", COLUMNS="132").stdout == b"132\n"


def test_open_files_are_raised_to_what_a_shell_allows_and_no_further():
    code = "import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    assert python(code, before="ulimit -Sn 64; ulimit -Hn 512; ").stdout == b"512 512\n"
    assert python(code, before="ulimit -Sn 64; ulimit -Hn 4096; ").stdout == b"1024 4096\n"
    assert python(code, before="ulimit -Sn 2048; ulimit -Hn 4096; ").stdout == b"2048 4096\n"
