"""What is known of a patient at each decision: the last event of every code, however old."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from posology.nn.batch import Batch
from posology.nn.ragged import step_of_row

DECAY_DAYS = 182.6
"""Days in which news grows old by a factor e: what is being taken is told from what once was. Our
choice."""


DECADE_DAYS = 3652.5
"""Days. What began long ago is told by how long ago: the patient's age, a disease's duration."""


class LastObservationEffects(nn.Module):
    """y(decision) = sum over codes known of
    E[code] + v V[code] + exp(-age / half a year) S[code] + age / decade L[code]

    v and the age are the last event's; where its step has several, each counts. Linear, so that a
    small effect can be told from little data. One pass: each event is added at its step, taken
    away where its code is told anew, and summed along the patient, in double precision so that
    other patients of the batch change nothing.
    """

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.code = nn.Parameter(torch.zeros(codes, width))
        self.value = nn.Parameter(torch.zeros(codes, width))
        self.recent = nn.Parameter(torch.zeros(codes, width))
        self.long = nn.Parameter(torch.zeros(codes, width))

    def forward(self, batch: Batch) -> Float[Tensor, "decision width"]:
        """One vector a decision."""
        told = torch.nan_to_num(batch.value)[:, None]
        said = F.embedding(batch.code, self.code) + told * F.embedding(batch.code, self.value)
        long, decades = F.embedding(batch.code, self.long).double(), _day(batch) / DECADE_DAYS
        new = step_of_row(batch.event_starts, len(decades), len(batch.code))
        since = torch.cat([said.double() - long * decades[new, None], long], 1)
        fixed, growing = sum_last_events(batch, since).chunk(2, 1)
        fading = sum_decayed_events(batch, F.embedding(batch.code, self.recent))
        return (fixed + decades[_ends(batch)[1], None] * growing + fading).float()

    def squared_norm(self) -> Float[Tensor, ""]:
        """Sum of the squares of all effects."""
        return torch.stack([part.square().sum() for part in self.parameters()]).sum()


def sum_last_events(
    batch: Batch, said: Float[Tensor, "event width"]
) -> Float[Tensor, "decision width"]:
    """Sum over the last events of every code of what each says."""
    new, old = _told_anew(batch)
    told = said.double()
    change = told.new_zeros(len(batch.gap), told.shape[1])
    return _summed(batch, change.index_add(0, new, told).index_add(0, old, -told[batch.replaced]))


def sum_decayed_events(
    batch: Batch, said: Float[Tensor, "event width"]
) -> Float[Tensor, "decision width"]:
    """Sum over the last events of every code of what is left of what each says while new."""
    new, old = _told_anew(batch)
    age, told = _day(batch) / DECAY_DAYS, said.double()
    left = torch.exp(age[new[batch.replaced]] - age[old])[:, None]
    change = told.new_zeros(len(age), told.shape[1]).index_add(0, new, told)
    change = change.index_add(0, old, -left * told[batch.replaced])
    return _fading(change, age, batch.steps)[_ends(batch)[1]]


def last_observation_columns(batch: Batch, codes: int) -> Float[Tensor, "decision column"]:
    """What a LastKnown weighs, itself: presence, number, recency and age of every code, in order.

    Memory grows with the vocabulary.
    """
    new, old = _told_anew(batch)
    day = _day(batch)
    age, last = day / DECAY_DAYS, _ends(batch)[1]
    place = torch.cat([new * codes + batch.code, old * codes + batch.code[batch.replaced]])

    def change(added: Tensor, taken: Tensor) -> Float[Tensor, "step code"]:
        flat = added.new_zeros(len(day) * codes)
        return flat.index_add_(0, place, torch.cat([added, -taken])).view(len(day), codes)

    def known(amount: Tensor) -> Float[Tensor, "decision code"]:
        return _summed(batch, change(amount, amount[batch.replaced]))

    one = torch.ones_like(batch.value, dtype=torch.float64)
    left = torch.exp(age[new[batch.replaced]] - age[old])
    present, number = known(one), known(torch.nan_to_num(batch.value.double()))
    recent = _fading(change(one, left), age, batch.steps)[last]
    decades = day[last, None] / DECADE_DAYS * present + known(-day[new] / DECADE_DAYS)
    return torch.cat([present, number, recent, decades], 1)


def _summed(batch: Batch, change: Float[Tensor, "step width"]) -> Float[Tensor, "decision width"]:
    """Of all changes up to each decision."""
    total = torch.cumsum(torch.cat([torch.zeros_like(change[:1]), change]), 0)
    first, last = _ends(batch)
    return total[last + 1] - total[first]


def _fading(
    change: Float[Tensor, "step width"],
    age: Float[Tensor, " step"],
    steps: Int64[Tensor, " subject"],
) -> Float[Tensor, "step width"]:
    """y(step) = exp(age before - age) y(step before) + change(step) along each subject.

    By doubling (Hillis and Steele 1986, doi:10.1145/7902.7903): no factor is above 1, as a sum of
    exp(age) over a life would lose every digit, and its gradient with it.
    """
    kept = torch.exp(torch.cat([age[:1], age[:-1]]) - age)
    kept[torch.cumsum(steps, 0) - steps] = 0.0
    y, left, apart = change, kept[:, None], 1
    while apart < int(steps.max()):
        y = torch.cat([y[:apart], y[apart:] + left[apart:] * y[:-apart]])
        left = torch.cat([torch.zeros_like(left[:apart]), left[apart:] * left[:-apart]])
        apart *= 2
    return y


def _day(batch: Batch) -> Float[Tensor, " step"]:
    """Days since the subject's first dated step."""
    return torch.expm1(batch.gap[:, 1].double())


def _ends(batch: Batch) -> tuple[Int64[Tensor, " decision"], Int64[Tensor, " decision"]]:
    """The first step and the last visible one of each decision."""
    first = (torch.cumsum(batch.steps, 0) - batch.steps)[batch.decision_subject]
    return first, first + batch.decision_step


def _told_anew(batch: Batch) -> tuple[Int64[Tensor, " event"], Int64[Tensor, " replaced"]]:
    """The step of each event, and that at which each replaced event's code is told anew."""
    assert batch.replaced is not None
    assert batch.replaced_starts is not None
    steps = len(batch.gap)
    new = step_of_row(batch.event_starts, steps, len(batch.code))
    return new, step_of_row(batch.replaced_starts, steps, len(batch.replaced))
