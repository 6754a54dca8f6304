"""Task heads before and after descent: initial rates, shrinkage and prediction error."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from posology.learners.network.losses import Targets, loss_by_target
from posology.learners.network.policy import Decoding
from posology.learners.network.tensors import CohortTensors, average_tasks, iterate_batches
from posology.nn.network import Network

SHRINKAGES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Candidate shares of what descent changed in a head. The head of a rare harm has learned mostly
noise; that of a frequent event, what an additive head cannot express."""
COVERAGE = 0.95
"""Share of future values inside the prediction interval of a progression."""


def init_heads_at_rates(network: Network, targets: Targets) -> None:
    """Set each head to predict the training rates.

    Otherwise most of the first epochs would be spent on learning that rare events are rare.
    """
    tasks = network.config.tasks
    rates = {"progression": torch.zeros(tasks.progressions)}
    known = torch.where(targets.diagnosis.isnan(), 0.0, targets.diagnosis_weight)
    cases = (torch.nan_to_num(targets.diagnosis) * known).sum(0)
    rates["diagnosis"] = _log_odds(cases, known.sum(0))
    interval = torch.arange(tasks.intervals, device=targets.intervals_survived.device)
    survived, observed = targets.intervals_survived[..., None], targets.event_observed[..., None]
    cases = ((survived == interval) & observed).sum(0)
    rates["hazard"] = _log_odds(cases, (survived - interval).clamp(0, 1).sum(0) + cases).flatten()
    with torch.no_grad():
        for name, head in network.tasks.linear_heads().items():
            head.weight.zero_()
            head.bias.copy_(rates[name])


def _log_odds(cases: Tensor, total: Tensor) -> Tensor:
    """Log odds with one case and one non-case added (Laplace)."""
    return torch.log((cases + 1.0) / (total - cases + 1.0))


def initial_biases(network: Network) -> dict[str, Tensor]:
    """Return copies of the heads' biases before descent, when their weights are 0.

    Empty without an additive head, to which the heads could shrink.
    """
    if network.additive_head is None:
        return {}
    return {name: head.bias.detach().clone() for name, head in network.tasks.linear_heads().items()}


@torch.no_grad()
def shrink_heads(network: Network, start: dict[str, Tensor], validation: CohortTensors) -> None:
    """Shrink each target's head towards its start by the share that validates best.

    start: from `initial_biases`; nothing changes where it is empty.
    """
    if not start:
        return
    heads = network.tasks.linear_heads()
    trained = {name: (h.weight.clone(), h.bias.clone()) for name, h in heads.items()}

    def move(share: Float[Tensor, " target"]) -> None:
        shares = network.tasks.split_by_task(share)
        for name, head in heads.items():
            weight, bias = trained[name]
            repeated = shares[name].repeat_interleave(bias.shape[1] // len(shares[name]))
            head.weight.copy_(weight * repeated)
            head.bias.copy_(torch.lerp(start[name], bias, repeated))

    targets = sum(network.config.tasks.targets)
    device = next(network.parameters()).device
    losses = []
    for share in SHRINKAGES:
        move(torch.full((targets,), share, device=device))
        losses.append(_total_loss(network.eval(), validation))
    move(torch.tensor(SHRINKAGES, device=device)[torch.stack(losses).argmin(0)])


def _total_loss(network: Network, validation: CohortTensors) -> Float[Tensor, " target"]:
    """Each target's loss of the members' mean, summed over decisions."""
    parts = [
        loss_by_target(average_tasks(network(batch).tasks), targets)[0].double()
        for batch, targets in iterate_batches(validation)
    ]
    return torch.stack(parts).sum(0)


def with_progression_error(
    decoding: Decoding, network: Network, validation: CohortTensors
) -> Decoding:
    """Return the decoding with the half-width of each progression's prediction interval.

    Split conformal prediction (Lei et al. 2018, doi:10.1080/01621459.2017.1307116, algorithm 2):
    the quantile of the validation errors that covers COVERAGE of them; None if they are too few.
    """
    if not decoding.progression_center:
        return decoding
    errors = []
    with torch.no_grad():
        for batch, targets in iterate_batches(validation):
            predicted = network(batch).tasks.progression.mean(1)
            errors.append((predicted - targets.progression).abs())
    error = torch.cat(errors).double().cpu().numpy() * np.array(decoding.progression_spread)
    return replace(decoding, progression_error=tuple(_conformal(column) for column in error.T))


def _conformal(error: np.ndarray) -> float | None:
    known = np.sort(error[~np.isnan(error)])
    rank = int(np.ceil(COVERAGE * (len(known) + 1)))
    return float(known[rank - 1]) if rank <= len(known) else None
