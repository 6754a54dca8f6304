"""A small ensemble on rows of the recent past: trained with torch, evaluated with numpy."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from posology.domain.cohort import Cohort
from posology.learners.features.recent_window import RecentRows, RecentWindowSpec
from posology.nn.ragged import ragged_range

MAX_DECISIONS_AT_ONCE = 8192
STEPS, SMALLEST_BATCH, BATCHES = 400, 256, 50
"""Of a model of usual care: least number of batches in all, least decisions in one, and about how
many batches in a pass."""

BATCHES_A_DECISION = 50
"""Least number of batches in all for each decision of a patient: as many as renew a slow copy that
moves by .02 a batch."""


@dataclass(frozen=True, slots=True)
class QNetworkSettings:
    """Size and training; chosen on development seeds of the warfarin simulator."""

    hidden: int = 96
    members: int = 3
    batch: int = 2048
    """Decisions per batch, at most."""
    batches: int = 1
    """Batches in a pass, at least: of fewer decisions each where there are few."""
    epochs: int = 14
    learning_rate: float = 1.5e-3
    """Initial rate; it decays linearly to 0."""
    lags: int = 5
    """Number of last values used of a code whose value changes."""
    code_steps: int = 1
    """Number of last steps whose codes are used."""
    treatment_lags: int = 5
    """Number of last treatments used."""
    going_on: bool = False
    """Whether the value of the treatment given last has a term of its own, the same for all."""
    responses: bool = False
    """Whether what was seen so far, and what came of each treatment, has columns too."""
    seed: int = 0

    @property
    def sees_treatments(self) -> bool:
        """Whether past treatments, or what came of them, have columns."""
        return self.treatment_lags > 0 or self.responses


def without_past_treatments(settings: QNetworkSettings) -> QNetworkSettings:
    """The same without columns for past treatments and what came of them.

    What is left of them is one term: whether a treatment is the one given last.
    """
    return replace(settings, treatment_lags=0, responses=False, going_on=True)


def with_enough_batches(settings: QNetworkSettings, decisions: int) -> QNetworkSettings:
    """At least as many passes, and more and smaller batches where they would be few.

    A model of usual care with 14 batches of 2,000 decisions is hardly better than the shares of
    the options, and whatever divides by it or excludes rare options by it errs
    (docs/decisions/trajectory-gain.md).
    """
    batch = min(max(SMALLEST_BATCH, decisions // BATCHES), settings.batch)
    a_pass = math.ceil(max(decisions, 1) / batch)
    epochs = max(settings.epochs, math.ceil(STEPS / a_pass))
    return replace(settings, batch=batch, batches=1, epochs=epochs)


def with_batches_for_values(settings: QNetworkSettings, cohort: Cohort) -> QNetworkSettings:
    """More and smaller batches in a pass, where a value could not reach the first decision.

    It moves back by one decision with each renewal of the slow copy
    (docs/decisions/warfarin-price.md).
    """
    length = len(cohort) / max(len(np.unique(cohort.subject)), 1)
    least = math.ceil(BATCHES_A_DECISION * length / settings.epochs)
    return replace(settings, batches=max(settings.batches, least))


@dataclass(frozen=True, slots=True, eq=False)
class EnsembleWeights:
    """Two hidden layers per member."""

    table: Float32[np.ndarray, "column member hidden"]
    """Embedding of each code column."""
    first: Float32[np.ndarray, "member feature hidden"]
    first_bias: Float32[np.ndarray, "member hidden"]
    second: Float32[np.ndarray, "member hidden hidden"]
    second_bias: Float32[np.ndarray, "member hidden"]
    last: Float32[np.ndarray, "member hidden output"]
    last_bias: Float32[np.ndarray, "member output"]
    going_on: Float32[np.ndarray, "member_or_0 hidden_or_0 one_or_0"] = field(
        default_factory=lambda: np.zeros((0, 0, 0), np.float32)
    )
    """Added to the output of the treatment given last; empty where it is like any other."""
    going_on_bias: Float32[np.ndarray, "member_or_0 one_or_0"] = field(
        default_factory=lambda: np.zeros((0, 0), np.float32)
    )


def predict_outputs(
    weights: EnsembleWeights, rows: RecentRows
) -> Float64[np.ndarray, "decision member output"]:
    """Outputs of each member for each row."""
    parts = [
        _predict_rows(
            weights, rows, slice(start, min(start + MAX_DECISIONS_AT_ONCE, len(rows.values)))
        )
        for start in range(0, max(len(rows.values), 1), MAX_DECISIONS_AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.float64)


def _predict_rows(weights: EnsembleWeights, rows: RecentRows, part: slice) -> np.ndarray:
    values, bounds = rows.values[part], rows.offsets[part.start : part.stop + 1]
    owner = np.repeat(np.arange(len(values)), np.diff(bounds))
    column, outputs = rows.column[bounds[0] : bounds[-1]], []
    given = np.flatnonzero(rows.last_treatment[part] >= 0)
    for member in range(len(weights.first)):
        hidden = values @ weights.first[member] + weights.first_bias[member]
        np.add.at(hidden, owner, weights.table[column, member])
        hidden = np.maximum(hidden, 0.0) @ weights.second[member] + weights.second_bias[member]
        hidden = np.maximum(hidden, 0.0)
        output = hidden @ weights.last[member] + weights.last_bias[member]
        if weights.going_on.size:
            bonus = hidden[given] @ weights.going_on[member] + weights.going_on_bias[member]
            output[given, rows.last_treatment[part][given]] += bonus[:, 0]
        outputs.append(output)
    return np.stack(outputs, axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class RowTensors:
    """Rows of the recent past as tensors."""

    values: Float[Tensor, "decision feature"]
    column: Int64[Tensor, " present"]
    starts: Int64[Tensor, " decision"]
    last_treatment: Int64[Tensor, " decision"]


class QNetwork(nn.Module):
    """The same network with gradients; its last layer starts at zero."""

    def __init__(
        self, spec: RecentWindowSpec, outputs: int, settings: QNetworkSettings, members: int = 0
    ) -> None:
        super().__init__()
        rng = np.random.default_rng([settings.seed, outputs])
        features, hidden = spec.numbers, settings.hidden
        count = members or settings.members

        def random_weights(*shape: int, inputs: int) -> nn.Parameter:
            bound = 1.4 * max(inputs, 1) ** -0.5
            return nn.Parameter(torch.from_numpy(rng.uniform(-bound, bound, shape)).float())

        self.table = random_weights(spec.columns, count, hidden, inputs=4)
        self.first = random_weights(count, features, hidden, inputs=features)
        self.first_bias = nn.Parameter(torch.zeros(count, hidden))
        self.second = random_weights(count, hidden, hidden, inputs=hidden)
        self.second_bias = nn.Parameter(torch.zeros(count, hidden))
        self.last = nn.Parameter(torch.zeros(count, hidden, outputs))
        self.last_bias = nn.Parameter(torch.zeros(count, outputs))
        self.going_on = nn.Parameter(torch.zeros(count, hidden, int(settings.going_on)))
        self.going_on_bias = nn.Parameter(torch.zeros(count, int(settings.going_on)))

    def forward(self, rows: RowTensors) -> Float[Tensor, "member decision output"]:
        """Outputs of each member."""
        members, _, width = self.first.shape
        x = rows.values.expand(members, -1, -1)
        hidden = torch.baddbmm(self.first_bias[:, None], x, self.first)
        if len(rows.column):
            flat = self.table.flatten(1)
            bag = F.embedding_bag(rows.column, flat, rows.starts, mode="sum")
            hidden = hidden + bag.unflatten(1, (members, width)).transpose(0, 1)
        hidden = torch.baddbmm(self.second_bias[:, None], hidden.relu(), self.second)
        hidden = hidden.relu()
        output = torch.baddbmm(self.last_bias[:, None], hidden, self.last)
        if not self.going_on.numel():
            return output
        bonus = torch.baddbmm(self.going_on_bias[:, None], hidden, self.going_on)
        given = rows.last_treatment[:, None]
        column = given.clamp_min(0).expand(members, -1, 1)
        return output.scatter_add(2, column, torch.where(given >= 0, bonus, 0.0))

    def to_weights(self) -> EnsembleWeights:
        """The weights as numpy arrays."""
        names = [field.name for field in fields(EnsembleWeights)]
        return EnsembleWeights(
            **{name: getattr(self, name).detach().numpy().copy() for name in names}
        )


def select_rows(rows: RecentRows, selected: Int64[Tensor, " decision"]) -> RowTensors:
    """The selected rows as tensors."""
    offsets = torch.from_numpy(rows.offsets)
    first = offsets[selected]
    counts = offsets[selected + 1] - first
    column = torch.from_numpy(rows.column)[ragged_range(first, counts)]
    values = torch.from_numpy(rows.values)[selected]
    last = torch.from_numpy(rows.last_treatment)[selected]
    return RowTensors(values, column, torch.cumsum(counts, 0) - counts, last)


def train_network(
    network: nn.Module,
    size: int,
    loss: Callable[[Tensor, int], Tensor],
    settings: QNetworkSettings,
    after_step: Callable[[], None] | None = None,
) -> None:
    """Minimise with Adam over random batches of `size` rows; `loss` takes rows and the epoch."""
    rng = np.random.default_rng(settings.seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    batch = min(settings.batch, -(-size // settings.batches))
    batches = -(-size // batch)
    for epoch in range(settings.epochs):
        order = torch.from_numpy(rng.permutation(size))
        for number, rows in enumerate(torch.split(order, batch)):
            progress = (epoch * batches + number) / (settings.epochs * batches)
            optimizer.param_groups[0]["lr"] = settings.learning_rate * (1 - progress)
            optimizer.zero_grad(set_to_none=True)
            loss(rows, epoch).backward()
            optimizer.step()
            if after_step:
                after_step()


@torch.no_grad()
def update_target(target: QNetwork, network: QNetwork, tau: float) -> None:
    """Move the target network a share `tau` towards the network (Polyak averaging)."""
    for old, new in zip(target.parameters(), network.parameters(), strict=True):
        old.lerp_(new, tau)
