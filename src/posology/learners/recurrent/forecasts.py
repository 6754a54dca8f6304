"""The first phase: what the clinicians choose, what is seen next, the reward and the return."""

import copy

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from posology.learners.recurrent.dataset import Batch, SequenceData, gather
from posology.learners.recurrent.minimise import endless_batches, minimise
from posology.learners.recurrent.network import RecurrentEnsemble, RecurrentOutput
from posology.learners.recurrent.schedule import Schedule

AT_ONCE = 512
"""Validation patients in a batch."""


def learn_forecasts(
    network: RecurrentEnsemble,
    data: SequenceData,
    check: SequenceData,
    schedule: Schedule,
    rng: np.random.Generator,
) -> None:
    """Keep the weights of the pass with the least loss on the patients of `check`."""

    def total(batch: Batch) -> Tensor:
        return sum(_first_losses(network, batch).values(), torch.zeros(()))

    best, least = copy.deepcopy(network.state_dict()), np.inf

    def validate() -> None:
        nonlocal best, least
        losses = validation_losses(network, check)
        if losses and (now := sum(losses.values())) < least:
            best, least = copy.deepcopy(network.state_dict()), now

    batches = endless_batches(data, schedule.batch, rng, validate)
    minimise(network, total, batches, schedule.first, schedule)
    validate()
    if np.isfinite(least):
        network.load_state_dict(best)


def validation_losses(network: RecurrentEnsemble, check: SequenceData) -> dict[str, float]:
    """Each loss of the first phase, as `forecast_losses`, on these patients; none without any."""
    network.eval()
    total: dict[str, float] = {}
    with torch.no_grad():
        for start in range(0, len(check), AT_ONCE):
            patients = np.arange(start, min(start + AT_ONCE, len(check)))
            for name, loss in _first_losses(network, gather(check, patients)).items():
                total[name] = total.get(name, 0.0) + float(loss) * len(patients) / len(check)
    network.train()
    return total


def _first_losses(network: RecurrentEnsemble, batch: Batch) -> dict[str, Tensor]:
    output = network(batch.visits, batch.treatment)
    error = (value_of_treatment(output.value, batch) - batch.returns.nan_to_num()).square()
    known = usable_rows(batch) & ~batch.returns.isnan()
    return {**forecast_losses(output, batch), "return": mean_loss(error, known, batch)}


def forecast_losses(output: RecurrentOutput, batch: Batch) -> dict[str, Tensor]:
    """Of the clinicians' choice, the next visit and the reward; means over decisions."""
    members = len(output.value)
    given = batch.treatment >= 0
    logits = output.choice.transpose(1, 2)
    chosen = batch.treatment.clamp_min(0).expand(members, -1)
    choice = F.cross_entropy(logits, chosen, reduction="none")
    reward = (value_of_treatment(output.reward, batch) - batch.reward.nan_to_num()).square()
    following = (output.following - batch.following).square().mean(2)
    return {
        "choice": mean_loss(choice, given, batch),
        "reward": mean_loss(reward, usable_rows(batch), batch),
        "following": mean_loss(following, given & batch.has_next, batch),
    }


def usable_rows(batch: Batch) -> Bool[Tensor, " decision"]:
    """Decisions whose treatment and reward are known, with a weight."""
    return (batch.treatment >= 0) & ~batch.reward.isnan() & (batch.weight > 0)


def value_of_treatment(
    values: Float[Tensor, "member decision treatment"], batch: Batch
) -> Float[Tensor, "member decision"]:
    """The value of the treatment given."""
    chosen = batch.treatment.clamp_min(0).expand(values.shape[0], -1)
    return values.gather(2, chosen[..., None])[..., 0]


def mean_loss(
    loss: Float[Tensor, "member decision"], rows: Bool[Tensor, " decision"], batch: Batch
) -> Float[Tensor, ""]:
    """Weighted mean over decisions; sum over members, each of which learns for itself."""
    if not bool(rows.any()):
        return loss.nan_to_num().sum() * 0.0
    weight = batch.weight[rows]
    return (loss[:, rows].sum(0) * weight).sum() / weight.sum().clamp_min(1e-6)
