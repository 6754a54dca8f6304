"""Fitted Q iteration with a lower confidence bound, among supported and allowed options.

Ours: fitted Q (Ernst, Geurts and Wehenkel 2005, JMLR 6:503) by temporal differences with a target
network; options that clinicians rarely choose are part of neither the next decision's value nor the
policy (Fujimoto et al. 2019, arXiv:1910.01708), and disagreement among the ensemble's members
lowers an option's value.
"""

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.learners.features.rewards import with_last_states
from posology.learners.offline_rl.dataset import (
    CLEAR_ERRORS,
    build_dataset,
    fit_behaviour_policy,
    supported_treatments,
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
    without_past_treatments,
)
from posology.learners.offline_rl.td_errors import PerDecision, clustered_mean, squared_td_errors

LEARNING_RATE = 5e-3
"""Better than the rate of `QNetworkSettings` on development patients of two simulators."""


@dataclass(frozen=True, slots=True)
class PessimisticFQI:
    """Settings chosen on development seeds of the warfarin simulator's 2007 model."""

    settings: QNetworkSettings = field(
        default_factory=lambda: QNetworkSettings(learning_rate=LEARNING_RATE)
    )
    pessimism: float = 0.5
    """Standard deviations over members subtracted from each value."""
    min_support: float = 0.1
    """Least behaviour probability of an option, relative to the most probable one."""
    warmup_epochs: int = 2
    """Epochs of regression on observed returns, before temporal differences."""
    tau: float = 0.02
    """Update rate of the target network per batch."""

    def fit(self, train: Cohort, validation: Cohort) -> RecentWindowPolicy:
        """Train on `train`; `validation` may decide against past treatments.

        Where the last observation holds the whole state, past treatments only add noise: values
        that see them are then further from their own targets on patients they were not learned from
        (docs/decisions/histories.md).
        """
        fitted = self._fit_values(train, self.settings)
        if not self.settings.sees_treatments:
            return fitted
        without = self._fit_values(train, without_past_treatments(self.settings))
        return without if _is_clearly_closer(without, fitted, validation) else fitted

    def _fit_values(self, train: Cohort, settings: QNetworkSettings) -> RecentWindowPolicy:
        settings = with_batches_for_values(settings, train)
        train = with_last_states(train, train.study.reward.discount)
        data = build_dataset(train, settings)
        behaviour = fit_behaviour_policy(data.spec, data.rows, train, settings)
        supported = supported_treatments(data, behaviour, self.min_support)
        network = QNetwork(data.spec, len(train.study.formulary.treatments), settings)
        target_network = copy.deepcopy(network)

        def loss(batch: Tensor, epoch: int) -> Tensor:
            rows = data.usable[batch]
            target = data.returns[rows]
            if epoch >= self.warmup_epochs and data.discount > 0:
                next_rows = data.next_rows(rows)
                with torch.no_grad():
                    values = target_network(select_rows(data.rows, next_rows))
                    lower = values.mean(0) - self.pessimism * values.std(0, correction=0)
                    next_value = lower.masked_fill(~supported[next_rows], -torch.inf).amax(1)
                target = data.td_target(rows, next_value)
            values = network(select_rows(data.rows, rows))
            logged = values_of_treatment(values, data.treatment[rows])
            return weighted_squared_error(logged, target, data.weight[rows])

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
                pessimism=self.pessimism,
                min_support=self.min_support,
                is_probability=data.is_probability,
            ),
            network.to_weights(),
        )


def _is_clearly_closer(
    one: RecentWindowPolicy, other: RecentWindowPolicy, validation: Cohort
) -> bool:
    """Whether the first one's values are clearly closer to their targets on these patients."""
    seen = with_last_states(validation, validation.study.reward.discount)

    def errors(policy: RecentWindowPolicy) -> PerDecision:
        behaviour, value = policy.behaviour_and_values(seen.history, seen.last_step)
        return squared_td_errors(value, behaviour, seen, policy.selection.min_support)

    gain, error = clustered_mean(errors(other) - errors(one), seen.subject)
    return gain > CLEAR_ERRORS * error
