"""Sums over the last event of every code known at a decision, however old."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch
from posology.nn.ragged import step_of_row

DECAY_DAYS = 182.6
"""Time constant of the recency term: it separates current from former treatments. Our choice."""
DECADE_DAYS = 3652.5
"""Unit of the age term, which expresses the patient's age and the duration of a disease."""


class LastObservationEffects(nn.Module):
    """y(decision) = sum over known codes of
    E[code] + v V[code] + exp(-age / half a year) S[code] + age / decade L[code]

    v and age are those of the code's last event; if its step has several, each counts. Linear, so
    that small effects can be learned from little data. One pass: each event is added at its step
    and subtracted where its code recurs, then summed along the patient, in double precision so that
    other patients of the batch have no effect.
    """

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.zeros(codes, width))
        self.value = nn.Parameter(torch.zeros(codes, width))
        self.recent = nn.Parameter(torch.zeros(codes, width))
        self.long = nn.Parameter(torch.zeros(codes, width))

    def forward(self, batch: Batch) -> Float[Tensor, "decision width"]:
        """Return one vector per decision."""
        value = torch.nan_to_num(batch.value)[:, None]
        effect = F.embedding(batch.code, self.code) + value * F.embedding(batch.code, self.value)
        long, decades = F.embedding(batch.code, self.long).double(), _days(batch) / DECADE_DAYS
        step = step_of_row(batch.event_starts, len(decades), len(batch.code))
        both = torch.cat([effect.double() - long * decades[step, None], long], 1)
        constant, slope = sum_last_events(batch, both).chunk(2, 1)
        recent = sum_decayed_events(batch, F.embedding(batch.code, self.recent))
        return (constant + decades[_visible_range(batch)[1], None] * slope + recent).float()

    def squared_norm(self) -> Float[Tensor, ""]:
        """Return the sum of the squares of all effects."""
        return torch.stack([part.square().sum() for part in self.parameters()]).sum()


def sum_last_events(
    batch: Batch, x: Float[Tensor, "event width"]
) -> Float[Tensor, "decision width"]:
    """Return the sum of x over the last events of every code."""
    new, old = _event_steps(batch)
    x = x.double()
    change = x.new_zeros(len(batch.gap), x.shape[1])
    return _sum_changes(batch, change.index_add(0, new, x).index_add(0, old, -x[batch.replaced]))


def sum_decayed_events(
    batch: Batch, x: Float[Tensor, "event width"]
) -> Float[Tensor, "decision width"]:
    """Return the sum of exp(-age / DECAY_DAYS) x over the last events of every code."""
    new, old = _event_steps(batch)
    age, x = _days(batch) / DECAY_DAYS, x.double()
    left = torch.exp(age[new[batch.replaced]] - age[old])[:, None]
    change = x.new_zeros(len(age), x.shape[1]).index_add(0, new, x)
    change = change.index_add(0, old, -left * x[batch.replaced])
    return _decayed_sum(change, age, batch.steps)[_visible_range(batch)[1]]


def last_observation_columns(batch: Batch, codes: int) -> Float[Tensor, "decision column"]:
    """Return the inputs that `LastObservationEffects` weighs: presence, value, recency and age.

    Each is one column per code. Memory grows with the vocabulary.
    """
    new, old = _event_steps(batch)
    day = _days(batch)
    age, last = day / DECAY_DAYS, _visible_range(batch)[1]
    place = torch.cat([new * codes + batch.code, old * codes + batch.code[batch.replaced]])

    def change(added: Tensor, removed: Tensor) -> Float[Tensor, "step code"]:
        flat = added.new_zeros(len(day) * codes)
        return flat.index_add_(0, place, torch.cat([added, -removed])).view(len(day), codes)

    def last_sum(amount: Tensor) -> Float[Tensor, "decision code"]:
        return _sum_changes(batch, change(amount, amount[batch.replaced]))

    one = torch.ones_like(batch.value, dtype=torch.float64)
    left = torch.exp(age[new[batch.replaced]] - age[old])
    present, value = last_sum(one), last_sum(torch.nan_to_num(batch.value.double()))
    recent = _decayed_sum(change(one, left), age, batch.steps)[last]
    decades = day[last, None] / DECADE_DAYS * present + last_sum(-day[new] / DECADE_DAYS)
    return torch.cat([present, value, recent, decades], 1)


def _sum_changes(
    batch: Batch, change: Float[Tensor, "step width"]
) -> Float[Tensor, "decision width"]:
    """Sum of the subject's changes up to each decision."""
    total = torch.cumsum(torch.cat([torch.zeros_like(change[:1]), change]), 0)
    first, last = _visible_range(batch)
    return total[last + 1] - total[first]


def _decayed_sum(
    change: Float[Tensor, "step width"],
    age: Float[Tensor, " step"],
    steps: Int64[Tensor, " subject"],
) -> Float[Tensor, "step width"]:
    """y(step) = exp(age before - age) y(step before) + change(step) along each subject.

    By doubling (Hillis and Steele 1986, doi:10.1145/7902.7903): no factor is above 1. A sum of
    exp(age) over a lifetime would lose all precision, and so would its gradient.
    """
    factor = torch.exp(torch.cat([age[:1], age[:-1]]) - age)
    factor[torch.cumsum(steps, 0) - steps] = 0.0
    y, left, lag = change, factor[:, None], 1
    while lag < int(steps.max()):
        y = torch.cat([y[:lag], y[lag:] + left[lag:] * y[:-lag]])
        left = torch.cat([torch.zeros_like(left[:lag]), left[lag:] * left[:-lag]])
        lag *= 2
    return y


def _days(batch: Batch) -> Float[Tensor, " step"]:
    """Days since the subject's first dated step."""
    return torch.expm1(batch.gap[:, 1].double())


def _visible_range(batch: Batch) -> tuple[Int64[Tensor, " decision"], Int64[Tensor, " decision"]]:
    """The first step and the last visible step of each decision."""
    first = (torch.cumsum(batch.steps, 0) - batch.steps)[batch.decision_subject]
    return first, first + batch.decision_step


def _event_steps(batch: Batch) -> tuple[Int64[Tensor, " event"], Int64[Tensor, " replaced"]]:
    """The step of each event, and the step at which each replaced event is replaced."""
    assert batch.replaced is not None
    assert batch.replaced_starts is not None
    steps = len(batch.gap)
    new = step_of_row(batch.event_starts, steps, len(batch.code))
    return new, step_of_row(batch.replaced_starts, steps, len(batch.replaced))
