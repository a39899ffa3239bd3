"""A model before it is trained: tried on its first batch, and given the optimizer that its gradients allow."""

import torch
from torch import nn

from bench.learn import first_batch
from bench.learn import recipe as recipes
from bench.learn.batches import Batches
from bench.learn.data import DataSet
from bench.plan import Workload
from bench.recipe import Recipe
from bench.worker.train import autocast


def try_out(workload: Workload, plain: nn.Module, batches: Batches, data: DataSet) -> None:
    """A user's model, in the numbers that it is trained in.

    Raises:
        WorkloadError: it cannot be trained on this data; with what helps.
    """
    images, *_ = next(iter(batches))
    with autocast(workload.precision, images.device):
        first_batch.begin(
            workload.model,
            plain,
            images,
            data.classes,
            evaluated=workload.epochs is not None,
            shape_is_free=workload.data == "synthetic",
        )


def optimizer_of(
    workload: Workload, recipe: Recipe, plain: nn.Module, batches: Batches
) -> tuple[torch.optim.Optimizer, list[str]]:
    """The recipe's, and what is to be said of it. Whether gradients are sparse is tried where the model is the user's.

    Raises:
        WorkloadError: torch has no such update for these weights.
    """
    users = first_batch.is_users(workload.model)
    sparse = recipes.sparse_weights(plain, next(iter(batches))[0][:2]) if users else []
    warnings = [f"{recipes.UNFUSED} ({', '.join(sparse[:3])})"] if sparse else []
    return recipes.optimizer(plain, recipe, sparse), warnings
