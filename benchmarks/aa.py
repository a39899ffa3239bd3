"""A/A on this machine: how often do the verdicts see a difference where there is none?

One real configuration is launched again and again through the whole pipeline. Launches are taken in pairs; a coin says
which of a pair is called A. Six pairs make one comparison, as in a study of six rounds. Anything but EQUIVALENT or
INCONCLUSIVE is a false verdict.

    python benchmarks/aa.py [--comparisons 20] [--model lenet-small] [--seconds 1] [--store DIR] [--json FILE]

The store is kept and the run resumes: launches that are already there are not repeated.
"""

import argparse
import json
import math
import random
import statistics
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import launchers
from bench import planning, settings, study
from bench.analysis.statistics import verdicts
from bench.dna.fingerprint import fingerprint
from bench.dna.machine import here
from bench.plan import to_json
from bench.store import index, read
from bench.store.commit import Store
from reports.running import progress

ROUNDS, MARGIN = 6, 0.02


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--comparisons", type=int, default=20)
    arguments.add_argument("--model", default="lenet-small")
    arguments.add_argument("--seconds", type=float, default=1.0)
    arguments.add_argument("--store", type=Path, default=Path("bench-results-aa"))
    arguments.add_argument("--json", type=Path)
    asked = arguments.parse_args()

    study_id, machine = "aa", here()
    store = Store.open(asked.store)
    if study_id not in index.studies(asked.store):
        wishes = settings.resolve(
            {
                "model": asked.model,
                "seconds": asked.seconds,
                "device": "cpu",
                "ranks": "1",
                "strategy": "single",
                "cores_per_rank": len(machine.cpu_ids),
                "rounds": asked.comparisons * ROUNDS * 2,
            },
            environ={},
            cwd=Path("/nonexistent"),
            profile=None,
        )
        plan = planning.build(
            wishes,
            machine,
            study_id=study_id,
            created_at=datetime.now(UTC).isoformat(),
            command=" ".join(sys.argv),
            order_seed=0,
        )
        store.create_study(to_json(plan))
    plan = index.plan(asked.store, study_id)
    host = study.Host(launcher=launchers.find("local").open(), machine=machine, fingerprint=fingerprint())
    study.run(plan, store, host, progress.for_stream(sys.stderr, plain=True, json=False))

    rates = [launch.throughput_sps for launch in read.launches(asked.store, study_id) if launch.status == "ok"]
    coin = random.Random(0)
    found = []
    for first in range(0, len(rates) - 2 * ROUNDS + 1, 2 * ROUNDS):
        pairs = [rates[at : at + 2] for at in range(first, first + 2 * ROUNDS, 2)]
        logs = [math.log(a / b) * coin.choice((-1, 1)) for a, b in pairs]
        found.append({"verdict": verdicts.verdict(logs, MARGIN).word, "ratio": math.exp(statistics.fmean(logs))})
    words = Counter(each["verdict"] for each in found)
    false = sum(count for word, count in words.items() if word not in ("EQUIVALENT", "INCONCLUSIVE"))
    logs = [math.log(rate) for rate in rates]
    spread = statistics.stdev(logs)
    print(f"{len(rates)} launches of {asked.model}: {math.exp(statistics.fmean(logs)):.1f} samples/s, CV {spread:.2%}")
    print(f"{len(found)} comparisons of {ROUNDS} pairs: {dict(words)}; false verdicts: {false}")
    if asked.json:
        asked.json.write_text(
            json.dumps({"launches": len(rates), "cv": spread, "comparisons": found, "false": false}, indent=1)
        )


if __name__ == "__main__":
    main()
