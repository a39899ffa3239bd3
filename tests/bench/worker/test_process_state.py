"""What a model's code changes of its process is seen when nothing is timed, whoever changed it and when."""

import gc
import os
import sys
import threading
from itertools import islice

import pytest
import torch
from torch import nn

from bench.learn.batches import Batches
from bench.worker.process_state import Watch, rounding, spans
from tests.bench.learn.loading import load

CPU = torch.device("cpu")
needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system cannot pin")


@pytest.fixture(autouse=True)
def process(monkeypatch):
    """This process is the next test's too."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    threads, thresholds = torch.get_num_threads(), gc.get_threshold()
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    trace = sys.gettrace()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)
    if cores is not None:
        os.sched_setaffinity(0, cores)
    sys.settrace(trace)
    gc.enable()
    gc.set_threshold(*thresholds)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.use_deterministic_algorithms(False)
    torch.autograd.set_detect_anomaly(False)
    torch.set_flush_denormal(False)
    torch.backends.mkldnn.matmul.fp32_precision = "ieee"
    torch.backends.cuda.matmul.fp32_precision = "ieee"


def changed_by(change, model=None) -> dict:
    watch = Watch(CPU, "fp32", torch.initial_seed())
    watch.look()
    assert watch.changed == {}
    change()
    watch.model = model
    watch.look()
    return watch.changed


@pytest.mark.parametrize(
    ("change", "name", "values"),
    [
        (lambda: torch.set_num_threads(1), "threads", [2, 1]),
        (lambda: torch.set_default_dtype(torch.float64), "default_dtype", ["float32", "float64"]),
        (lambda: torch.set_default_device("meta"), "default_device", ["cpu", "meta"]),
        (lambda: torch.use_deterministic_algorithms(True), "deterministic", [False, True]),
        (lambda: torch.autograd.set_detect_anomaly(True), "anomaly_detection", [False, True]),
        (lambda: torch.set_flush_denormal(True), "denormals", ["kept", "flushed to zero"]),
        (lambda: sys.settrace(lambda *_: None), "traced", [False, True]),
        (lambda: os.environ.update(OMP_NUM_THREADS="7", HOME_OF_MINE="x"), "variables", ["", "OMP_NUM_THREADS"]),
    ],
)
def test_each_change_is_seen_and_nothing_else(change, name, values):
    if name == "denormals" and not torch.set_flush_denormal(False):
        pytest.skip("this processor flushes no denormals")
    assert changed_by(change) == {name: values}


def test_the_collector_is_seen_off_and_with_other_thresholds():
    assert changed_by(gc.disable)["collector"][1] == "off"
    gc.enable()
    assert changed_by(lambda: gc.set_threshold(10, 5, 5))["collector"][1] == "on, thresholds 10, 5, 5"


@needs_affinity
def test_a_rank_that_was_moved_to_one_core_is_seen_there():
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        pytest.skip("there is one core")
    watch = Watch(CPU, "fp32", torch.initial_seed())
    os.sched_setaffinity(0, cores[-1:])
    watch.look()
    assert watch.changed["cores"] == [spans(set(cores)), str(cores[-1])]
    assert watch.cores == str(cores[-1])


def test_a_seed_of_the_models_own_is_seen_and_the_planned_one_is_none():
    watch = Watch(CPU, "fp32", 5)
    torch.manual_seed(5)
    watch.look()
    assert watch.changed == {}
    torch.manual_seed(42)
    watch.look()
    assert watch.changed == {"seed": [5, 42]}


def test_an_autocast_that_is_never_left_is_seen():
    casting = torch.autocast("cpu", dtype=torch.bfloat16)
    try:
        assert changed_by(casting.__enter__) == {"autocast": ["off", "bfloat16"]}
    finally:
        casting.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Linear(2, 2).double(), "float64"),
        (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).bfloat16()), "bfloat16, float32"),
    ],
)
def test_weights_of_another_type_are_seen(model, words):
    assert changed_by(lambda: None, model) == {"weights": ["float32", words]}


def test_values_stand_in_the_order_in_which_they_were_seen_and_once():
    watch = Watch(CPU, "fp32", torch.initial_seed())
    for threads in (1, 2, 3, 1, 2):
        torch.set_num_threads(threads)
        watch.look()
    assert watch.changed == {"threads": [2, 1, 3]}


def test_threads_that_another_thread_sets_are_told_as_they_are_for_the_one_that_trains():
    """OpenMP keeps them by thread: what another one sets holds for itself."""
    other = threading.Thread(target=torch.set_num_threads, args=(1,))
    watch = Watch(CPU, "fp32", torch.initial_seed())
    other.start()
    other.join()
    watch.look()
    assert watch.changed.get("threads", [2])[-1] == torch.get_num_threads()


def test_a_switch_is_tried_with_a_product_and_one_of_another_device_is_no_matter():
    switched = changed_by(lambda: setattr(torch.backends.mkldnn.matmul, "fp32_precision", "bf16"))
    assert "mkldnn.matmul bf16" in switched["float32_precision"][1]
    assert switched.get("products", ["fp32", "fp32"])[1] == rounding(CPU)
    assert changed_by(lambda: setattr(torch.backends.cuda.matmul, "fp32_precision", "tf32")) == {}


@pytest.mark.parametrize(("kept_bits", "word"), [(24, "fp32"), (11, "tf32"), (8, "bf16")])
def test_the_rounding_of_products_is_told_by_their_error(monkeypatch, kept_bits, word):
    """A stand-in for a device that rounds its factors: this one may have no such mode."""
    multiply, coarse = torch.mm, 2.0 ** (24 - kept_bits) + 1

    def rounded(one, other):
        if one.dtype == torch.float64 or kept_bits == 24:
            return multiply(one, other)
        return multiply(*(each * coarse - (each * coarse - each) for each in (one, other)))

    monkeypatch.setattr(torch, "mm", rounded)
    assert rounding(CPU) == word


def test_a_model_that_writes_into_its_input_is_seen_and_whether_the_window_trained_on_it():
    def watched(write, begins):
        watch, batches = (
            Watch(CPU, "fp32", torch.initial_seed()),
            Batches(load("synthetic"), device=CPU, rank=0, world_size=1, batch_per_rank=4, seed=0),
        )
        endless = iter(batches)
        for after_window in (False, True):
            for step, (images, _) in enumerate(islice(endless, 8)):
                if after_window or step >= begins:
                    write(images)
            watch.look_at_input(batches, after_window=after_window)
        return watch.changed

    assert watched(lambda images: None, 0) == {}
    assert watched(lambda images: images.div_(2), 0) == {"input": ["as given", "written to"]}
    assert watched(lambda images: images.data.div_(2), 0) == {"input": ["as given", "written to"]}
    assert watched(lambda images: images.data.div_(2), 8) == {"input": ["as given", "written to, unseen"]}


def test_cores_are_written_as_the_kernel_writes_them():
    assert [spans(each) for each in ({0}, {0, 1, 2, 5}, {3, 1}, set())] == ["0", "0-2,5", "1,3", ""]
