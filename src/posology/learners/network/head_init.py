"""Where the heads of diagnosis, progression and time to event begin: at the training rates."""

import torch
from torch import Tensor

from posology.learners.network.losses import Targets
from posology.nn.network import Network


def init_heads_at_rates(network: Network, targets: Targets) -> None:
    """Set each head to say what is usual of everybody, so that only what tells patients apart is
    left to learn: rare events would else take most of the first epochs to be rare."""
    tasks = network.config.tasks
    rates = {"progression": torch.zeros(tasks.progressions)}
    known = ~targets.diagnosis.isnan()
    came = torch.where(known, targets.diagnosis, 0.0).sum(0)
    rates["diagnosis"] = _log_odds(came, known.sum(0))
    at = torch.arange(tasks.intervals, device=targets.intervals_survived.device)
    survived, happened = targets.intervals_survived[..., None], targets.event_observed[..., None]
    came = ((survived == at) & happened).sum(0)
    rates["hazard"] = _log_odds(came, (survived > at).sum(0) + came).flatten()
    with torch.no_grad():
        for name, head in network.tasks.linear_heads().items():
            head.weight.zero_()
            head.bias.copy_(rates[name])


def _log_odds(came: Tensor, watched: Tensor) -> Tensor:
    """With one that came and one that did not added (Laplace)."""
    return torch.log((came + 1.0) / (watched - came + 1.0))
