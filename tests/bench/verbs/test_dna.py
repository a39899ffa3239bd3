"""`bench dna`: what machine this is, and how two differ."""

import json

import pytest

from bench import cli, host_lock
from bench.dna import ceilings, fingerprint, numbers
from bench.dna.facts import UnavailableError

NUMERIC = {
    "method": numbers.METHOD,
    "threads": 2,
    "capability": "AVX512",
    "variables": {},
    "libraries": {"mkl": "2024.2"},
    "one_thread": {"mm": "00", "softmax": "01"},
    "all_threads": {"mm": "00", "softmax": "02"},
    "ulp": {"mm": 3.0, "softmax": 1.5},
    "failed": {},
    "accelerators": {},
}


@pytest.fixture
def dna(capsys, monkeypatch, tmp_path, canaries):
    """Run `bench dna` with canaries that answer this: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_WHEN_BUSY", "share")
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path / "cache"))

    def run(*words, numeric=NUMERIC):
        def answer():
            if isinstance(numeric, str):
                raise UnavailableError(numeric)
            return numeric

        canaries(answer)
        for file in (tmp_path / "cache").glob("numeric-*"):
            file.unlink()
        with pytest.raises(SystemExit) as ended:
            cli.main(["dna", *map(str, words)])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run


def test_the_document_has_the_fields_of_the_contract(dna):
    code, out, err = dna("--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert list(document) == [
        *("schema", "hw_id", "sw_id", "num_id", "identity", "conditions", "software", "numeric", "measured"),
        "unavailable",
    ]
    assert document["schema"] == "bench.dna/1"
    assert document["num_id"] == numbers.num_id(NUMERIC)
    assert document["numeric"] == NUMERIC
    assert document["measured"] is None
    assert "measured" in document["unavailable"]


def test_the_card_tells_the_ids_and_the_canaries(dna):
    code, out, err = dna()
    assert code == 0
    assert numbers.num_id(NUMERIC) in out
    assert "2 ran; AVX512 kernels" in out
    assert "at most 3.00 ulp from float64 (mm)" in out
    assert "other bits at 2 threads than at one: softmax" in out
    assert "a few seconds" in err


def test_without_an_answer_of_the_canaries_the_rest_is_told_with_the_reason(dna):
    code, out, _ = dna(numeric="torch is not installed")
    assert code == 0
    assert "canaries: torch is not installed" in out


def test_beside_a_study_no_canary_is_run(dna, monkeypatch):
    monkeypatch.setenv("BENCH_WHEN_BUSY", "refuse")
    monkeypatch.setattr(host_lock, "is_held", lambda: True)
    document = json.loads(dna("--json")[1])
    assert document["num_id"] is None
    assert "must not be disturbed" in document["unavailable"]["num_id"]


def test_a_machine_does_not_differ_from_itself(dna, tmp_path):
    (tmp_path / "a.json").write_text(dna("--json")[1])
    code, out, _ = dna("--diff", "a.json", "here")
    assert code == 0
    assert "They compute alike" in out
    assert "Can change the numbers" not in out
    document = json.loads(dna("--json", "--diff", "a.json", "a.json")[1])
    assert (document["schema"], document["dna"], document["exit"]) == ("bench.dna_diff/1", [], 0)


def test_what_differs_is_sorted_by_what_it_can_change_and_explained(dna, tmp_path):
    (tmp_path / "a.json").write_text(dna("--json")[1])
    other = json.loads((tmp_path / "a.json").read_text())
    other["software"] |= {"torch": "9.9", "kernel": "Linux 9", "os": "Another 1"}
    other["conditions"] |= {"load_1m": 99.0}
    other["numeric"] |= {"capability": "AVX2", "one_thread": {"mm": "00", "softmax": "ff"}}
    other["num_id"] = "ffff"
    (tmp_path / "b.json").write_text(json.dumps(other))
    document = json.loads(dna("--json", "--diff", "a.json", "b.json")[1])
    effects = {each["field"]: each["effect"] for each in document["dna"]}
    assert effects == {
        "software.torch": "numbers",
        "numeric.capability": "numbers",
        "software.kernel": "speed",
        "software.os": "cosmetic",
    }
    assert list(effects.values()) == sorted(effects.values(), key=("numbers", "speed", "cosmetic").index)
    assert document["canaries"]["one_thread"] == ["softmax"]
    assert document["b"]["num_id"] == "ffff"
    _, out, _ = dna("--diff", "a.json", "b.json")
    assert out.index("Can change the numbers") < out.index("software.torch") < out.index("Can change the speed")
    assert "A ran AVX512, B AVX2" in out


def test_a_study_is_compared_by_its_stored_fingerprint(dna, filled):
    code, out, _ = dna("--json", "--diff", "@last", "here", "--store", filled.path)
    document = json.loads(out)
    assert code == 0
    assert document["a"]["hw_id"] == "00112233445566aa"
    assert document["canaries"]["obstacle"] == "A has no canaries"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--diff", "nothing.json", "here"], "there is no file nothing.json"),
        (["--diff", "broken.json", "here"], "broken.json is no fingerprint"),
        (["--diff", "a/b.json", "here"], "there is no file a/b.json"),
        (["--diff", "here", "here", "--measure"], "shows two fingerprints as they are"),
    ],
)
def test_what_cannot_be_compared_is_said(dna, tmp_path, words, message):
    (tmp_path / "broken.json").write_text('{"schema": "bench.scale/1"}')
    code, _, err = dna(*words)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) <= 4


def test_measuring_adds_its_layer_and_takes_its_reason_away(dna, monkeypatch, tmp_path):
    ceiling = {"n": 20, "median": 28.05e9, "spread": 0.06}
    times = {"4096": {"n": 9, "median": 0.00036, "spread": 0.5}}
    fields = {"device": "cpu", "threads": 2, "gemm_flop_per_s": {"fp32": ceiling}, "allreduce_s": times}
    fields |= {"flags": ["gemm_flop_per_s: had 25% of the cores' time"], "unavailable": {}}
    monkeypatch.setattr(ceilings, "measure", lambda *_: fields)
    document = json.loads(dna("--json", "--measure")[1])
    assert document["measured"]["gemm_flop_per_s"]["fp32"] == ceiling
    assert "measured" not in document["unavailable"]
    _, out, _ = dna("--measure")
    assert "28.1 GFLOP/s, 6.0 %, 20" in out
    assert "0.360 ms, 50.0 %, 9" in out
    assert "had 25% of the cores' time" in out


def test_measuring_without_torch_is_a_reason(dna, monkeypatch):
    def measure(*_):
        raise UnavailableError("torch is not installed")

    monkeypatch.setattr(ceilings, "measure", measure)
    document = json.loads(dna("--json", "--measure")[1])
    assert document["measured"] is None
    assert document["unavailable"]["measured"] == "torch is not installed"


def test_a_dry_run_computes_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(numbers, "begin", lambda *_: pytest.fail("canaries were run"))
    with pytest.raises(SystemExit) as ended:
        cli.main(["scale", "--dry-run"])
    assert ended.value.code == 0
    assert fingerprint.fingerprint().num_id is None
    assert capsys.readouterr().out
