"""Studies made by hand, one for each thing that a report must be able to tell."""

from dataclasses import replace
from math import exp, log, sqrt
from statistics import fmean, stdev

from bench.analysis.result import Accuracy, EpochTime, Estimate, Row, StepTime, Study, Title, Verdict
from bench.plan import Configuration

T_975 = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571}  # Student's quantile by degrees of freedom

TITLE = Title(
    model="lenet-large",
    params=657080,
    data="cifar10",
    precision="fp32",
    memory_format="contiguous",
    scaling="weak",
    batch=64,
    seed=0,
    rounds=6,
    window="30 steps",
    device="AMD EPYC 7B13, 2 cores",
)

BASE_RATES = (1301.2, 1297.9, 1310.4, 1303.8, 1299.5, 1306.1)
DDP1_RATES = (1281.4, 1274.0, 1282.9, 1288.7, 1276.9, 1283.6)
DDP2_RATES = (2231.3, 2258.8, 2277.2, 2242.1, 2270.4, 2238.9)
ALL_CORES_RATES = (2091.9, 2118.3, 2100.7, 2089.5, 2114.8, 2123.0)


def over_launches(rates: tuple[float, ...], method: str = "t interval on log throughput over launches") -> Estimate:
    """The estimate that the analysis would give for these rates; no interval for fewer than three."""
    logs = [log(rate) for rate in rates]
    half = T_975[len(rates) - 1] * stdev(logs) / sqrt(len(rates)) if len(rates) > 2 else None
    return Estimate(
        estimate=same_everywhere(fmean(logs)),
        low=None if half is None else same_everywhere(fmean(logs) - half),
        high=None if half is None else same_everywhere(fmean(logs) + half),
        n=len(rates),
        method=method,
    )


def same_everywhere(logarithm: float) -> float:
    """Its exponential, without the last digits in which mathematical libraries differ."""
    return float(f"{exp(logarithm):.10g}")


def paired(rates: tuple[float, ...], base: tuple[float, ...]) -> Estimate:
    ratios = tuple(ours / theirs for ours, theirs in zip(rates, base, strict=True))
    return over_launches(ratios, "t interval on paired log ratios by round")


def over(estimate: Estimate, resources: int) -> Estimate:
    return replace(
        estimate,
        estimate=estimate.estimate / resources,
        low=estimate.low and estimate.low / resources,
        high=estimate.high and estimate.high / resources,
    )


def verdict(word: str, *reasons: str, detectable: float | None = 1.013, rounds: int | None = None, **more) -> Verdict:
    return Verdict(word=word, reasons=reasons, detectable=detectable, rounds_needed=rounds, **more)


def row(strategy: str, ranks: int, **given) -> Row:
    """A row with everything missing that is not given."""
    spread = {name: given.pop(name) for name in list(given) if name in Configuration.__dataclass_fields__}
    device, batch = spread.get("device", "cpu"), spread.get("batch_per_rank", 64)
    usual = {
        "device": device,
        "backend": {"cpu": "gloo", "cuda": "nccl"}.get(device) if strategy == "ddp" else None,
        "cores_per_rank": 1,
        "batch_per_rank": batch,
        "batch_global": batch * ranks,
    }
    plain = Row(
        configuration=Configuration(strategy=strategy, ranks=ranks, **{**usual, **spread}),
        is_baseline=False,
        status="ok",
        reasons=(),
        reasons_null={},
    )
    return replace(plain, **given)


def measured(strategy: str, ranks: int, rates: tuple[float, ...], **given) -> Row:
    """A row with a number: its launches' rates and what goes with them."""
    batch = given.get("batch_per_rank", 64)
    step = 1000 * batch * ranks / fmean(rates)
    return row(
        strategy,
        ranks,
        **{
            "launches": len(rates),
            "rates": rates,
            "throughput": over_launches(rates),
            "step_ms": StepTime(p50=step * 0.996, p95=step * 1.031, p99=step * 1.087),
            "epoch_s": EpochTime(estimate=50_000 / fmean(rates), projected=True),
            "data_wait": 0.0012 * ranks,
            "communication": 0.021 * ranks if strategy == "ddp" and ranks > 1 else None,
            "peak_memory_bytes": 402_653_184 + 1_048_576 * ranks,
            **given,
        },
    )


def study(*rows: Row, **given) -> Study:
    title = {key: given.pop(key) for key in list(given) if key in Title.__dataclass_fields__}
    return Study(
        **{
            "study_id": "20261122-081455-3fa9",
            "method_version": 1,
            "title": replace(TITLE, **title),
            "rows": rows,
            "warnings": (),
            "quick": False,
            "margin": 0.02,
            "hw_id": "hw-7f3c91a2",
            "sw_id": "sw-02bd77e0",
            "num_id": None,
            **given,
        }
    )


def one(n: int) -> Estimate:
    """The baseline against itself."""
    return Estimate(estimate=1.0, low=1.0, high=1.0, n=n, method="1 by definition: the baseline")


def baseline(rates: tuple[float, ...] = BASE_RATES, **given) -> Row:
    itself = {"speedup": one(len(rates)), "efficiency": one(len(rates))}
    return measured("single", 1, rates, is_baseline=True, **{**itself, **given})


def good() -> Study:
    """Six rounds on two CPU cores: the baseline, all the cores, and DDP on one rank and on two."""
    all_cores = paired(ALL_CORES_RATES, BASE_RATES)
    wrapper = paired(DDP1_RATES, BASE_RATES)
    two = paired(DDP2_RATES, BASE_RATES)
    return study(
        baseline(),
        measured(
            "single",
            1,
            ALL_CORES_RATES,
            cores_per_rank=2,
            speedup=all_cores,
            efficiency=over(all_cores, 2),
            verdict=verdict("FASTER", beyond_margin=True),
        ),
        measured("ddp", 1, DDP1_RATES, speedup=wrapper, efficiency=wrapper, verdict=verdict("SLOWER")),
        measured(
            "ddp",
            2,
            DDP2_RATES,
            speedup=two,
            efficiency=over(two, 2),
            verdict=verdict("FASTER", beyond_margin=True),
            cut_steps=4,
        ),
    )


def failed_rank() -> Study:
    """A rank that died, a row refused for what its launches did, and a row that nobody came to."""
    refused = {"speedup": "the row is INVALID", "efficiency": "the row is INVALID"}
    return study(
        baseline(),
        row(
            "ddp",
            2,
            status="crash",
            reasons=("rank 1 ended first, with exit code 1 (RuntimeError: \x1b[31mloss is NaN\x1b[0m)",),
            launches_failed=6,
            reasons_null={"throughput": "no launch gave a number", "speedup": "no launch gave a number"},
        ),
        measured(
            "ddp",
            3,
            DDP2_RATES[:3],
            status="suspect",
            reasons=(
                "trained on different numbers of samples; repeat the study whole",
                "3 of 6 launches ended as hang: no step for 60 s",
            ),
            launches_failed=3,
            reasons_null=refused,
            verdict=verdict("INVALID", "trained on different numbers of samples; repeat the study whole"),
        ),
        row("ddp", 4, status="not_run", reasons=("interrupted; run again with --resume",)),
        warnings=("Another process used 60 % of a core: rates read low. Close it, and run again.",),
    )


def missing_baseline() -> Study:
    """The baseline failed, so there is a rate but nothing to divide it by."""
    why = {"speedup": "the baseline has no number", "efficiency": "the baseline has no number"}
    return study(
        row(
            "single",
            1,
            is_baseline=True,
            status="oom_kill",
            reasons=("the kernel killed it for want of memory; try a smaller --batch",),
            launches_failed=6,
        ),
        measured("ddp", 2, DDP2_RATES, reasons_null=why),
    )


def quick() -> Study:
    """Three rounds of the demo: estimates without verdicts, and a real accuracy."""
    base, two = BASE_RATES[:3], DDP2_RATES[:3]
    ratio = paired(two, base)
    learned = Accuracy(top1=0.9639, top5=0.9972, loss=0.1253, epoch=8)
    return study(
        baseline(
            base,
            accuracy=learned,
            data_wait=None,
            epoch_s=EpochTime(estimate=0.4113, projected=False),
            reasons_null={"data_wait": "the inputs are resident on the device"},
        ),
        measured(
            "ddp",
            2,
            two,
            speedup=ratio,
            efficiency=over(ratio, 2),
            accuracy=replace(learned, top1=0.9583),
            data_wait=None,
            epoch_s=EpochTime(estimate=0.2389, projected=False),
            reasons_null={"data_wait": "the inputs are resident on the device"},
        ),
        quick=True,
        model="lenet-small",
        params=5142,
        data="digits",
        rounds=3,
        window="8 epochs",
        warnings=("This is the demo. Your own: bench scale --model resnet18 --data cifar10 --ranks 1,2",),
    )


def accelerators() -> Study:
    """GPUs, strong scaling: DataParallel, a row the machine has too few devices for, and accuracy from epochs."""
    gpu = {"device": "cuda", "cores_per_rank": None, "data_wait": 0.0213}
    base = (2702.4, 2699.8, 2704.9, 2701.1, 2698.7, 2703.6)
    dp = (4188.0, 4231.5, 4170.2, 4205.9, 4219.4, 4196.3)
    ddp = (5192.6, 5218.9, 5209.3, 5230.0, 5207.4, 5185.8)
    learned = Accuracy(top1=0.7612, top5=0.9287, loss=0.9581, epoch=90)
    rows = [
        measured(
            strategy,
            ranks,
            rates,
            batch_per_rank=256 // ranks,
            peak_memory_bytes=10_522_669_875 // ranks,
            epoch_s=EpochTime(estimate=1_281_167 / fmean(rates), projected=False),
            accuracy=replace(learned, top1=learned.top1 - 0.0004 * ranks),
            mfu=0.412 - 0.021 * ranks,
            **gpu,
            **(
                {"is_baseline": True, "speedup": one(6), "efficiency": one(6)}
                if rates is base
                else {
                    "speedup": paired(rates, base),
                    "efficiency": over(paired(rates, base), ranks),
                    "verdict": verdict("FASTER", beyond_margin=True),
                }
            ),
        )
        for strategy, ranks, rates in (("single", 1, base), ("ddp", 2, ddp), ("dp", 2, dp))
    ]
    too_many = row(
        "ddp",
        4,
        batch_per_rank=64,
        status="n/a",
        reasons=("this machine has 2 CUDA devices",),
        device="cuda",
        cores_per_rank=None,
    )
    return study(
        rows[0],
        rows[1],
        too_many,
        rows[2],
        model="resnet50",
        params=25_557_032,
        data="folder",
        precision="bf16",
        memory_format="channels_last",
        scaling="strong",
        batch=256,
        window="90 epochs",
        device="2 x NVIDIA H100 80GB HBM3",
    )


def undecided() -> Study:
    """Each verdict that is not a plain FASTER or SLOWER, and a suspect row."""
    near = (1302.9, 1289.1, 1322.5, 1298.0, 1311.7, 1293.4)
    same = tuple(
        rate * factor for rate, factor in zip(BASE_RATES, (1.001, 0.998, 1.002, 1.0, 0.999, 1.001), strict=True)
    )
    superlinear = tuple(2.1 * rate for rate in DDP1_RATES)
    return study(
        baseline(),
        measured(
            "ddp",
            1,
            near,
            speedup=paired(near, BASE_RATES),
            efficiency=paired(near, BASE_RATES),
            verdict=verdict("INCONCLUSIVE", "the interval holds 1 and the margin", detectable=1.041, rounds=22),
        ),
        measured(
            "ddp",
            2,
            superlinear,
            status="suspect",
            reasons=("the device was throttled in 38 % of the window; let it cool, and run again",),
            speedup=paired(superlinear, BASE_RATES),
            efficiency=over(paired(superlinear, BASE_RATES), 2),
            verdict=verdict("FASTER", beyond_margin=True),
        ),
        measured(
            "ddp",
            3,
            DDP2_RATES,
            verdict=verdict("INVALID", "the loss became NaN in launch r02p01", detectable=None),
            reasons_null={"speedup": "the row is INVALID", "efficiency": "the row is INVALID"},
        ),
        measured(
            "single",
            1,
            same,
            cores_per_rank=2,
            speedup=paired(same, BASE_RATES),
            efficiency=over(paired(same, BASE_RATES), 2),
            verdict=verdict("EQUIVALENT"),
        ),
    )


def nothing_runs() -> Study:
    """No row can run here."""
    rows = [
        row(
            "ddp", ranks, device="cuda", cores_per_rank=None, status="n/a", reasons=("this machine has no CUDA device",)
        )
        for ranks in (2, 4)
    ]
    return study(*rows, hw_id=None, sw_id=None)


ALL = {
    made.__name__: made for made in (good, failed_rank, missing_baseline, quick, accelerators, undecided, nothing_runs)
}
