"""Causal attention: each decision looks back over the states up to its last visible step."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from posology.nn.batch import Batch
from posology.nn.ragged import Padded, layout, ragged_range


class Seen(NamedTuple):
    """What the decisions of subjects with about as many steps looked at."""

    decision: Int64[Tensor, " some_decision"]
    """Rows of the decisions."""
    weight: Float[Tensor, "some_decision longest"]
    """Over their subjects' steps, 0 after the last visible one."""


class Attended(NamedTuple):
    """What every decision looked at."""

    context: Float[Tensor, "decision state"]
    last: Int64[Tensor, " decision"]
    """Position of the decision's last visible step among its subject's."""
    blocks: tuple[Seen, ...]

    def weight(self) -> Float[Tensor, " visible"]:
        """Weights of the visible steps, decision by decision; each decision's sum to 1."""
        counts = self.last + 1
        starts = torch.cumsum(counts, 0) - counts
        flat = self.context.new_empty(int(counts.sum()))
        for block in self.blocks:
            mine = counts[block.decision]
            inside = torch.arange(block.weight.shape[1], device=mine.device) < mine[:, None]
            flat[ragged_range(starts[block.decision], mine)] = block.weight[inside]
        return flat


class Attention(nn.Module):
    """Scaled dot-product attention (Vaswani et al. 2017, equation 1); the last state asks."""

    def __init__(self, state: int) -> None:
        super().__init__()
        self.query = nn.Linear(state, state, bias=False)
        self.key = nn.Linear(state, state, bias=False)

    def forward(self, states: Float[Tensor, "step state"], batch: Batch) -> Attended:
        """Attend from each decision's last visible step over its subject's steps up to it."""
        first = torch.cumsum(batch.steps, 0) - batch.steps
        asked = self.query(
            states.index_select(0, first[batch.decision_subject] + batch.decision_step)
        )
        both = torch.cat([self.key(states), states], 1)
        # Decisions by subject, so that a subject's stand together whatever the order asked in.
        order = torch.argsort(batch.decision_subject, stable=True)
        counts = torch.bincount(batch.decision_subject, minlength=len(batch.steps))
        asked, upto = asked.index_select(0, order), batch.decision_step[order]
        blocks, parts = [], []
        for group in layout(batch.steps):
            askers = _askers(counts, group)
            keys, values = group.pad(both).chunk(2, 2)
            weight = _weights(askers.pad(asked), keys, askers.pad(upto[:, None].float())[..., 0])
            parts.append(askers.flat(weight @ values))
            blocks.append(Seen(order[askers.step], askers.flat(weight)))
        rows = torch.cat([block.decision for block in blocks])
        found = torch.cat(parts)
        context = torch.zeros_like(found).index_copy(0, rows, found)
        return Attended(context, batch.decision_step, tuple(blocks))


def _askers(counts: Int64[Tensor, " subject"], group: Padded) -> Padded:
    """The decisions of a group's subjects as a block, one row a subject."""
    starts = (torch.cumsum(counts, 0) - counts)[group.run]
    mine = counts[group.run]
    most = int(mine.max())
    row = torch.arange(len(mine), device=mine.device) * most
    return Padded(group.run, most, ragged_range(starts, mine), ragged_range(row, mine))


def _weights(
    asked: Float[Tensor, "subject asker state"],
    keys: Float[Tensor, "subject longest state"],
    upto: Float[Tensor, "subject asker"],
) -> Float[Tensor, "subject asker longest"]:
    score = asked @ keys.transpose(1, 2) / math.sqrt(keys.shape[2])
    later = torch.arange(keys.shape[1], device=keys.device) > upto[:, :, None]
    return torch.softmax(score.masked_fill(later, -torch.inf), 2)
