"""Models that people train, each held to the comparison of gradients by two Gloo ranks; used by the test beside it.

`python proved_models.py FOLDER RANK WORLD PORT` is one rank; rank 0 leaves `found.json`: what was found of each model.
"""

import json
import os
import random
import sys
import threading
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.utils import parametrizations, weight_norm
from torch.utils.checkpoint import checkpoint

from bench import devices
from bench.learn import recipe, rng
from bench.plan import Configuration
from bench.worker import gradients
from bench.worker.group import Group, in_words
from bench.worker.session import wrapped
from bench.worker.train import Trainer
from launchers.heartbeat import Heart

CPU = torch.device("cpu")
ROW = Configuration(
    strategy="ddp", ranks=2, device="cpu", backend="gloo", cores_per_rank=1, batch_per_rank=4, batch_global=8
)


class Net(nn.Module):
    """A convolution and a head, with a function between them."""

    def __init__(self, between=None) -> None:
        super().__init__()
        self.stem, self.body, self.head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(8, 10)
        self.between = between

    def features(self, x):
        return self.body(self.stem(x).relu()).relu()

    def forward(self, x):
        x = self.features(x)
        return self.head((x if self.between is None else self.between(x)).mean((2, 3)))


class Recomputing(Net):
    def features(self, x):
        return checkpoint(self.body, self.stem(x), use_reentrant=True).relu()


class Auxiliary(Net):
    def __init__(self) -> None:
        super().__init__()
        self.auxiliary = nn.Linear(8, 10)

    def forward(self, x):
        pooled = self.features(x).mean((2, 3))
        return self.head(pooled) + 0.3 * self.auxiliary(pooled) if self.training else self.head(pooled)


class StochasticDepth(Net):
    def features(self, x):
        x = self.stem(x).relu()
        return x + 0.1 * self.body(nn.functional.pad(x, (1,) * 4)) * float(random.random() < 0.5)


class OwnGenerator(Net):
    """Noise from a generator that is seeded by the rank, as some make it so that ranks draw different numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.noise = torch.Generator().manual_seed(100 + dist.get_rank())

    def features(self, x):
        x = super().features(x)
        return x * (torch.rand(x.shape[1:], generator=self.noise) < 0.5)


class Unrepeatable(Net):
    def features(self, x):
        x = super().features(x)
        return x * (torch.from_numpy(_fresh(x.shape[1:])) < 0.5)


def _fresh(shape):
    import numpy as np

    return np.random.default_rng().random(shape).astype("float32")


class ByRank(Net):
    def features(self, x):
        return super().features(x) * (1 + dist.get_rank())


class Talking(Net):
    def features(self, x):
        x = super().features(x)
        mean = x.detach().mean((0, 2, 3), keepdim=True)
        dist.all_reduce(mean)
        return x - mean / dist.get_world_size()


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(96, 12, batch_first=True), nn.Linear(12, 10)

    def forward(self, x):
        return self.head(self.rnn(x.transpose(1, 2).flatten(2))[0][:, -1])


class Sparse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.EmbeddingBag(256, 16, sparse=True), nn.Linear(16, 10)

    def forward(self, x):
        return self.head(self.table(((x.flatten(1)[:, :64] + 2) * 60).long().clamp(0, 255)))


class Spare(Net):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(3, 3)


class LeftOut(Net):
    """Keeps its stem to itself, and says so to DDP."""

    def __init__(self) -> None:
        super().__init__()
        self._ddp_params_and_buffers_to_ignore = ["stem.weight", "stem.bias"]


class FailsOnOneRank(Net):
    def features(self, x):
        if dist.get_rank() == 1:
            raise ValueError("only here")
        return super().features(x)


def frozen():
    model = Net()
    model.stem.requires_grad_(False)
    return model


def locked():
    model = Net()
    model.lock = threading.Lock()
    return model


def generator_of_numbers():
    model = Net()
    model.numbers = (number for number in range(9))
    return model


def compiled():
    return torch.compile(Net(), backend="eager")


def normed(norm):
    model = Net()
    norm(model.body)
    return model


def parallel_norms():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)
    )


class Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3072, 10, dtype=torch.complex64) / 50)

    def forward(self, x):
        return (x.flatten(1).to(torch.complex64) @ self.weight).abs()


class Double(Net):
    def __init__(self) -> None:
        super().__init__()
        self.double()

    def forward(self, x):
        return super().forward(x.double())


MODELS = {
    "plain": Net,
    "re-entrant checkpoint": Recomputing,
    "head for training only": Auxiliary,
    "dropout": partial(Net, nn.Dropout(0.5)),
    "dropout of whole channels": partial(Net, nn.Dropout2d(0.5)),
    "batch norm": parallel_norms,
    "stochastic depth": StochasticDepth,
    "RNN": Recurrent,
    "weight norm": partial(normed, weight_norm),
    "weight norm, parametrized": partial(normed, parametrizations.weight_norm),
    "spectral norm": partial(normed, parametrizations.spectral_norm),
    "compiled": compiled,
    "frozen backbone": frozen,
    "double": Double,
    "complex": Complex,
    "sparse": Sparse,
    "left out of DDP": LeftOut,
    "unused": Spare,
    "generator of its own, by rank": OwnGenerator,
    "never the same": Unrepeatable,
    "talks to the other ranks": Talking,
    "a lock": locked,
    "a generator": generator_of_numbers,
    "fails on one rank": FailsOnOneRank,
    "by rank": ByRank,
    "another average": Net,
}


def sums_only(_, bucket):
    """A hook that forgets to divide."""
    return dist.all_reduce(bucket.buffer(), async_op=True).get_future().then(lambda done: done.value()[0])


def compare(name: str, folder: Path, group: Group) -> dict[str, object]:
    rng.seed(3)
    model = MODELS[name]()
    options = "find_unused_parameters=true" if name == "unused" else ""
    row = Configuration(**{**vars(ROW), "ddp": options})
    trainer = Trainer(
        model=wrapped(model, row, CPU),
        loss=recipe.loss_function(0.0),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.05),
        scheduler=None,
        precision="fp32",
        device=CPU,
        backend=devices.load("cpu"),
        group=group,
        heart=Heart(folder, group.rank),
    )
    generator = torch.Generator().manual_seed(group.rank)
    batch = torch.randn(4, 3, 32, 32, generator=generator), torch.randint(0, 10, (4,), generator=generator)
    before = {key: each.clone() for key, each in model.state_dict().items() if key not in dict(model.named_buffers())}

    def wrap(copied):
        inside = wrapped(copied, row, CPU)
        if name == "another average":
            inside.register_comm_hook(None, sums_only)
        return inside

    try:
        found = vars(gradients.compare(trainer, model, batch, wrap))
    except Exception as error:  # noqa: BLE001 - the test looks at which it was
        found = {"reason": in_words(error)}
    untouched = all(torch.equal(before[key], model.state_dict()[key]) for key in before)
    return {**found, "untouched": untouched and all(each.grad is None for each in model.parameters())}


def main() -> None:
    folder, rank, world, port = sys.argv[1:]
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, RANK=rank, WORLD_SIZE=world, GLOO_SOCKET_IFNAME="lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    group = Group(rank=int(rank), world_size=int(world), backend="gloo")
    found = {name: compare(name, Path(folder), group) for name in MODELS}
    if rank == "0":
        (Path(folder) / "found.json").write_text(json.dumps(found))
    dist.barrier()
    os._exit(0)


if __name__ == "__main__":
    main()
