"""How much of what a task's head learned is kept: what validation patients are better off with."""

import torch
from jaxtyping import Float
from torch import Tensor

from posology.learners.network.losses import loss_by_target
from posology.learners.network.tensors import CohortTensors, average_tasks, iterate_batches
from posology.nn.network import Network

SHRINKAGES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the way from where a head began to where it ended. A head of a rare harm has learned mostly
its noise; one of a frequent event, what a sum cannot tell."""

Begun = dict[str, Tensor]
"""Biases of the heads where learning began, when their weights were 0."""


def initial_biases(network: Network) -> Begun:
    """Where the heads begin; nothing where they have no sum to fall back on."""
    if network.additive_head is None:
        return {}
    return {name: head.bias.detach().clone() for name, head in network.tasks.linear_heads().items()}


@torch.no_grad()
def shrink_heads(network: Network, start: Begun, validation: CohortTensors) -> None:
    """Move each head back to its best share of the way, target by target."""
    if not start:
        return
    heads = network.tasks.linear_heads()
    ended = {name: (h.weight.clone(), h.bias.clone()) for name, h in heads.items()}

    def move(share: Float[Tensor, " target"]) -> None:
        shares = network.tasks.split_by_task(share)
        for name, head in heads.items():
            weight, bias = ended[name]
            of = shares[name].repeat_interleave(bias.shape[1] // len(shares[name]))
            head.weight.copy_(weight * of)
            head.bias.copy_(torch.lerp(start[name], bias, of))

    targets = sum(network.config.tasks.targets)
    device = next(network.parameters()).device
    losses = []
    for share in SHRINKAGES:
        move(torch.full((targets,), share, device=device))
        losses.append(_loss(network.eval(), validation))
    move(torch.tensor(SHRINKAGES, device=device)[torch.stack(losses).argmin(0)])


def _loss(network: Network, validation: CohortTensors) -> Float[Tensor, " target"]:
    """Of the members' mean, each target's sum over decisions."""
    parts = [
        loss_by_target(average_tasks(network(batch).tasks), targets)[0].double()
        for batch, targets in iterate_batches(validation)
    ]
    return torch.stack(parts).sum(0)
