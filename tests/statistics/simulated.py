"""Made-up machines: launches with effects of their own and steps that hang together, from a seeded generator."""

import numpy as np
from scipy.signal import lfilter

from bench.analysis.statistics.steady import Steps

STEP_NS = 20e6
BATCH = 32


def ar1(rng, shape, phi, sd):
    """Stationary AR(1) series along the last axis, with standard deviation `sd` whatever phi is."""
    burn_in = 60
    shocks = rng.normal(0, sd * np.sqrt(1 - phi**2), (*shape[:-1], shape[-1] + burn_in))
    return lfilter([1], [1, -phi], shocks, axis=-1)[..., burn_in:]


def steps_of(lengths_ns):
    """One launch from its step lengths: an array of ranks x steps. All ranks of a step end together, as in DDP."""
    ranks, count = lengths_ns.shape
    length = np.broadcast_to(lengths_ns.max(axis=0).round().astype(np.int64), (ranks, count))
    shape = (ranks, count)
    return Steps(
        rank=np.broadcast_to(np.arange(ranks)[:, None], shape).ravel(),
        epoch=np.zeros(ranks * count, dtype=np.int64),
        step=np.broadcast_to(np.arange(count), shape).ravel(),
        in_window=np.ones(ranks * count, dtype=bool),
        start_ns=(np.cumsum(length, axis=1) - length).ravel(),
        step_ns=length.ravel(),
        data_wait_ns=np.zeros(ranks * count, dtype=np.int64),
        samples=np.full(ranks * count, BATCH),
        steps=np.ones(ranks * count, dtype=np.int64),
    )
