"""Ragged sequences: concatenated runs of different lengths, padded, packed and unpacked."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence


def repeat_each(
    values: Int64[Tensor, " run"], counts: Int64[Tensor, " run"]
) -> Int64[Tensor, " total"]:
    """Repeat each value count times; by numpy on a CPU, whose call overhead is a tenth."""
    if values.device.type == "cpu":
        return torch.from_numpy(np.repeat(values.numpy(), counts.numpy()))
    return torch.repeat_interleave(values, counts)


def ragged_range(
    starts: Int64[Tensor, " run"], counts: Int64[Tensor, " run"]
) -> Int64[Tensor, " total"]:
    """Concatenate the ranges start, start + 1, ..., start + count - 1."""
    before = torch.cumsum(counts, 0) - counts
    shift = repeat_each(starts - before, counts)
    return torch.arange(len(shift), device=starts.device) + shift


def step_of_row(starts: Int64[Tensor, " step"], steps: int, rows: int) -> Int64[Tensor, " row"]:
    """Return the step of each row, for rows ordered by step; starts: first row of each step."""
    ends = torch.cat([starts[1:], starts.new_tensor([rows])])
    return repeat_each(torch.arange(steps, device=starts.device), ends - starts)


@dataclass(frozen=True, slots=True, eq=False)
class PaddedBlock:
    """Runs of similar length as the rows of one padded block."""

    runs: Int64[Tensor, " chosen"]
    """Which runs."""
    longest: int
    rows: Int64[Tensor, " some_step"]
    """Rows of their steps in the flat tensor, run after run."""
    positions: Int64[Tensor, " some_step"]
    """Positions of these steps in the flattened block."""

    def pad(self, x: Float[Tensor, "step width"]) -> Float[Tensor, "chosen longest width"]:
        """Return the block; 0 after the end of each run."""
        block = x.new_zeros(len(self.runs) * self.longest, x.shape[1])
        block = block.index_copy(0, self.positions, x.index_select(0, self.rows))
        return block.view(len(self.runs), self.longest, -1)

    def unpad(
        self, block: Float[Tensor, "chosen longest width"]
    ) -> Float[Tensor, "some_step width"]:
        """Return the block's steps as flat rows, in the order of `rows`."""
        return block.flatten(0, 1).index_select(0, self.positions)


def group_by_length(lengths: Int64[Tensor, " run"]) -> list[PaddedBlock]:
    """Group every non-empty run into blocks of which less than half is padding.

    Runs are grouped by the power of two above their length and keep their order. Runs of up to 8
    steps form one group, where another block would cost more than the padding.
    """
    starts = torch.cumsum(lengths, 0) - lengths
    power = torch.frexp((lengths - 1).clamp_min(0).double()).exponent
    power = torch.where(lengths > 0, power.clamp_min(3), -1)
    groups = []
    for size in torch.unique(power).tolist():
        if size < 0:
            continue
        run = torch.nonzero(power == size)[:, 0]
        counts = lengths[run]
        longest = int(counts.max())
        first = torch.arange(len(run), device=run.device) * longest
        groups.append(
            PaddedBlock(
                run, longest, ragged_range(starts[run], counts), ragged_range(first, counts)
            )
        )
    return groups


class PackedOrder(NamedTuple):
    """The order of a PackedSequence: longest runs first; all first steps, all second steps, ..."""

    order: Int64[Tensor, " step"]
    """Rows of the flat tensor in packed order."""
    inverse: Int64[Tensor, " step"]
    """Rows of the packed tensor in flat order."""
    batch_sizes: list[int]
    """Number of runs with a first step, with a second step, ..."""


def pack_steps(lengths: Int64[Tensor, " run"]) -> PackedOrder:
    """Return the packed order of runs of these lengths."""
    counts = lengths.cpu().numpy()  # numpy, because torch's call overhead exceeds this work
    order = np.argsort(-counts, kind="stable")
    sizes = len(counts) - np.searchsorted(counts[order[::-1]], np.arange(counts.max()), "right")
    time = np.repeat(np.arange(len(sizes)), sizes)
    rank = np.arange(len(time)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    row = (np.cumsum(counts) - counts)[order][rank] + time
    inverse = np.empty_like(row)
    inverse[row] = np.arange(len(row))
    tensors = [torch.from_numpy(rows).to(lengths.device) for rows in (row, inverse)]
    return PackedOrder(*tensors, sizes.tolist())


def run_cell(
    cell: nn.GRU | nn.LSTM, x: Float[Tensor, "step width"], lengths: Int64[Tensor, " run"]
) -> Float[Tensor, "step state"]:
    """Return the states of one of torch's recurrent cells over each run."""
    longest = int(lengths.max())
    if int(lengths.min()) == longest:  # already a block
        return cell(x.view(len(lengths), longest, -1))[0].reshape(len(x), -1)
    if x.device.type == "cpu":  # there torch's gradient of packed steps is quadratic in steps
        groups = group_by_length(lengths)
        states = torch.cat([group.unpad(cell(group.pad(x))[0]) for group in groups])
        return torch.zeros_like(states).index_copy(0, torch.cat([g.rows for g in groups]), states)
    pack = pack_steps(lengths)
    packed = PackedSequence(x.index_select(0, pack.order), torch.tensor(pack.batch_sizes))
    return cell(packed)[0].data.index_select(0, pack.inverse)
