"""A small ensemble that reads rows of the recent past: learned with torch, asked with numpy."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from posology.learners.features.recent_window import Recent, RecentSpec
from posology.nn.ragged import ragged_range

CHUNK = 8192
"""Decisions asked at once."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """How large, and how long to learn; chosen on development seeds of the warfarin simulator."""

    hidden: int = 96
    members: int = 3
    batch: int = 2048
    """Decisions a batch."""
    epochs: int = 14
    learning_rate: float = 1.5e-3
    """At the start; it falls to 0 in a straight line."""
    last: int = 5
    """Numbers that change are told so many times back."""
    steps: int = 1
    """Codes are told of so many last steps."""
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Two hidden layers a member."""

    table: Float32[np.ndarray, "column member hidden"]
    first: Float32[np.ndarray, "member feature hidden"]
    first_bias: Float32[np.ndarray, "member hidden"]
    second: Float32[np.ndarray, "member hidden hidden"]
    second_bias: Float32[np.ndarray, "member hidden"]
    last: Float32[np.ndarray, "member hidden answer"]
    last_bias: Float32[np.ndarray, "member answer"]


def answers(weights: Weights, rows: Recent) -> Float64[np.ndarray, "decision member answer"]:
    """What each member says of each row."""
    parts = [
        _answers(weights, rows, slice(start, min(start + CHUNK, len(rows.numbers))))
        for start in range(0, max(len(rows.numbers), 1), CHUNK)
    ]
    return np.concatenate(parts).astype(np.float64)


def _answers(weights: Weights, rows: Recent, run: slice) -> np.ndarray:
    numbers, bounds = rows.numbers[run], rows.offsets[run.start : run.stop + 1]
    owner = np.repeat(np.arange(len(numbers)), np.diff(bounds))
    column, said = rows.column[bounds[0] : bounds[-1]], []
    for member in range(len(weights.first)):
        hidden = numbers @ weights.first[member] + weights.first_bias[member]
        np.add.at(hidden, owner, weights.table[column, member])
        hidden = np.maximum(hidden, 0.0) @ weights.second[member] + weights.second_bias[member]
        said.append(np.maximum(hidden, 0.0) @ weights.last[member] + weights.last_bias[member])
    return np.stack(said, axis=1)


class ValueNet(nn.Module):
    """The same with gradients; its last layer starts at zero."""

    def __init__(self, spec: RecentSpec, answers: int, fitting: Fitting, members: int = 0) -> None:
        super().__init__()
        rng = np.random.default_rng([fitting.seed, answers])
        features, hidden, count = len(spec.number), fitting.hidden, members or fitting.members

        def drawn(*shape: int, inputs: int) -> nn.Parameter:
            bound = 1.4 * max(inputs, 1) ** -0.5
            return nn.Parameter(torch.from_numpy(rng.uniform(-bound, bound, shape)).float())

        self.table = drawn(spec.columns, count, hidden, inputs=4)
        self.first = drawn(count, features, hidden, inputs=features)
        self.first_bias = nn.Parameter(torch.zeros(count, hidden))
        self.second = drawn(count, hidden, hidden, inputs=hidden)
        self.second_bias = nn.Parameter(torch.zeros(count, hidden))
        self.last = nn.Parameter(torch.zeros(count, hidden, answers))
        self.last_bias = nn.Parameter(torch.zeros(count, answers))

    def forward(self, rows: "Rows") -> Float[Tensor, "member decision answer"]:
        """What each member says."""
        members, _, width = self.first.shape
        x = rows.numbers.expand(members, -1, -1)
        hidden = torch.baddbmm(self.first_bias[:, None], x, self.first)
        if len(rows.column):
            flat = self.table.flatten(1)
            bag = F.embedding_bag(rows.column, flat, rows.starts, mode="sum")
            hidden = hidden + bag.unflatten(1, (members, width)).transpose(0, 1)
        hidden = torch.baddbmm(self.second_bias[:, None], hidden.relu(), self.second)
        return torch.baddbmm(self.last_bias[:, None], hidden.relu(), self.last)

    def weights(self) -> Weights:
        """As numpy arrays."""
        return Weights(
            **{f.name: getattr(self, f.name).detach().numpy().copy() for f in fields(Weights)}
        )


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows as tensors."""

    numbers: Float[Tensor, "decision feature"]
    column: Int64[Tensor, " present"]
    starts: Int64[Tensor, " decision"]


def take(rows: Recent, chosen: Int64[Tensor, " decision"]) -> Rows:
    """The rows asked."""
    offsets = torch.from_numpy(rows.offsets)
    first = offsets[chosen]
    counts = offsets[chosen + 1] - first
    column = torch.from_numpy(rows.column)[ragged_range(first, counts)]
    numbers = torch.from_numpy(rows.numbers)[chosen]
    return Rows(numbers, column, torch.cumsum(counts, 0) - counts)


def descend(
    net: nn.Module,
    size: int,
    loss: Callable[[Tensor, int], Tensor],
    fitting: Fitting,
    after: Callable[[], None] | None = None,
) -> None:
    """Adam over random batches of `size` rows; loss takes rows and the epoch's number."""
    rng = np.random.default_rng(fitting.seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=fitting.learning_rate)
    batches = -(-size // fitting.batch)
    for epoch in range(fitting.epochs):
        order = torch.from_numpy(rng.permutation(size))
        for number, rows in enumerate(torch.split(order, fitting.batch)):
            along = (epoch * batches + number) / (fitting.epochs * batches)
            optimizer.param_groups[0]["lr"] = fitting.learning_rate * (1 - along)
            optimizer.zero_grad(set_to_none=True)
            loss(rows, epoch).backward()
            optimizer.step()
            if after:
                after()
