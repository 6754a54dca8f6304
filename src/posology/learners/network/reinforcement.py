"""The second phase: learn what each option is worth from outcomes, and act on it with care."""

import copy
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.learners.features.rewards import has_next_decision, known_rewards, returns_to_go
from posology.learners.network import losses
from posology.learners.network.checkpoint import Epoch, RunFolder
from posology.learners.network.distributed import distribute
from posology.learners.network.policy import (
    Decoding,
    NetworkPolicy,
    behaviour_probabilities,
    pessimistic_value,
    supported_treatments,
)
from posology.learners.network.policy_selection import SelectionRule, select_policy
from posology.learners.network.supervised import run_to_end
from posology.learners.network.tensors import (
    CohortTensors,
    cohort_to_tensors,
    gather_subjects,
    iterate_batches,
)
from posology.learners.network.training_loop import Training, train_epochs
from posology.nn.batch import Batch
from posology.nn.network import Network


@dataclass(frozen=True, slots=True)
class Reinforcement:
    """Fitted values by temporal differences, then a policy in closed form around the clinicians'.

    Values start from least squares of the returns on what the first phase believes of each option,
    and over single decisions what the first phase learned stays as it was.
    Where the study knows what every option would have earned, all are fitted; else only the one
    given. Values after a decision come from a slowly moving copy of the network, from its
    ensemble's lower bound among options that are allowed and usual. The temperature and the
    pessimism are chosen on validation patients; where none is surely better, the first phase's
    policy is kept, and over courses usual care (`safe_choice`).
    """

    training: Training = field(
        default_factory=lambda: Training(
            learning_rate=3e-4, epochs=8, patience=3, keep_initial=True
        )
    )
    train_all: bool | None = None
    """Whether the whole network learns on, or its values alone. None: the whole over courses, where
    what comes later is news to the first phase; the values alone over single decisions."""
    discount: float = 1.0
    """Of the next decision's value, beside the study's own; 1 leaves it to the study."""
    tau: float = 0.01
    """Share of the network that the target network takes up at each batch."""
    min_support: float = 0.1
    """Options given less often than this share of the most usual one are not thought of, where
    only what was given is known to have come to something. Our choice."""
    pessimism: float = 1.0
    """Of the values after a decision, in standard deviations over members."""
    selection: SelectionRule = field(default_factory=SelectionRule)
    device: str = "cpu"

    def fit(self, first: NetworkPolicy, train: Cohort, validation: Cohort) -> NetworkPolicy:
        """The first phase's policy, improved on the outcomes."""
        return run_to_end(self.fit_epochs(first, train, validation))

    def fit_epochs(
        self,
        first: NetworkPolicy,
        train: Cohort,
        validation: Cohort,
        folder: Path | None = None,
    ) -> Generator[Epoch, None, NetworkPolicy]:
        """The same, epoch by epoch; the generator's return value is the policy.

        folder: where a run that was killed goes on.
        """
        discount = self.discount * train.study.reward.discount
        courses = discount > 0 and bool(has_next_decision(train).any())
        whole = courses if self.train_all is None else self.train_all
        self = replace(self, discount=discount, train_all=whole)
        device = torch.device(self.device)
        network = copy.deepcopy(first.network).to(device)
        slow = copy.deepcopy(network).eval()
        reading = _reading(first.decoding, train, self)
        learn = cohort_to_tensors(train, reading, network.config, device)
        check = cohort_to_tensors(validation, reading, network.config, device)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(whole or name.startswith(("value.", "effect_to_value.")))
        _start(network, learn, reading, returns_to_go(train, self.discount))
        slow.load_state_dict(network.state_dict())

        asked = distribute(network)

        def loss(subjects: Tensor) -> dict[str, Tensor]:
            _follow(slow, network, self.tau)
            batch, targets = gather_subjects(learn, subjects)
            output = asked(batch, targets.log_dose)
            goal = self._goal(slow, batch, targets, reading)
            parts = losses.supervised(output, targets) if whole else {}
            return {**parts, "value": losses.value(output.value, goal, targets.weight)}

        def validate() -> dict[str, float]:
            return self._error(network, check, reading)

        kept = RunFolder(folder, (slow,)) if folder else None
        yield from train_epochs(network, learn.steps, loss, validate, self.training, kept)
        network.requires_grad_(True)
        learned = replace(first, network=network.eval(), decoding=reading)
        start = first if whole else learned
        return select_policy(learned, start, validation, self.selection, self.discount)

    def _goal(
        self, slow: Network, batch: Batch, targets: losses.Targets, reading: Decoding
    ) -> Float[Tensor, "decision treatment"]:
        """Standardised reward plus what the slow copy thinks the next decision is worth."""
        goal = targets.rewards
        if self.discount > 0 and bool(targets.has_next.any() | targets.is_truncated.any()):
            with torch.no_grad():
                output = slow(batch)
            cautious = replace(reading, pessimism=self.pessimism)
            kept = supported_treatments(
                behaviour_probabilities(output), targets.allowed, reading.min_support
            )
            worth = pessimistic_value(output, cautious).masked_fill(~kept, -torch.inf).amax(1)
            later = torch.where(targets.has_next, torch.roll(worth, -1), 0.0) * self.discount
            later = later.masked_fill(targets.is_truncated, torch.nan)
            given = targets.treatment.clamp_min(0)[:, None]
            goal = goal.scatter(1, given, goal.gather(1, given) + later[:, None])
        return (goal - reading.value_center) / reading.value_spread

    def _error(
        self, network: Network, cohort: CohortTensors, reading: Decoding
    ) -> dict[str, float]:
        """Squared error of the members' mean value over a cohort, in standardised rewards."""
        total, count = 0.0, 0.0
        for batch, targets in iterate_batches(cohort):
            goal = self._goal(network, batch, targets, reading)
            mean = network(batch, targets.log_dose).value.mean(1, keepdim=True)
            size = float((~goal.isnan() * targets.weight[:, None]).sum())
            total += float(losses.value(mean, goal, targets.weight)) * size
            count += size
        error = total / max(count, 1e-6)
        return {"value": error, "score": error}


def _reading(reading: Decoding, train: Cohort, asked: Reinforcement) -> Decoding:
    returns = returns_to_go(train, asked.discount)
    known = returns[~np.isnan(returns)]
    partly = bool(np.isnan(known_rewards(train)).any())
    return replace(
        reading,
        value_center=float(known.mean()),
        value_spread=float(known.std()) or 1.0,
        min_support=asked.min_support if partly else 0.0,
    )


def _start(
    network: Network,
    cohort: CohortTensors,
    reading: Decoding,
    returns: Float64[np.ndarray, "decision treatment"],
) -> None:
    """Set `worth` by least squares of returns on beliefs, option by option (ridge 1e-3 each)."""
    believed, weight = [], []
    network.eval()
    with torch.no_grad():
        for batch, targets in iterate_batches(cohort):
            output = network(batch, targets.log_dose)
            believed.append(network.effect_probability(output.effectiveness).mean(1))
            weight.append(targets.weight)
        X, w = torch.cat(believed).double(), torch.cat(weight).double()
        X = torch.cat([X, torch.ones_like(X[:, :1])], 1)
        y = torch.as_tensor(returns, device=X.device)
        y = (y - reading.value_center) / reading.value_spread
        for option in range(y.shape[1]):
            known = ~y[:, option].isnan()
            A, b = X[known] * w[known, None], y[known, option]
            ridge = 1e-3 * max(len(A), 1) * torch.eye(A.shape[1], dtype=A.dtype, device=A.device)
            solved = torch.linalg.solve(X[known].T @ A + ridge, A.T @ b).float()
            network.effect_to_value.weight[option] = solved[:-1]
            network.effect_to_value.bias[option] = solved[-1]


def _follow(slow: Network, network: Network, tau: float) -> None:
    with torch.no_grad():
        for old, new in zip(slow.parameters(), network.parameters(), strict=True):
            old.lerp_(new, tau)
