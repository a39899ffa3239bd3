"""After the window: what is proven of the models that people train, what is not and why, and that nothing is lost."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PROVED = Path(__file__).with_name("proved_models.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proved")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    words = [(sys.executable, str(PROVED), str(folder), str(rank), "2", port) for rank in range(2)]
    ranks = [subprocess.Popen(each, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for each in words]
    said = [each.communicate(timeout=300)[0] for each in ranks]
    assert [each.returncode for each in ranks] == [0, 0], "\n".join(said)
    return json.loads((folder / "found.json").read_text())


NOT_PROVEN = {
    "generator of its own, by rank": "the model changes with each forward",
    "never the same": "gradients of the same samples and seeds differ",
    "talks to the other ranks": "exchanges values with the other ranks",
    "a lock": "the model cannot be copied (TypeError: cannot pickle '_thread.lock' object)",
    "a generator": "the model cannot be copied (TypeError: cannot pickle 'generator' object)",
    "fails on one rank": "rank 1: ValueError: only here",
}
SHOWN = {"by rank": "rank", "another average": "wrapper"}


@pytest.mark.slow
def test_what_plain_ddp_trains_is_proven_to_compute_what_one_device_does(found):
    equal = {name: each for name, each in found.items() if name not in NOT_PROVEN and name not in SHOWN}
    assert len(equal) >= 18
    assert not {name: each for name, each in equal.items() if each.get("error", 1) > 1e-4 or each["cause"] is not None}


@pytest.mark.slow
@pytest.mark.parametrize("name", NOT_PROVEN)
def test_where_equality_is_not_defined_it_is_not_proven_with_the_reason(found, name):
    assert NOT_PROVEN[name] in found[name]["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_a_model_is_accused_only_of_what_was_shown(found, name):
    assert found[name]["error"] > 0.1
    assert found[name]["cause"] == SHOWN[name]


@pytest.mark.slow
def test_the_model_and_its_gradients_are_left_as_they_were(found):
    assert all(each["untouched"] for each in found.values())
