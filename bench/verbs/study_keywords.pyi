"""The keywords of `bench.scale` and `bench.run`: the flags of the commands. Written by `make docs`."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

class StudyKeywords(TypedDict, total=False):
    profile: str | os.PathLike[str]
    resume: bool
    model: str | Callable[[], Any]
    """Of `bench models`, timm:NAME, FILE.py:CALLABLE or MODULE:CALLABLE."""
    data: str
    """synthetic, digits, cifar10, cifar100 or folder [synthetic]."""
    data_dir: str | os.PathLike[str]
    """The data set's own folder, or one that holds it."""
    input_shape: int | Sequence[int] | str
    """Of an image, as in 3,32,32."""
    classes: int
    """How many there are to tell apart."""
    allow_empty_classes: bool
    """Some classes have no validation pictures, or no others."""
    augment: str | Sequence[str]
    """As in crop,flip,jitter:0.2; none for none."""
    gpus: int | Sequence[int] | str
    """1,2,4 is short for --device cuda --ranks 1,2,4."""
    device: str
    """auto: cuda, else mps, else cpu."""
    ranks: int | Sequence[int] | str
    """Numbers of ranks, as in 1,2,4; auto for one that fits."""
    cores_per_rank: int
    """The same in every row [all cores / most ranks]."""
    nodes: int | Sequence[int] | str
    """Hosts, as in 1,2,4; with --launcher torchrun or slurm."""
    ranks_per_node: int
    """On each of them [1 on CPUs, one a GPU]."""
    launcher: str
    """What starts the ranks [local]."""
    rdzv: str
    """Where the nodes of torchrun meet; the same on each."""
    strategy: str | Sequence[str]
    """One, or several with commas."""
    scaling: str
    """weak: fixed batch per device; strong: fixed global batch [weak]."""
    batch: int
    """Per device when weak, global when strong [64]."""
    backend: str
    """nccl on CUDA, gloo elsewhere."""
    ddp: str | Mapping[str, Any]
    """Options of DDP, as in find_unused_parameters=true,bucket_cap_mb=50."""
    allow_oversubscribe: bool
    """Run more ranks than there are cores."""
    precision: str
    """fp32 is IEEE, without TF32 [fp32]."""
    memory_format: str
    """Order of an image's numbers in memory [contiguous]."""
    rounds: int
    """Every row runs once a round, in new processes [6]."""
    quick: bool
    """3 rounds of 3 s: estimates, no verdicts."""
    warmup: int
    """Steps before the window, at least [10]."""
    steps: int
    """Length of the window in steps,"""
    seconds: float
    """or in seconds [6],"""
    epochs: int
    """or in whole epochs, with their accuracy."""
    seed: int
    """Of weights, order of data and augmentation [0]."""
    seeds: int | Sequence[int] | str
    """As in 1,2,3: a round from each instead."""
    order_seed: int
    """Of the random order of launches [drawn]."""
    margin: float
    """Differences below it count as none [0.02]."""
    budget: str | float
    """As in 90s, 10m or 1h: as many rounds as fit, at least 3."""
    timeout: str | float
    """End a launch after this long."""
    checkpoint: str | Sequence[str]
    """Keep of training: last, last:K, best, every:K."""
    checkpoint_steps: int
    """Also every N steps within an epoch."""
    from_: str | os.PathLike[str]
    """Start from this checkpoint."""
    anatomy: int | bool
    """Look into the layers, every K steps [100]; no throughput."""
    env: str | Sequence[str] | Mapping[str, str]
    """Pass a variable to the ranks, or NAME=VALUE; repeatable."""
    store: str | os.PathLike[str]
    """Where results go [bench-results]."""
    when_busy: str
    """If another study measures on this host [refuse]."""
