"""A module in a process of its own: started before there is anything to ask, and never left running."""

import time

import psutil
import pytest

from bench.dna import child
from bench.dna.facts import UnavailableError


@pytest.fixture
def a_module(monkeypatch, tmp_path):
    """A module of this text, which the process finds."""

    def make(text):
        (tmp_path / "stand_in.py").write_text(text)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        return "stand_in"

    return make


def test_the_document_is_what_the_module_prints(a_module):
    module = a_module("import json, os, sys; print(json.dumps([sys.argv[1:], 'RANK' in os.environ]))")
    assert child.document_of(module, ("--threads", "2"), timeout_s=60) == [["--threads", "2"], False]


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("import time; time.sleep(60)", UnavailableError, "no answer in 0.5 s"),
        ("print('not json')", UnavailableError, "no answer that is understood"),
        ("raise RuntimeError('cannot open /home/zebra/lib.so')", child.DoesNotRunError, "exit code 1.*cannot open …"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", child.DoesNotRunError, "exit code -4"),
    ],
)
def test_a_process_that_fails_is_a_reason_without_anybodys_name(a_module, text, kind, reason):
    limit_s = 0.5 if "sleep" in text else 60
    with pytest.raises(kind, match=reason) as raised:
        child.document_of(a_module(text), (), timeout_s=limit_s)
    assert "zebra" not in str(raised.value)


def test_without_torch_nothing_is_started(monkeypatch):
    monkeypatch.setattr(child.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(child.subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    with pytest.raises(UnavailableError, match="torch is not installed"):
        child.document_of("bench.dna.numeric", (), timeout_s=1)


def test_what_it_needs_is_imported_before_it_is_asked_and_what_it_must_not_do_yet_is_not_done(a_module, tmp_path):
    module = a_module(
        "import sys\nfrom pathlib import Path\n"
        "Path('imported').touch()\nsys.stdin.read()\nPath('computed').touch()\nprint(1)"
    )
    with child.Child(module, ()) as begun:
        until = time.monotonic() + 60
        while not (tmp_path / "imported").exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert (tmp_path / "imported").exists()
        assert not (tmp_path / "computed").exists()
        assert begun.answer(60) == 1
    assert (tmp_path / "computed").exists()


@pytest.mark.parametrize("raises", [False, True])
def test_a_process_that_nobody_asks_is_ended(a_module, raises):
    def leave():
        with child.Child(a_module("import sys; sys.stdin.read()"), ()):
            assert len(psutil.Process().children()) == before + 1
            if raises:
                raise KeyboardInterrupt

    before = len(psutil.Process().children())
    if raises:
        with pytest.raises(KeyboardInterrupt):
            leave()
    else:
        leave()
    assert len(psutil.Process().children()) == before


def test_its_environment_is_that_of_a_rank_and_what_it_is_given(a_module, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    module = a_module("import json, os; print(json.dumps(os.environ.get('OMP_WAIT_POLICY')))")
    assert child.document_of(module, (), timeout_s=60) is None
    with child.Child(module, (), variables={"OMP_WAIT_POLICY": "passive"}) as begun:
        assert begun.answer(60) == "passive"
