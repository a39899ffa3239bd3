"""The card of a fingerprint and of a difference: every console can show it, and what is missing has its reason."""

import io

import pytest

from reports.repro import dna
from reports.text.console import console_for

DOCUMENT = {
    "hw_id": "00ff",
    "sw_id": "11ee",
    "num_id": None,
    "identity": {},
    "conditions": {},
    "software": {},
    "numeric": None,
    "measured": None,
    "unavailable": {"num_id": "canaries: torch is not installed", "identity.gpus": "NVIDIA driver: not loaded"},
}
SIDE = {"hw_id": "00ff", "sw_id": "11ee", "num_id": None}
CANARIES = {"obstacle": None, "one_thread": [], "all_threads": [], "causes": []}


class Ascii(io.StringIO):
    encoding = "ascii"


def shown(show, content, stream=None):
    out = stream or io.StringIO()
    show(content, console_for(out))
    return out.getvalue()


def test_a_machine_of_which_nothing_is_known_has_a_card():
    out = shown(dna.show, DOCUMENT)
    assert "canaries: torch is not installed" in out
    assert "NVIDIA driver: not loaded" in out
    assert "2 facts, each with its reason" in out
    assert "not asked" in out


def test_cards_alike_are_counted():
    cards = [{"name": "H100", "memory_gib": 80}] * 4
    assert "4 x H100 80 GiB" in shown(dna.show, DOCUMENT | {"identity": {"gpus": cards}})


@pytest.mark.parametrize(
    ("field", "value", "given"),
    [
        ("gemm_flop_per_s", 1.979e14, "gemm                 198 TFLOP/s"),
        ("memory_bytes_per_s", 3.35e12, "3.35 TB/s"),
        ("disk_write_bytes_per_s", 9.5e6, "9.50 MB/s"),
        ("launch_s", 6.3e-6, "0.00630 ms"),
        ("fsync_s", 1.25, "1.25 s"),
    ],
)
def test_ceilings_are_told_in_units_a_person_reads(field, value, given):
    found = {"device": "cuda", "threads": 2, field: {"n": 20, "median": value, "spread": 0.062}, "flags": []}
    out = shown(dna.show, DOCUMENT | {"measured": found})
    assert " ".join(given.split()) in " ".join(out.split())
    assert "6.2 %, 20" in out


def test_sizes_and_doubts_stand_beside_the_ceilings():
    sizes = {str(2**20): {"n": 9, "median": 0.001, "spread": 0.1}}
    found = {"device": "cpu", "threads": 2, "allreduce_s": sizes, "flags": ["launch_s: had 20% of the cores' time"]}
    out = shown(dna.show, DOCUMENT | {"measured": found})
    assert "allreduce 1.00 MiB" in out
    assert "launch_s: had 20% of the cores' time" in out


def test_a_cause_that_was_not_repeated_by_us_says_so():
    cause = {"text": "AMX is off", "canaries": ["mm_bf16"], "evidence": "published"}
    canaries = CANARIES | {"one_thread": ["mm_bf16"], "causes": [cause, cause | {"evidence": "measured"}]}
    compared = {"a": SIDE | {"name": "a"}, "b": SIDE | {"name": "b"}, "dna": [], "canaries": canaries}
    out = shown(dna.show_difference, compared)
    assert "1 canary operation with other bits" in out
    assert out.count("mm_bf16: AMX is off") == 2
    assert out.count("told by others") == 1


def test_a_difference_of_long_values_is_cut_and_a_missing_one_named():
    field = {"field": "identity.cpu_isa", "a": None, "b": "avx " * 100, "effect": "numbers"}
    compared = {"a": SIDE | {"name": "a"}, "b": SIDE | {"name": "b"}, "dna": [field], "canaries": CANARIES}
    out = shown(dna.show_difference, compared)
    assert "not there -> avx avx" in out
    assert max(map(len, out.splitlines())) < 120


def test_a_stream_of_plain_letters_gets_no_other():
    out = shown(dna.show, DOCUMENT | {"identity": {"memory_gib": 24}}, Ascii())
    assert out.isascii()
    assert "\\u" not in out
    assert "\x1b" not in out


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_in_a_terminal_long_lines_go_on_under_their_own_beginning_and_elsewhere_stay_one():
    reason = "NVML is not installed, and no other way to ask for a graphics card is known on this system"
    document = DOCUMENT | {"unavailable": {"identity.gpus": reason}}
    out = Terminal()
    dna.show(document, console_for(out, color=False, width=50))
    lines = out.getvalue().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("gpu "))
    assert lines[first : first + 3] == [
        "gpu        NVML is not installed, and no other way",
        "           to ask for a graphics card is known on",
        "           this system",
    ]
    assert max(map(len, lines)) <= 50
    assert f"gpu        {reason}\n" in shown(dna.show, document)
