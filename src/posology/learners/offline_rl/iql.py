"""Implicit Q-learning (Kostrikov, Nair and Levine 2022, ICLR, arXiv:2110.06169), discrete.

Only logged options are evaluated: the value of a state is an upper expectile of the values of the
options logged there (equation 5), and the policy is behaviour * exp(advantage / temperature)
(equation 7, in closed form).
"""

import copy
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.learners.features.rewards import with_last_states
from posology.learners.offline_rl.dataset import (
    build_dataset,
    fit_behaviour_policy,
    values_of_treatment,
    weighted_squared_error,
)
from posology.learners.offline_rl.policy import ActionSelection, RecentWindowPolicy
from posology.learners.offline_rl.q_network import (
    EnsembleWeights,
    QNetwork,
    QNetworkSettings,
    select_rows,
    train_network,
    update_target,
    with_batches_for_values,
)


@dataclass(frozen=True, slots=True)
class ImplicitQLearning:
    """IQL with the paper's expectile, and its inverse temperature of 3."""

    settings: QNetworkSettings = field(default_factory=QNetworkSettings)
    expectile: float = 0.7
    temperature: float = 1 / 3
    """In standard deviations of the returns."""
    tau: float = 0.02
    """Update rate of the target network per batch."""

    def fit(self, train: Cohort, validation: Cohort) -> RecentWindowPolicy:  # noqa: ARG002
        """Train on `train`; nothing is selected on `validation`."""
        settings = with_batches_for_values(self.settings, train)
        train = with_last_states(train, train.study.reward.discount)
        data = build_dataset(train, settings)
        behaviour = fit_behaviour_policy(data.spec, data.rows, train, settings)
        options = len(train.study.formulary.treatments)
        network = QNetwork(data.spec, options + 1, settings)  # the last output is V(s)
        target_network = copy.deepcopy(network)

        def loss(batch: Tensor, _epoch: int) -> Tensor:
            rows = data.usable[batch]
            treatment, weight = data.treatment[rows], data.weight[rows]
            with torch.no_grad():
                following = select_rows(data.rows, data.next_rows(rows))
                next_value = target_network(following)[..., -1].mean(0)
                target_q = target_network(select_rows(data.rows, rows))
                target_q = values_of_treatment(target_q, treatment).mean(0)
            outputs = network(select_rows(data.rows, rows))
            advantage = target_q - outputs[..., -1]
            expectile_weight = torch.where(advantage > 0, self.expectile, 1 - self.expectile)
            state_error = (expectile_weight * advantage.square()).mean(0)
            state_loss = (state_error * weight).sum() / weight.sum()
            logged = values_of_treatment(outputs, treatment)
            target = data.td_target(rows, next_value)
            return state_loss + weighted_squared_error(logged, target, weight)

        train_network(
            network,
            len(data.usable),
            loss,
            settings,
            lambda: update_target(target_network, network, self.tau),
        )
        return RecentWindowPolicy(
            train.study.formulary,
            train.profile,
            data.spec,
            behaviour,
            ActionSelection(
                data.return_mean,
                data.return_std,
                self.temperature * data.return_std,
                is_probability=data.is_probability,
            ),
            _without_state_value(network.to_weights(), options),
        )


def _without_state_value(weights: EnsembleWeights, options: int) -> EnsembleWeights:
    return replace(
        weights, last=weights.last[..., :options], last_bias=weights.last_bias[..., :options]
    )
