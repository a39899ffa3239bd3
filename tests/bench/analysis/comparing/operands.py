"""Sides of a comparison made up from rates."""

import json
from dataclasses import replace

import numpy as np

from bench.analysis.comparing.operands import Operand
from bench.analysis.scaling import findings
from bench.store.schema import Dna
from tests.bench.analysis.analysis_fakes import SINGLE, changed, study

IDENTITY = {"cpu_label": "A CPU", "cpu_isa": ["avx2", "fma"], "cpu_cores": 4, "memory_gib": 16}
SOFTWARE = {"torch": "2.15.0", "scaling-bench": "0.1.0"}
CONDITIONS = {"load_1m": 0.2, "governor": "performance"}


def dna(launch, **layers):
    document = {"identity": IDENTITY, "software": SOFTWARE, "conditions": CONDITIONS, "unavailable": {}, **layers}
    return Dna(
        study_id=launch.study_id,
        launch_id=launch.launch_id,
        hw_id=launch.hw_id or "",
        sw_id=launch.sw_id or "",
        **{name: json.dumps(value) for name, value in document.items()},
    )


def around(rate, n=6, cv=0.01, seed=0):
    """Rates whose logs have exactly this mean and standard deviation: nothing in a test hangs on luck."""
    logs = np.random.default_rng(seed).normal(0, 1, n)
    logs = (logs - logs.mean()) / logs.std(ddof=1)
    return [float(each) for each in rate * np.exp(cv * logs)]


def side(
    rates=None, *, name="A", study_id=None, launches_changed=None, broken=None, layers=None, workload=None, **given
):
    """A study at these rates, as read from a store; `broken` is a row and what is wrong with its launches."""
    plan, launches, steps = study(rates or {SINGLE: around(1000)})
    study_id = study_id or f"study-{name}"
    if workload:
        plan = replace(plan, workload=replace(plan.workload, **workload))
    plan = replace(plan, study_id=study_id)
    seed = {"seed": plan.workload.seed}
    launches = [replace(each, study_id=study_id, **seed, **(launches_changed or {})) for each in launches]
    if broken:
        launches = changed(launches, broken[0], **broken[1])
    return Operand(
        name=name,
        study=findings.analyse(plan, launches, steps, []),
        plan=plan,
        launches=launches,
        dna=[dna(each, **(layers or {})) for each in launches],
        **given,
    )
