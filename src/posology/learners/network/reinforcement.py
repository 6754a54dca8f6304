"""The reinforcement phase: learn the value of each treatment from outcomes, and choose by it."""

import copy
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.learners.features.rewards import (
    has_next_decision,
    known_rewards,
    returns_to_go,
    with_last_states,
)
from posology.learners.network import losses
from posology.learners.network.checkpoint import Epoch, RunFolder
from posology.learners.network.distributed import distribute
from posology.learners.network.expected_costs import set_values_by_costs
from posology.learners.network.policy import (
    Decoding,
    NetworkPolicy,
    behaviour_probabilities,
    pessimistic_value,
    supported_treatments,
)
from posology.learners.network.policy_selection import (
    SelectionRule,
    by_value_alone,
    select_policy,
)
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
    """Fitted values by temporal differences, then a closed-form policy around the behaviour.

    Single decisions of which only the treatment received has an outcome need no descent: values are
    the supervised phase's P(effective) less the expected costs (`expected_costs`). Else values
    start from a least-squares fit of the returns to P(effective); all are fitted where the study
    knows the reward of every treatment. The value of the next decision comes from a target network,
    a moving average of the network: the ensemble's lower bound among allowed and supported
    treatments. The temperature and the pessimism are selected on validation patients
    (`select_policy`).
    """

    training: Training = field(
        default_factory=lambda: Training(
            learning_rate=3e-4, epochs=8, patience=3, keep_initial=True
        )
    )
    train_all: bool | None = None
    """Whether to train the whole network or only the values. None: the whole for trajectories,
    whose later decisions the supervised phase ignores; only the values for single decisions."""
    discount: float = 1.0
    """Factor on the next decision's value, in addition to the study's own discount."""
    tau: float = 0.01
    """Update rate of the target network: target <- (1 - tau) target + tau network, per batch."""
    min_support: float = 0.1
    """Smallest behaviour probability of a treatment relative to the most frequent one, where only
    the reward of the treatment received is known. Our choice."""
    pessimism: float = 1.0
    """Standard deviations over members subtracted from the next decision's value."""
    selection: SelectionRule = field(default_factory=SelectionRule)
    device: str = "cpu"

    def fit(self, first: NetworkPolicy, train: Cohort, validation: Cohort) -> NetworkPolicy:
        """Return the policy, starting from that of the supervised phase."""
        return run_to_end(self.fit_epochs(first, train, validation))

    def fit_epochs(
        self,
        first: NetworkPolicy,
        train: Cohort,
        validation: Cohort,
        folder: Path | None = None,
    ) -> Generator[Epoch, None, NetworkPolicy]:
        """Yield each epoch; the generator's return value is the policy.

        folder: where an interrupted run resumes.
        """
        discount = self.discount * train.study.reward.discount
        has_trajectories = discount > 0 and bool(has_next_decision(train).any())
        train_all = has_trajectories if self.train_all is None else self.train_all
        self = replace(self, discount=discount, train_all=train_all)
        if not has_trajectories and not train_all and _is_partly_known(train):
            return self._by_costs(first, train, validation)
        device = torch.device(self.device)
        network = copy.deepcopy(first.network).to(device)
        target = copy.deepcopy(network).eval()
        decoding = _with_value_scale(first.decoding, train, self)
        seen, check_seen = (with_last_states(c, discount) for c in (train, validation))
        learn = cohort_to_tensors(seen, decoding, network.config, device)
        check = cohort_to_tensors(check_seen, decoding, network.config, device)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(train_all or name.startswith(("value.", "effect_to_value.")))
        _init_values(network, learn, decoding, returns_to_go(seen, self.discount))
        target.load_state_dict(network.state_dict())

        model = distribute(network)

        def loss(subjects: Tensor) -> dict[str, Tensor]:
            _update_target(target, network, self.tau)
            batch, targets = gather_subjects(learn, subjects)
            output = model(batch, targets.log_dose)
            goal = self._value_target(target, batch, targets, decoding)
            parts = losses.supervised(output, targets) if train_all else {}
            return {**parts, "value": losses.value(output.value, goal, targets.reward_weight)}

        def validate() -> dict[str, float]:
            return self._value_error(network, check, decoding)

        run = RunFolder(folder, (target,)) if folder else None
        yield from train_epochs(network, learn.steps, loss, validate, self.training, run)
        network.requires_grad_(True)
        learned = replace(first, network=network.eval(), decoding=decoding)
        start = first if train_all else learned
        return select_policy(learned, start, validation, self.selection, self.discount)

    def _by_costs(self, first: NetworkPolicy, train: Cohort, validation: Cohort) -> NetworkPolicy:
        """What costs change, if the study has any; then the selection on validation patients."""
        network = copy.deepcopy(first.network).to(self.device)
        decoding = _with_value_scale(first.decoding, train, self)
        learn = cohort_to_tensors(train, decoding, network.config, torch.device(self.device))
        set_values_by_costs(network, train, learn, decoding)
        learned = replace(first, network=network, decoding=decoding)
        start = by_value_alone(learned) if train.study.reward.costs else learned
        return select_policy(learned, start, validation, self.selection, self.discount)

    def _value_target(
        self, target: Network, batch: Batch, targets: losses.Targets, decoding: Decoding
    ) -> Float[Tensor, "decision treatment"]:
        """Standardised reward plus the discounted value of the next decision."""
        goal = targets.rewards
        if self.discount > 0 and bool(targets.has_next.any() | targets.is_truncated.any()):
            with torch.no_grad():
                output = target(batch)
            cautious = replace(decoding, pessimism=self.pessimism)
            supported = supported_treatments(
                behaviour_probabilities(output), targets.allowed, decoding.min_support
            )
            value = pessimistic_value(output, cautious).masked_fill(~supported, -torch.inf).amax(1)
            later = torch.where(targets.has_next, torch.roll(value, -1), 0.0) * self.discount
            later = later.masked_fill(targets.is_truncated, torch.nan)
            received = targets.treatment.clamp_min(0)[:, None]
            goal = goal.scatter(1, received, goal.gather(1, received) + later[:, None])
        return (goal - decoding.value_center) / decoding.value_spread

    def _value_error(
        self, network: Network, cohort: CohortTensors, decoding: Decoding
    ) -> dict[str, float]:
        """Squared error of the members' mean value over a cohort, in standardised rewards."""
        total, count = 0.0, 0.0
        for batch, targets in iterate_batches(cohort):
            goal = self._value_target(network, batch, targets, decoding)
            mean = network(batch, targets.log_dose).value.mean(1, keepdim=True)
            size = float((~goal.isnan() * targets.reward_weight[:, None]).sum())
            total += float(losses.value(mean, goal, targets.reward_weight)) * size
            count += size
        error = total / max(count, 1e-6)
        return {"value": error, "score": error}


def _with_value_scale(decoding: Decoding, train: Cohort, learner: Reinforcement) -> Decoding:
    """The decoding with the scale of the training returns and the learner's minimum support."""
    returns = returns_to_go(train, learner.discount)
    known = returns[~np.isnan(returns)]
    return replace(
        decoding,
        value_center=float(known.mean()),
        value_spread=float(known.std()) or 1.0,
        min_support=learner.min_support if _is_partly_known(train) else 0.0,
    )


def _is_partly_known(train: Cohort) -> bool:
    """Whether the reward of some option is unknown."""
    return bool(np.isnan(known_rewards(train)).any())


def _init_values(
    network: Network,
    cohort: CohortTensors,
    decoding: Decoding,
    returns: Float64[np.ndarray, "decision treatment"],
) -> None:
    """Set `effect_to_value` by ridge regression (1e-3 each) of each treatment's returns.

    The columns are every treatment's P(effective).
    """
    probabilities, weight = [], []
    network.eval()
    with torch.no_grad():
        for batch, targets in iterate_batches(cohort):
            output = network(batch, targets.log_dose)
            probabilities.append(network.effect_probability(output.effectiveness).mean(1))
            weight.append(targets.reward_weight)
        X, w = torch.cat(probabilities).double(), torch.cat(weight).double()
        X = torch.cat([X, torch.ones_like(X[:, :1])], 1)
        y = torch.as_tensor(returns, device=X.device)
        y = (y - decoding.value_center) / decoding.value_spread
        for treatment in range(y.shape[1]):
            known = ~y[:, treatment].isnan()
            A, b = X[known] * w[known, None], y[known, treatment]
            ridge = 1e-3 * max(len(A), 1) * torch.eye(A.shape[1], dtype=A.dtype, device=A.device)
            coefficients = torch.linalg.solve(X[known].T @ A + ridge, A.T @ b).float()
            network.effect_to_value.weight[treatment] = coefficients[:-1]
            network.effect_to_value.bias[treatment] = coefficients[-1]


def _update_target(target: Network, network: Network, tau: float) -> None:
    with torch.no_grad():
        for old, new in zip(target.parameters(), network.parameters(), strict=True):
            old.lerp_(new, tau)
