"""The command line itself: help without weight, mistakes without tracebacks, and how everything ends."""

import errno
import json
import subprocess
import sys
import types
from pathlib import Path

import click
import pytest

from bench import cli, errors
from bench.errors import CannotError, UsageError

HEAVY = ["torch", "pandas", "numpy", "matplotlib", "scipy", "pyarrow", "pydantic", "rich"]


@pytest.fixture
def bench(capsys, monkeypatch, tmp_path):
    """Run `bench` in this process: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


@pytest.fixture
def verb(monkeypatch):
    """Put a verb that does this in the place of `models`."""

    def install(action):
        module = types.ModuleType("bench.verbs.pretended")
        module.command = click.Command(
            "models", callback=action, params=[click.Option(["--json", "as_json"], is_flag=True)]
        )
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(cli.VERBS, "models", (module.__name__, "pretends"))

    return install


def raising(error):
    def action(**_):
        raise error

    return action


# First contact


def test_bench_alone_prints_three_examples_and_exits_0(bench):
    code, out, err = bench()
    assert (code, err) == (0, "")
    assert sum(line.startswith("  bench ") for line in out.splitlines()) == 3


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_verb_with_what_it_does(bench, flag):
    code, out, _ = bench(flag)
    assert code == 0
    for name, (_, text) in cli.VERBS.items():
        assert any(line.split()[:1] == [name] and text in line for line in out.splitlines())


def test_every_verb_has_a_module_with_a_command_and_three_examples_in_its_help(bench):
    for name in cli.VERBS:
        code, out, _ = bench(name, "--help")
        assert code == 0, name
        assert out.count(f"  bench {name}") >= 3, f"bench {name} --help"


def test_version_is_told(bench):
    code, out, _ = bench("--version")
    assert (code, out.split()[0]) == (0, "bench")


@pytest.mark.parametrize(
    ("words", "allowed"), [(["--help"], []), ([], []), (["scale", "--help"], ["pydantic"]), (["scal"], [])]
)
def test_help_and_mistakes_import_nothing_heavy(words, allowed):
    script = f"""
import sys
from bench.cli import main
try:
    main({words!r})
except SystemExit:
    print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr
    assert set(ran.splitlines()[-1].split()) <= set(allowed)


def test_help_of_no_verb_imports_anything_heavy():
    script = f"""
import sys
from importlib import import_module
from bench.cli import VERBS
for module, _ in VERBS.values():
    import_module(module)
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def loaded(script: str) -> set[str]:
    """What is loaded once a script has printed its help."""
    script = f"import sys\ntry:\n    {script}\nexcept SystemExit:\n    print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(ran.stderr.split())


def test_the_list_of_verbs_takes_clicks_own_modules_and_a_handful_of_ours():
    # Counted, not timed: pathlib, json, difflib, tempfile and what they need made it a third slower than click alone.
    click_only = loaded("import click; click.Group(help='x')(['--help'])")
    ours = loaded("import scaling_bench; sys.argv = ['bench', '--help']; scaling_bench.main()")
    small = {
        "scaling_bench",
        "bench",
        *(f"bench.{name}" for name in ("cli", "errors", "output", "printable", "version")),
    }
    assert ours - click_only <= small | {"resource", "select"}


def test_the_import_of_bench_warns_of_nothing_and_loads_nothing():
    script = f"import sys, bench; print([name for name in {HEAVY!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_users_own_profiles_folder_is_not_picked_up_by_python_m_bench(tmp_path):
    for name in ("profiles", "reports", "launchers"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the wrong one')")
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "profiles"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "demo" in ran.stdout


# Mistakes


def test_a_misspelled_verb_gets_a_suggestion_and_exit_2(bench):
    code, out, err = bench("scal")
    assert (code, out) == (2, "")
    assert "Did you mean 'scale'?" in err


def test_a_misspelled_flag_gets_a_suggestion_and_exit_2(bench):
    code, _, err = bench("profiles", "--jsno")
    assert code == 2
    assert "--json" in err
    assert "bench profiles --help" in err


def test_verbs_are_not_abbreviated(bench):
    assert bench("prof")[0] == 2


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (UsageError("wrong", "right"), 2, "usage"),
        (CannotError("too small\nby far", "buy another"), 3, "cannot"),
        (errors.BenchError("a gate", code=errors.GATE), 4, "gate"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.BadParameter("so not"), 2, "usage"),
        (ZeroDivisionError("oops"), 1, "bug"),
    ],
)
def test_whatever_goes_wrong_is_told_in_four_lines_or_as_one_json_document(bench, verb, error, code, word):
    verb(raising(error))
    ended, out, err = bench("models")
    assert (ended, out) == (code, "")
    found = err.strip().splitlines()
    assert found[0].startswith("error: ")
    assert len(found) <= 4
    assert "Traceback" not in err
    ended, out, err = bench("models", "--json")
    document = json.loads(out)
    assert (ended, document["exit"], document["error"]["code"]) == (code, code, word)
    assert document["schema"] == "bench.error/1"
    assert set(document["error"]) == {"code", "message", "hint"}


def test_json_before_the_parser_understood_anything_still_gives_a_document(bench):
    _, out, _ = bench("scal", "--json")
    assert json.loads(out)["exit"] == 2


def test_the_traceback_of_a_bug_is_saved_and_its_path_printed(bench, verb):
    verb(raising(ZeroDivisionError("oops")))
    _, _, err = bench("models")
    saved = Path(err.partition("traceback saved: ")[2].splitlines()[0])
    assert "ZeroDivisionError: oops" in saved.read_text()


def test_the_traceback_of_a_bug_is_saved_elsewhere_when_home_cannot_be_written(bench, verb, tmp_path):
    (tmp_path / "home").write_text("a file where a folder should be")
    verb(raising(ZeroDivisionError("oops")))
    code, _, err = bench("models")
    saved = Path(err.partition("traceback saved: ")[2].splitlines()[0])
    assert code == 1
    assert "oops" in saved.read_text()
    saved.unlink()


@pytest.mark.parametrize("words", [("--debug", "models"), ("models", "--debug")])
def test_debug_prints_the_whole_traceback_wherever_it_stands(bench, verb, words):
    verb(raising(UsageError("wrong")))
    code, _, err = bench(*words)
    assert code == 2
    assert "Traceback" in err
    assert "in action" in err


def test_a_reader_that_left_early_is_no_failure():
    script = f"set -o pipefail; {sys.executable} -m bench models | head -n 1"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_broken_pipe_of_our_own_is_a_bug_and_not_silence(bench, verb):
    verb(raising(BrokenPipeError(errno.EPIPE, "gone")))
    code, _, err = bench("models")
    assert code == 1
    assert "a bug in bench" in err


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (5, 5)])
def test_a_verb_returns_its_exit_code(bench, verb, returned, code):
    verb(lambda **_: returned)
    assert bench("models")[0] == code


def test_every_exit_code_of_the_contract_has_its_word():
    assert {errors.BUG, errors.USAGE, errors.CANNOT, errors.GATE, errors.PARTIAL, 130, 143} == set(errors.WORDS)
    assert [errors.BUG, errors.USAGE, errors.CANNOT, errors.GATE, errors.PARTIAL] == [1, 2, 3, 4, 5]


# Bad input, all the way


@pytest.mark.parametrize(
    ("words", "code", "found"),
    [
        (["scale", "--model", "resnet5O"], 2, "resnet50"),
        (["scale", "--model", "nowhere.py:build"], 2, "nowhere.py"),
        (["scale", "--model", "lenet-small", "--data", "cifar1O"], 2, "cifar10"),
        (["scale", "--model", "lenet-small", "--device", "cdua"], 2, "cuda"),
        (["scale", "--model", "lenet-small", "--strategy", "dpp"], 2, "ddp"),
        (["scale", "--profile", "demmo"], 2, "demo"),
        (["scale", "--model", "lenet-small", "--steps", "3", "--epochs", "2"], 2, "--epochs"),
        (["scale", "--model", "lenet-small", "--device", "cpu", "--ranks", "4096"], 2, "--allow-oversubscribe"),
        (
            [
                "scale",
                "--model",
                "lenet-small",
                "--device",
                "cpu",
                "--ranks",
                "1,3",
                "--scaling",
                "strong",
                "--batch",
                "64",
            ],
            2,
            "--batch 63",
        ),
        (["scale", "--model", "lenet-small", "--modl", "x"], 2, "--model"),
        (["scale", "--model", "resnet50", "--gpus", "512"], 3, "CUDA_VISIBLE_DEVICES"),
        (["run", "--model", "lenet-small", "--device", "cpu", "--ranks", "1,2"], 2, "bench scale"),
        (["profiles", "demmo"], 2, "demo"),
        (["models", "resnet5O"], 2, "resnet50"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(bench, tmp_path, words, code, found):
    ended, out, err = bench(*words)
    assert (ended, out) == (code, ""), err
    assert found in err
    assert len(err.strip().splitlines()) <= 4, err
    assert "Traceback" not in err
    assert not (tmp_path / "bench-results").exists()
    ended, out, err = bench(*words, "--json")
    assert (ended, json.loads(out)["exit"], err) == (code, code, "")
