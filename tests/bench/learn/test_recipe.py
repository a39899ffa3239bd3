"""Torch's own optimizer and loss, as the recipe says."""

import threading

import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.learn import WorkloadError, recipe
from bench.recipe import Recipe


def trained(optimizer, model, steps=5):
    torch.manual_seed(0)
    inputs, labels = torch.randn(16, 4), torch.randint(0, 3, (16,))
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    return model.weight.detach()


def linear():
    torch.manual_seed(1)
    return nn.Linear(4, 3)


def test_every_number_of_the_recipe_reaches_the_optimizer():
    found = Recipe(learning_rate=0.3, momentum=0.8, weight_decay=0.01, nesterov=True)
    ours, plain = linear(), linear()
    by_hand = torch.optim.SGD(plain.parameters(), lr=0.3, momentum=0.8, weight_decay=0.01, nesterov=True)
    assert torch.allclose(trained(recipe.optimizer(ours, found), ours), trained(by_hand, plain), atol=1e-6)


def test_frozen_weights_are_left_alone_and_nothing_to_train_is_an_error():
    model = linear()
    model.weight.requires_grad_(False)
    assert len(recipe.optimizer(model, Recipe()).param_groups[0]["params"]) == 1
    with pytest.raises(WorkloadError, match="no trainable parameters"):
        recipe.optimizer(nn.Flatten(), Recipe())


def test_numbers_that_torch_refuses_are_told_as_the_recipes():
    with pytest.raises(WorkloadError, match="The recipe cannot be used: Nesterov"):
        recipe.optimizer(linear(), Recipe(momentum=0.0, nesterov=True))


def test_adamw_gets_its_betas_and_is_torchs():
    found = Recipe(optimizer="adamw", learning_rate=0.02, betas=(0.8, 0.95), weight_decay=0.1)
    ours, plain = linear(), linear()
    by_hand = torch.optim.AdamW(plain.parameters(), lr=0.02, betas=(0.8, 0.95), weight_decay=0.1)
    assert torch.allclose(trained(recipe.optimizer(ours, found), ours), trained(by_hand, plain), atol=1e-6)


def test_decay_of_weights_spares_biases_and_the_scales_and_shifts_of_norms():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.LayerNorm([4, 2, 2]),
        nn.GroupNorm(2, 4),
        nn.Flatten(),
        nn.Linear(16, 2),
    )
    optimizer = recipe.optimizer(model, Recipe(weight_decay=0.5, decay="weights"))
    decaying = {
        name
        for name, each in model.named_parameters()
        for group in optimizer.param_groups
        if group["weight_decay"] and any(each is other for other in group["params"])
    }
    assert decaying == {"0.weight", "5.weight"}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(model.parameters()))
    assert [group["weight_decay"] for group in recipe.optimizer(model, Recipe(weight_decay=0.5)).param_groups] == [0.5]


def test_a_model_of_biases_alone_has_one_group():
    assert len(recipe.optimizer(nn.BatchNorm2d(3), Recipe(weight_decay=0.5, decay="weights")).param_groups) == 1


def test_label_smoothing_reaches_the_loss():
    logits, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    right, wrong = -torch.log_softmax(logits, 1)[0]
    smoothed = recipe.loss_function(0.2)(logits, labels)
    assert smoothed.item() == pytest.approx(0.9 * right.item() + 0.1 * wrong.item())


class Table(nn.Module):
    """Sparse by its layer, or by a function that no layer tells of."""

    def __init__(self, by_layer: bool) -> None:
        super().__init__()
        self.table, self.head, self.by_layer = nn.EmbeddingBag(9, 4, sparse=by_layer), nn.Linear(4, 2), by_layer

    def forward(self, x):
        ids = x.flatten(1).abs().long().clamp(0, 8)
        embedded = (
            self.table(ids) if self.by_layer else functional.embedding(ids, self.table.weight, sparse=True).mean(1)
        )
        return self.head(embedded)


PICTURES = torch.rand(2, 1, 2, 2)


@pytest.mark.parametrize("by_layer", [True, False])
def test_sparse_gradients_are_seen_before_training_and_trained_without_the_fused_update(by_layer):
    model = Table(by_layer)
    sparse = recipe.sparse_weights(model, PICTURES)
    assert sparse == ["table.weight"]
    made = recipe.optimizer(model, Recipe(momentum=0.9), sparse)
    before = model.table.weight.detach().clone()
    for _ in range(2):
        made.zero_grad()
        model(PICTURES).sum().backward()
        made.step()
    assert not torch.equal(model.table.weight, before)


def test_dense_gradients_keep_the_fused_update():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    assert recipe.sparse_weights(model, PICTURES) == []
    assert recipe.optimizer(model, Recipe(), []).defaults["fused"]


def test_a_model_that_cannot_be_tried_is_asked_for_what_its_layers_say():
    model = Table(by_layer=True)
    model.lock = threading.Lock()
    assert recipe.sparse_weights(model, PICTURES) == ["table.weight"]


@pytest.mark.parametrize(
    ("asked", "what"), [(Recipe(optimizer="adamw"), "AdamW"), (Recipe(weight_decay=1e-3), "weight decay")]
)
def test_what_torch_cannot_do_with_sparse_gradients_is_refused_before_the_window(asked, what):
    with pytest.raises(WorkloadError, match=rf"table\.weight are sparse, and torch has no {what}") as caught:
        recipe.optimizer(Table(by_layer=True), asked, ["table.weight"])
    assert "sparse=False" in caught.value.hint
