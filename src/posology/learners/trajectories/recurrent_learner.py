"""Train the recurrent network on logged trajectories: from random visits, several steps ahead.

Options make the methods of the literature of it: stabilised inverse-probability weights (Lim et
al. 2018), a state from which treatment cannot be read (Bica et al. 2020), or neither.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn import functional as F

from posology.domain.outcome_trajectories import (
    OutcomeTrajectories,
    PlannedOutcomes,
    Plans,
    logged_plans,
    outcomes_under,
    select_plans,
)
from posology.learners.trajectories.interval_width import scale_intervals, width_factors
from posology.learners.trajectories.recurrent_network import OutcomeNetwork, reverse_gradient
from posology.learners.trajectories.step_features import StepSpec, logged_levels

MOST_PLANS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class RecurrentModel:
    """The trained network, with the intervals' width by horizon."""

    network: OutcomeNetwork
    width: Float64[np.ndarray, " horizon"]

    def predict(self, trajectories: OutcomeTrajectories, plans: Plans) -> PlannedOutcomes:
        """Mean and 90 % interval after each step of each plan."""
        return scale_intervals(_predict(self.network, trajectories, plans), self.width)


@dataclass(frozen=True, slots=True)
class RecurrentLearner:
    """Hyper-parameters."""

    spec: StepSpec
    is_structured: bool = True
    horizon: int = 6
    state: int = 24
    epochs: int = 15
    batch: int = 128
    origins: int = 8
    """Visits a patient and epoch from which a plan is predicted."""
    learning_rate: float = 0.01
    balance: float = 0.0
    """Weight of hiding the next treatment from the state."""
    seed: int = 0

    def fit(
        self,
        train: OutcomeTrajectories,
        validation: OutcomeTrajectories,
        weights: Float64[np.ndarray, "subject step"] | None = None,
    ) -> RecurrentModel:
        """Train; `weights` are of each step (`treatment_weights`), multiplied along a plan."""
        generator = torch.Generator().manual_seed(self.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = OutcomeNetwork(
                self.spec, train.statics.shape[1], self.state, self.is_structured
            )
        steps = self.epochs * -(-len(train) // self.batch)
        optimiser = torch.optim.Adam(network.parameters(), self.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, self.learning_rate, total_steps=steps
        )
        for loss in self._losses(network, train, weights, generator):
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        network.eval()
        plans = logged_plans(validation, self.horizon)
        if len(plans) > MOST_PLANS:
            rows = np.random.default_rng(self.seed).choice(len(plans), MOST_PLANS, replace=False)
            plans = select_plans(plans, np.sort(rows))
        predicted = _predict(network, validation, plans)
        truth = outcomes_under(validation, plans)
        return RecurrentModel(network, width_factors(predicted, truth, plans.subject))

    def _losses(
        self,
        network: OutcomeNetwork,
        train: OutcomeTrajectories,
        weights: np.ndarray | None,
        generator: torch.Generator,
    ) -> Iterator[Tensor]:
        tensors = LoggedTensors.make(network.spec, train)
        scale = float(np.sqrt(np.nanmean(train.outcome**2)))
        known = torch.from_numpy(train.is_observed)
        step_weight = torch.ones(known.shape) if weights is None else _float(weights)
        for _ in range(self.epochs):
            for rows in torch.randperm(len(train), generator=generator).split(self.batch):
                batch = tensors.take(rows)
                states = batch.encode(network)
                last = known.shape[1] - self.horizon + 1
                at = torch.randint(last, (len(rows), self.origins), generator=generator)
                who = torch.arange(len(rows))[:, None].expand_as(at).reshape(-1)
                at = at.reshape(-1)
                ahead = at[:, None] + torch.arange(self.horizon)
                counted = known[rows][who[:, None], ahead].cumprod(1).float()
                counted = counted * step_weight[rows][who[:, None], ahead].cumprod(1)
                plan = batch.dose[who[:, None], ahead + 1]
                path = network.go_forward(
                    states[who, at], batch.outcome[who, at], batch.levels[who, at], plan
                )
                wrong = ((path - batch.outcome[who[:, None], ahead + 1]) / scale) ** 2
                loss = (counted * wrong).sum() / counted.sum().clamp(min=1)
                if self.balance:
                    hidden = reverse_gradient(states[who, at])
                    guess = network.adversary(hidden)
                    loss = loss + self.balance * F.binary_cross_entropy_with_logits(
                        guess, plan[:, 0].clamp(0, 1)
                    )
                yield loss


@dataclass(frozen=True, slots=True, eq=False)
class LoggedTensors:
    """Trajectories as the network reads them, one column a visit."""

    outcome: Tensor
    dose: Tensor
    """Of the step before each visit."""
    levels: Tensor
    statics: Tensor

    @staticmethod
    def make(spec: StepSpec, t: OutcomeTrajectories) -> "LoggedTensors":
        """Of all subjects."""
        dose = np.concatenate([np.zeros_like(t.treatment[:, :1]), t.treatment], axis=1)
        last = np.nan_to_num(t.outcome)  # visits after the end are encoded, and never used
        return LoggedTensors(
            _float(last), _float(dose), _float(logged_levels(spec, t)), _float(t.statics)
        )

    def take(self, rows: Tensor) -> "LoggedTensors":
        """Of some subjects."""
        return LoggedTensors(
            self.outcome[rows], self.dose[rows], self.levels[rows], self.statics[rows]
        )

    def encode(self, network: OutcomeNetwork) -> Tensor:
        """The network's state after each visit."""
        return network.encode(self.outcome, self.dose, self.levels, self.statics)


def _float(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))


@torch.no_grad()
def _predict(
    network: OutcomeNetwork, trajectories: OutcomeTrajectories, plans: Plans
) -> PlannedOutcomes:
    """Predictions, with intervals of the shape of the scale: factors give their width."""
    tensors = LoggedTensors.make(network.spec, trajectories)
    states = tensors.encode(network)
    path = np.empty(plans.treatment.shape[:2])
    for start in range(0, len(plans), 50_000):
        part = select_plans(plans, slice(start, start + 50_000))
        who, at = torch.from_numpy(part.subject), torch.from_numpy(part.visit)
        path[start : start + 50_000] = network.go_forward(
            states[who, at],
            tensors.outcome[who, at],
            tensors.levels[who, at],
            _float(part.treatment),
        ).numpy()
    wide = np.full_like(path, network.spec.spread)
    if network.spec.scale != "difference":
        wide = np.maximum(np.abs(path), network.spec.floor)
    return PlannedOutcomes(path, path - wide, path + wide)
