"""A/A of `bench compare` on this machine: how often does it see a difference between two studies of one configuration?

Twenty times two studies of six short launches, each study whole before the next begins, as two studies a user compares
are: what drifts between sessions is in the difference. With --interleaved their launches take turns, A first in one
round and B in the next: then it is the verdicts that are tried, on this machine's real noise, and not whether the
machine stays the same for minutes. FASTER or SLOWER for the throughput is a false verdict; INVALID is none. With the
defaults 240 launches, half an hour.

    python benchmarks/compare_aa.py [--comparisons 20] [--rounds 6] [--model lenet-small] [--seconds 1] [--interleaved]
                                    [--store DIR] [--json FILE]

The store is kept and the run goes on where it was broken off: studies that are complete are not repeated.
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import launchers
from bench import planning, resuming, settings, study
from bench.analysis.comparing.compare import compare
from bench.analysis.comparing.nouns import THROUGHPUT
from bench.analysis.result import FASTER, SLOWER
from bench.dna.fingerprint import fingerprint
from bench.dna.machine import here
from bench.plan import to_json
from bench.store import index
from bench.store.commit import Store
from bench.verbs import study_refs
from reports.running import progress


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--comparisons", type=int, default=20)
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--model", default="lenet-small")
    arguments.add_argument("--seconds", type=float, default=1.0)
    arguments.add_argument("--interleaved", action="store_true")
    arguments.add_argument("--store", type=Path, default=Path("bench-results-compare-aa"))
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()

    machine, store = here(), Store.open(asked.store)
    host = study.Host(launcher=launchers.find("local").open(), machine=machine, fingerprint=fingerprint())
    found = []
    for number in range(asked.comparisons):
        pair = [begun(asked, f"aa-{number:02d}-{name}", store, host) for name in "ab"]
        for rounds in range(1, asked.rounds + 1) if asked.interleaved else (asked.rounds,):
            for study_id in pair if rounds % 2 else reversed(pair):
                resume(study_id, rounds, store, host)
        a, b = (study_refs.read(study_refs.find(study_id, asked.store), ()) for study_id in pair)
        speed = next(row for row in compare(a, b, a.plan.margin).rows if row.metric == THROUGHPUT)
        ratio = speed.ratio.estimate if speed.ratio else None
        found.append({"a": pair[0], "b": pair[1], "verdict": speed.verdict.word, "ratio": ratio})
        print(f"{number + 1}/{asked.comparisons}: {speed.verdict.word}, ratio {ratio:.4f}" if ratio else found[-1])
    words = Counter(each["verdict"] for each in found)
    false = words[FASTER] + words[SLOWER]
    print(
        f"{len(found)} comparisons of {asked.rounds} + {asked.rounds} launches: {dict(words)}; false verdicts: {false}"
    )
    if asked.json:
        outcome = {"machine": host.fingerprint.hw_id, "rounds": asked.rounds, "comparisons": found, "false": false}
        asked.json.write_text(json.dumps(outcome, indent=1) + "\n")


def begun(asked: argparse.Namespace, study_id: str, store: Store, host: study.Host) -> str:
    """A study of one row, unless it is there already; returns its id."""
    if study_id not in index.studies(asked.store):
        wishes = settings.resolve(
            {
                "model": asked.model,
                "seconds": str(asked.seconds),
                "device": "cpu",
                "rounds": str(asked.rounds),
                "input_shape": "3,32,32",
            },
            environ={},
            cwd=Path("/nonexistent"),
            profile=None,
        )
        plan = planning.build(
            wishes,
            host.machine,
            study_id=study_id,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            command=" ".join(sys.argv),
            order_seed=0,
            one_row=True,
        )
        store.create_study(to_json(plan))
    resuming.prepare_resume(store, study_id)  # what an earlier run of this script was broken off in
    return study_id


def resume(study_id: str, rounds: int, store: Store, host: study.Host) -> None:
    """Run what is missing of a study's first rounds."""
    plan = index.plan(store.path, study_id)
    study.run(replace(plan, launches=plan.launches[:rounds]), store, host, progress.Silent())


if __name__ == "__main__":
    main()
