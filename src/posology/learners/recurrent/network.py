"""The recurrent ensemble with gradients: members share nothing but the patients they see."""

from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from posology.learners.recurrent.weights import RecurrentWeights


@dataclass(frozen=True, slots=True)
class RecurrentSizes:
    """Size of the ensemble."""

    state: int = 48
    hidden: int = 64
    members: int = 8
    dropout: float = 0.1
    """Of hidden units, in training."""


@dataclass(frozen=True, slots=True, eq=False)
class VisitBatch:
    """Visits of a batch: the first of each sequence, then the second ones, and so on.

    Within each step the longest sequences come first, so that a step goes on with the first rows of
    the one before.
    """

    values: Float[Tensor, "visit column"]
    flag: Int64[Tensor, " present"]
    flag_starts: Int64[Tensor, " visit"]
    going: tuple[int, ...]
    """Sequences that have a visit, by step; their sum is the number of visits."""
    decision: Int64[Tensor, " decision"]
    """Visit of each decision."""


@dataclass(frozen=True, slots=True, eq=False)
class RecurrentOutput:
    """Of each decision."""

    value: Float[Tensor, "member decision treatment"]
    choice: Float[Tensor, "member decision treatment"]
    reward: Float[Tensor, "member decision treatment"]
    following: Float[Tensor, "member decision column"]
    """Forecast of the next visit's columns after the treatment given."""


class RecurrentEnsemble(nn.Module):
    """Weights of `RecurrentWeights`, and the heads that only training needs."""

    def __init__(
        self, shape: tuple[int, int, int], sizes: RecurrentSizes, generator: torch.Generator
    ) -> None:
        """shape: numbers of columns, flags and treatments."""
        super().__init__()
        columns, flags, treatments = shape
        members, state, hidden = sizes.members, sizes.state, sizes.hidden
        self.dropout = sizes.dropout

        def random(*shape: int, inputs: int) -> nn.Parameter:
            bound = max(inputs, 1) ** -0.5
            return nn.Parameter((torch.rand(shape, generator=generator) * 2 - 1) * bound)

        self.table = random(flags, members, 3 * state, inputs=4)
        self.inward = random(members, columns, 3 * state, inputs=columns)
        self.inward_bias = nn.Parameter(torch.zeros(members, 3 * state))
        self.carried = random(members, state, 3 * state, inputs=state)
        self.carried_bias = nn.Parameter(torch.zeros(members, 3 * state))
        self.mixed = random(members, state, hidden, inputs=state)
        self.direct = random(members, columns, hidden, inputs=columns)
        self.hidden_bias = nn.Parameter(torch.zeros(members, hidden))
        widths = {"value": treatments, "choice": treatments, "reward": treatments}
        for name, width in {**widths, "following": columns}.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(members, hidden, width)))
            self.register_parameter(f"{name}_bias", nn.Parameter(torch.zeros(members, width)))
        self.given = nn.Parameter(torch.ones(members, treatments, hidden))

    def hidden_units(self, batch: VisitBatch) -> Float[Tensor, "member decision hidden"]:
        """The last layer's inputs at each decision."""
        members, columns, _gates = self.inward.shape
        x = batch.values.expand(members, -1, columns)
        gates = torch.baddbmm(self.inward_bias[:, None], x, self.inward)
        if len(batch.flag):
            bag = F.embedding_bag(batch.flag, self.table.flatten(1), batch.flag_starts, mode="sum")
            gates = gates + bag.unflatten(1, (members, -1)).transpose(0, 1)
        states = self._run(gates, batch).index_select(1, batch.decision)
        here = batch.values[batch.decision].expand(members, -1, columns)
        hidden = torch.baddbmm(self.hidden_bias[:, None], states, self.mixed)
        hidden = torch.baddbmm(hidden, here, self.direct).relu()
        return F.dropout(hidden, self.dropout, self.training)

    def forward(
        self, batch: VisitBatch, treatment: Int64[Tensor, " decision"] | None = None
    ) -> RecurrentOutput:
        """Outputs at each decision; forecasts only where the treatments given are known."""
        hidden = self.hidden_units(batch)
        following = hidden[..., :0]
        if treatment is not None:
            given = self.given.index_select(1, treatment.clamp_min(0))
            following = self._head(hidden * given, "following")
        heads = (self._head(hidden, name) for name in ("value", "choice", "reward"))
        return RecurrentOutput(*heads, following)

    def _head(self, hidden: Tensor, name: str) -> Tensor:
        weight, bias = getattr(self, name), getattr(self, f"{name}_bias")
        return torch.baddbmm(bias[:, None], hidden, weight)

    def _run(
        self, gates: Float[Tensor, "member visit gates"], batch: VisitBatch
    ) -> Float[Tensor, "member visit state"]:
        members, _visits, width = gates.shape
        size = width // 3
        state, states = gates.new_zeros(members, max(batch.going, default=0), size), []
        for inward in gates.split(batch.going, 1):
            state = state[:, : inward.shape[1]]
            inner = self.carried_bias[:, None]
            if states:  # else there is nothing to carry
                inner = torch.baddbmm(inner, state, self.carried)
            both = torch.sigmoid(inward[..., : 2 * size] + inner[..., : 2 * size])
            reset, update = both.chunk(2, -1)
            new = torch.tanh(inward[..., 2 * size :] + reset * inner[..., 2 * size :])
            state = torch.lerp(new, state, update)
            states.append(state)
        return torch.cat(states, 1)

    def to_weights(self) -> RecurrentWeights:
        """The weights that a policy needs, as numpy arrays."""
        names = [field.name for field in fields(RecurrentWeights)]
        return RecurrentWeights(
            **{name: getattr(self, name).detach().numpy().copy() for name in names}
        )


def lower_bound(
    value: Float[Tensor, "member decision treatment"], pessimism: float
) -> Float[Tensor, "decision treatment"]:
    """Mean of the members less `pessimism` standard deviations."""
    return value.mean(0) - pessimism * value.std(0, correction=0)


def best_supported(
    value: Float[Tensor, "decision treatment"], supported: Bool[Tensor, "decision treatment"]
) -> tuple[Float[Tensor, " decision"], Int64[Tensor, " decision"]]:
    """The best treatment among the supported ones: its value, and which it is."""
    best = value.masked_fill(~supported, -torch.inf).max(1)
    return best.values, best.indices
