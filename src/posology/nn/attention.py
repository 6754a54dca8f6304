"""Causal attention from each decision over the states up to its last visible step."""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from posology.nn.batch import Batch, split_by_budget
from posology.nn.ragged import PaddedBlock, group_by_length, ragged_range

WINDOW = 96
"""Steps of consecutive subjects that a CPU attends to in one product; measured on one machine."""


class AttentionBlock(NamedTuple):
    """Attention weights of some decisions."""

    decision: Int64[Tensor, " some_decision"]
    """Rows of the decisions."""
    first: Int64[Tensor, " some_decision"]
    """Column of the first step of the decision's subject."""
    weight: Float[Tensor, "some_decision column"]
    """Weight per step; 0 for other subjects' steps and after the last visible step."""


class AttentionOutput(NamedTuple):
    """Context and attention weights of every decision."""

    context: Float[Tensor, "decision state"]
    last: Int64[Tensor, " decision"]
    """Position of the decision's last visible step among its subject's steps."""
    blocks: tuple[AttentionBlock, ...]

    def weights(self) -> Float[Tensor, " visible"]:
        """Return the weights of the visible steps, decision by decision; each sums to 1."""
        counts = self.last + 1
        starts = torch.cumsum(counts, 0) - counts
        flat = self.context.new_empty(int(counts.sum()))
        for block in self.blocks:
            visible = counts[block.decision]
            column = torch.arange(block.weight.shape[1], device=visible.device)
            inside = _is_between(column, block.first, block.first + visible - 1)
            flat[ragged_range(starts[block.decision], visible)] = block.weight[inside]
        return flat


class Attention(nn.Module):
    """Scaled dot-product attention (Vaswani et al. 2017, equation 1); query: the last state."""

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
        """Attend from each decision over its subject's steps up to its last visible step.

        now: the state at that step.
        """
        query = self.query(now)
        if len(now) == 1:
            context, block = _attend_alone(query, self.key(states), states)
            return AttentionOutput(context, batch.decision_step, (block,))
        attend = _attend_in_windows if states.device.type == "cpu" else _attend_padded
        context, blocks = attend(query, self.key(states), states, batch)
        return AttentionOutput(context, batch.decision_step, blocks)


def _attend_alone(
    query: Float[Tensor, "1 state"],
    keys: Float[Tensor, "step state"],
    states: Float[Tensor, "step state"],
) -> tuple[Float[Tensor, "1 state"], AttentionBlock]:
    """Attend from the only decision of a batch, all of whose steps it sees."""
    weight = torch.softmax(query @ keys.t() * query.shape[1] ** -0.5, 1)
    row = torch.zeros(1, dtype=torch.int64, device=query.device)
    return weight @ states, AttentionBlock(row, row, weight)


def _attend_in_windows(
    query: Float[Tensor, "decision state"],
    keys: Float[Tensor, "step state"],
    states: Float[Tensor, "step state"],
    batch: Batch,
) -> tuple[Float[Tensor, "decision state"], tuple[AttentionBlock, ...]]:
    """Attend over consecutive subjects at once, masking other subjects' steps.

    With few steps per subject this costs less than padding each subject.
    """
    steps, subject = batch.steps.numpy(), batch.decision_subject.numpy()
    runs = split_by_budget(steps, len(steps), WINDOW)
    opens = [run.start for run in runs]
    sizes = np.add.reduceat(steps, opens)
    counts = np.diff(np.searchsorted(subject, [*opens, len(steps)])).tolist()
    first = (np.cumsum(steps) - steps)[subject] - np.repeat(np.cumsum(sizes) - sizes, counts)
    last = first + batch.decision_step.numpy()
    parts = query.split(counts), keys.split(sizes.tolist()), states.split(sizes.tolist())
    contexts, blocks, done = [], [], 0
    for q, k, s, count in zip(*parts, counts, strict=True):
        rows, column = slice(done, done + count), np.arange(len(k))
        low, high = first[rows, None], last[rows, None]
        mask = np.where((column < low) | (column > high), -np.inf, 0.0)
        bias = torch.from_numpy(mask).to(q.dtype)
        weight = torch.softmax(torch.addmm(bias, q, k.t(), alpha=q.shape[1] ** -0.5), 1)
        contexts.append(weight @ s)
        decision = torch.arange(done, done + count)
        blocks.append(AttentionBlock(decision, torch.from_numpy(first[rows]), weight))
        done += count
    return torch.cat(contexts), tuple(blocks)


def _attend_padded(
    query: Float[Tensor, "decision state"],
    keys: Float[Tensor, "step state"],
    states: Float[Tensor, "step state"],
    batch: Batch,
) -> tuple[Float[Tensor, "decision state"], tuple[AttentionBlock, ...]]:
    """Attend over blocks of subjects of similar length: few operations for any number of steps."""
    counts = torch.bincount(batch.decision_subject, minlength=len(batch.steps))
    both = torch.cat([keys, states], 1)
    blocks, parts = [], []
    for group in group_by_length(batch.steps):
        decisions = _decision_block(counts, group)
        k, s = group.pad(both).chunk(2, 2)
        last = decisions.pad(batch.decision_step[:, None].float())[..., 0]
        later = torch.arange(k.shape[1], device=k.device) > last[:, :, None]
        score = decisions.pad(query) @ k.transpose(1, 2) / math.sqrt(k.shape[2])
        weight = torch.softmax(score.masked_fill(later, -torch.inf), 2)
        parts.append(decisions.unpad(weight @ s))
        first = torch.zeros_like(decisions.rows)
        blocks.append(AttentionBlock(decisions.rows, first, decisions.unpad(weight)))
    contexts = torch.cat(parts)
    rows = torch.cat([block.decision for block in blocks])
    return torch.zeros_like(contexts).index_copy(0, rows, contexts), tuple(blocks)


def _decision_block(counts: Int64[Tensor, " subject"], group: PaddedBlock) -> PaddedBlock:
    """Return the decisions of a group's subjects as a block, one row per subject."""
    starts = (torch.cumsum(counts, 0) - counts)[group.runs]
    chosen = counts[group.runs]
    most = int(chosen.max())
    row = torch.arange(len(chosen), device=chosen.device) * most
    return PaddedBlock(group.runs, most, ragged_range(starts, chosen), ragged_range(row, chosen))


def _is_between(
    column: Int64[Tensor, " column"], low: Int64[Tensor, " row"], high: Int64[Tensor, " row"]
) -> Tensor:
    """Whether each column is in each row's range, both ends included."""
    return (column >= low[:, None]) & (column <= high[:, None])
