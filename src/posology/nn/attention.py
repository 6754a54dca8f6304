"""Causal attention: each decision looks back over the states up to its last visible step."""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from posology.nn.batch import Batch, split_by_budget
from posology.nn.ragged import PaddedBlock, group_by_length, ragged_range

WINDOW = 96
"""Steps of the subjects that a CPU looks at together; measured on one machine."""


class AttentionBlock(NamedTuple):
    """What some decisions looked at."""

    decision: Int64[Tensor, " some_decision"]
    """Rows of the decisions."""
    first: Int64[Tensor, " some_decision"]
    """Column of their subject's first step."""
    weight: Float[Tensor, "some_decision column"]
    """Over steps; 0 on other subjects' and after the last visible one."""


class AttentionOutput(NamedTuple):
    """What every decision looked at."""

    context: Float[Tensor, "decision state"]
    last: Int64[Tensor, " decision"]
    """Position of the decision's last visible step among its subject's."""
    blocks: tuple[AttentionBlock, ...]

    def weights(self) -> Float[Tensor, " visible"]:
        """Weights of the visible steps, decision by decision; each decision's sum to 1."""
        counts = self.last + 1
        starts = torch.cumsum(counts, 0) - counts
        flat = self.context.new_empty(int(counts.sum()))
        for block in self.blocks:
            mine = counts[block.decision]
            column = torch.arange(block.weight.shape[1], device=mine.device)
            inside = _between(column, block.first, block.first + mine - 1)
            flat[ragged_range(starts[block.decision], mine)] = block.weight[inside]
        return flat


class Attention(nn.Module):
    """Scaled dot-product attention (Vaswani et al. 2017, equation 1); the last state asks."""

    def __init__(self, state: int) -> None:
        super().__init__()
        self.query = nn.Linear(state, state, bias=False)
        self.key = nn.Linear(state, state, bias=False)

    def forward(
        self,
        states: Float[Tensor, "step state"],
        now: Float[Tensor, "decision state"],
        batch: Batch,
    ) -> AttentionOutput:
        """Attend from each decision over its subject's steps up to its last visible one.

        now: the state at that step.
        """
        asked = self.query(now)
        look = _windows if states.device.type == "cpu" else _padded
        context, blocks = look(asked, self.key(states), states, batch)
        return AttentionOutput(context, batch.decision_step, blocks)


def _windows(
    asked: Float[Tensor, "decision state"],
    keys: Float[Tensor, "step state"],
    states: Float[Tensor, "step state"],
    batch: Batch,
) -> tuple[Float[Tensor, "decision state"], tuple[AttentionBlock, ...]]:
    """Neighbours together, others' steps masked: for few steps cheaper than to pad each subject."""
    steps, subject = batch.steps.numpy(), batch.decision_subject.numpy()
    runs = split_by_budget(steps, len(steps), WINDOW)
    opens = [run.start for run in runs]
    sizes = np.add.reduceat(steps, opens)
    counts = np.diff(np.searchsorted(subject, [*opens, len(steps)])).tolist()
    first = (np.cumsum(steps) - steps)[subject] - np.repeat(np.cumsum(sizes) - sizes, counts)
    last = first + batch.decision_step.numpy()
    parts = asked.split(counts), keys.split(sizes.tolist()), states.split(sizes.tolist())
    seen, blocks, done = [], [], 0
    for a, k, s, count in zip(*parts, counts, strict=True):
        rows, column = slice(done, done + count), np.arange(len(k))
        low, high = first[rows, None], last[rows, None]
        hidden = np.where((column < low) | (column > high), -np.inf, 0.0)
        bias = torch.from_numpy(hidden).to(a.dtype)
        weight = torch.softmax(torch.addmm(bias, a, k.t(), alpha=a.shape[1] ** -0.5), 1)
        seen.append(weight @ s)
        decision = torch.arange(done, done + count)
        blocks.append(AttentionBlock(decision, torch.from_numpy(first[rows]), weight))
        done += count
    return torch.cat(seen), tuple(blocks)


def _padded(
    asked: Float[Tensor, "decision state"],
    keys: Float[Tensor, "step state"],
    states: Float[Tensor, "step state"],
    batch: Batch,
) -> tuple[Float[Tensor, "decision state"], tuple[AttentionBlock, ...]]:
    """Subjects of about the same length as one block: few operations however many steps."""
    counts = torch.bincount(batch.decision_subject, minlength=len(batch.steps))
    both = torch.cat([keys, states], 1)
    upto = batch.decision_step
    blocks, parts = [], []
    for group in group_by_length(batch.steps):
        askers = _askers(counts, group)
        k, s = group.pad(both).chunk(2, 2)
        last = askers.pad(upto[:, None].float())[..., 0]
        later = torch.arange(k.shape[1], device=k.device) > last[:, :, None]
        score = askers.pad(asked) @ k.transpose(1, 2) / math.sqrt(k.shape[2])
        weight = torch.softmax(score.masked_fill(later, -torch.inf), 2)
        parts.append(askers.unpad(weight @ s))
        blocks.append(
            AttentionBlock(askers.rows, torch.zeros_like(askers.rows), askers.unpad(weight))
        )
    found = torch.cat(parts)
    rows = torch.cat([block.decision for block in blocks])
    return torch.zeros_like(found).index_copy(0, rows, found), tuple(blocks)


def _askers(counts: Int64[Tensor, " subject"], group: PaddedBlock) -> PaddedBlock:
    """The decisions of a group's subjects as a block, one row a subject."""
    starts = (torch.cumsum(counts, 0) - counts)[group.runs]
    mine = counts[group.runs]
    most = int(mine.max())
    row = torch.arange(len(mine), device=mine.device) * most
    return PaddedBlock(group.runs, most, ragged_range(starts, mine), ragged_range(row, mine))


def _between(
    column: Int64[Tensor, " column"], low: Int64[Tensor, " row"], high: Int64[Tensor, " row"]
) -> Tensor:
    """Which columns each row's range holds, both ends included."""
    return (column >= low[:, None]) & (column <= high[:, None])
