"""What is to come as a sum of what is known: the part that little data can tell."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch
from posology.nn.last_observation import sum_last_events

FEATURES_PER_CODE, TIME_GAPS = 4, 2
"""What is told of a code, and of a decision's moment."""


class AdditiveHead(nn.Module):
    """y(decision) = sum over codes known of E[code] + v V[code] + n N[code] + m M[code], + G gap

    v is the last event's number, n log(1 + how often the code came), m the mean of its numbers: one
    measurement says less than all of them, as a laboratory's error is averaged out. gap holds how
    long ago the step before and the first one were. Additive, as logistic regression and Cox's
    model are.
    """

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.effect = nn.Parameter(torch.zeros(FEATURES_PER_CODE, codes, width))
        self.gap = nn.Parameter(torch.zeros(TIME_GAPS, width))

    def forward(self, batch: Batch) -> Float[Tensor, "decision width"]:
        """One vector a decision."""
        assert batch.running_stats is not None
        kinds = event_features(batch.value, batch.running_stats).unbind(1)
        parts = [
            x[:, None] * F.embedding(batch.code, effect)
            for x, effect in zip(kinds, self.effect, strict=True)
        ]
        first = (torch.cumsum(batch.steps, 0) - batch.steps)[batch.decision_subject]
        gap = batch.gap[first + batch.decision_step]
        return sum_last_events(batch, torch.stack(parts).sum(0)).float() + gap @ self.gap


def event_features(
    value: Float[Tensor, " event"], so_far: Float[Tensor, "event 2"]
) -> Float[Tensor, "event kind"]:
    """1, v, n and m of each event; 0 where there is no number."""
    v = torch.nan_to_num(value)
    return torch.stack([torch.ones_like(v), v, *torch.nan_to_num(so_far).unbind(1)], 1)
