"""Additive prediction of diagnosis, progression and time to event from the last known events."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch
from posology.nn.last_observation import sum_last_events

FEATURES_PER_CODE, TIME_GAPS = 4, 2
"""Features of a code, and of a decision's time."""


class AdditiveHead(nn.Module):
    """y(decision) = sum over known codes of E[code] + v V[code] + n N[code] + m M[code], + G gap

    v is the last event's value, n log(1 + count of the code), m the mean of its values: the mean
    averages measurement error out. gap: time since the previous step and since the first one.
    Additive, as logistic regression and Cox's model are, so that it can be learned from little
    data.
    """

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.effect = nn.Parameter(torch.zeros(FEATURES_PER_CODE, codes, width))
        self.gap = nn.Parameter(torch.zeros(TIME_GAPS, width))

    def forward(self, batch: Batch) -> Float[Tensor, "decision width"]:
        """Return one vector per decision."""
        assert batch.running_stats is not None
        features = event_features(batch.value, batch.running_stats).unbind(1)
        parts = [
            x[:, None] * F.embedding(batch.code, effect)
            for x, effect in zip(features, self.effect, strict=True)
        ]
        first = (torch.cumsum(batch.steps, 0) - batch.steps)[batch.decision_subject]
        gap = batch.gap[first + batch.decision_step]
        return sum_last_events(batch, torch.stack(parts).sum(0)).float() + gap @ self.gap


def event_features(
    value: Float[Tensor, " event"], running_stats: Float[Tensor, "event 2"]
) -> Float[Tensor, "event feature"]:
    """Return 1, v, n and m of each event; 0 where there is no value."""
    v = torch.nan_to_num(value)
    return torch.stack([torch.ones_like(v), v, *torch.nan_to_num(running_stats).unbind(1)], 1)
