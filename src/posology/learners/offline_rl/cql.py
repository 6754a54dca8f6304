"""Discrete conservative Q-learning (Kumar et al. 2020, NeurIPS, arXiv:2006.04779, equation 4).

Double deep Q-learning with a penalty: the log-sum-exp of all options' values less the value of the
logged option, which lowers the values of options outside the data. The policy is greedy.
"""

import copy
from dataclasses import dataclass, field

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
    QNetwork,
    QNetworkSettings,
    select_rows,
    train_network,
    update_target,
    with_batches_for_values,
)


@dataclass(frozen=True, slots=True)
class ConservativeQLearning:
    """CQL; `alpha` has d3rlpy's default."""

    settings: QNetworkSettings = field(default_factory=QNetworkSettings)
    alpha: float = 1.0
    """Weight of the penalty."""
    tau: float = 0.02
    """Update rate of the target network per batch."""

    def fit(self, train: Cohort, validation: Cohort) -> RecentWindowPolicy:  # noqa: ARG002
        """Train on `train`; nothing is selected on `validation`."""
        settings = with_batches_for_values(self.settings, train)
        train = with_last_states(train, train.study.reward.discount)
        data = build_dataset(train, settings)
        behaviour = fit_behaviour_policy(data.spec, data.rows, train, settings)
        network = QNetwork(data.spec, len(train.study.formulary.treatments), settings)
        target_network = copy.deepcopy(network)

        def loss(batch: Tensor, _epoch: int) -> Tensor:
            rows = data.usable[batch]
            next_rows = data.next_rows(rows)
            following = select_rows(data.rows, next_rows)
            with torch.no_grad():
                allowed = data.allowed[next_rows]
                best = network(following).mean(0).masked_fill(~allowed, -torch.inf).argmax(1)
                next_value = values_of_treatment(target_network(following), best).mean(0)
            values, weight = network(select_rows(data.rows, rows)), data.weight[rows]
            logged = values_of_treatment(values, data.treatment[rows])
            penalty = ((values.logsumexp(2) - logged).mean(0) * weight).sum() / weight.sum()
            error = weighted_squared_error(logged, data.td_target(rows, next_value), weight)
            return error + self.alpha * penalty

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
            ActionSelection(data.return_mean, data.return_std, is_probability=data.is_probability),
            network.to_weights(),
        )
