"""The training set of the offline learners, and the clinicians' behaviour policy."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor
from torch.nn import functional as F

from posology.domain.cohort import Cohort
from posology.errors import UserError
from posology.learners.features.recent_window import (
    RecentRows,
    RecentWindowSpec,
    build_recent_rows,
    fit_recent_window,
)
from posology.learners.features.rewards import (
    has_next_decision,
    is_truncated,
    known_rewards,
    permitted_treatments,
    returns_to_go,
    reward_weights,
)
from posology.learners.offline_rl.policy import behaviour_probabilities
from posology.learners.offline_rl.q_network import (
    EnsembleWeights,
    QNetwork,
    QNetworkSettings,
    predict_outputs,
    select_rows,
    train_network,
    with_enough_batches,
)
from posology.learners.offline_rl.td_errors import clustered_mean

MEMORY_EPOCHS = 2
"""Our choice: as many as `PessimisticFQI` regresses on returns."""
CLEAR_ERRORS = 2.0
"""Standard errors of a clear difference: past treatments are given up where values with them are
clearly worse, tables of states where returns are clearly predicted better with them."""


@dataclass(frozen=True, slots=True, eq=False)
class OfflineDataset:
    """The decisions of a training cohort as rows and tensors, ordered by subject and time."""

    spec: RecentWindowSpec
    rows: RecentRows
    usable: Int64[Tensor, " usable"]
    """Rows to learn from: the reward is known, and the next decision where there is one."""
    treatment: Int64[Tensor, " decision"]
    reward: Float[Tensor, " decision"]
    """In standard deviations of the returns."""
    returns: Float[Tensor, " decision"]
    """Return from the decision to the end of the trajectory, standardised."""
    has_next: Bool[Tensor, " decision"]
    weight: Float[Tensor, " decision"]
    """Follow-up weight."""
    allowed: Bool[Tensor, "decision treatment"]
    return_mean: float
    return_std: float
    discount: float
    is_probability: bool
    """Whether every return is 0 or 1, so that a value is a probability."""

    def td_target(
        self, rows: Int64[Tensor, " batch"], next_value: Float[Tensor, "*policy batch"]
    ) -> Float[Tensor, "*policy batch"]:
        """Standardised reward plus discounted value of the next decision (0 where none)."""
        zero = self.return_mean / self.return_std
        following = torch.where(self.has_next[rows], next_value + zero, 0.0)
        return self.reward[rows] + self.discount * following - zero

    def next_rows(self, rows: Int64[Tensor, " batch"]) -> Int64[Tensor, " batch"]:
        """The rows of the next decisions; the same row where there is none."""
        return torch.where(self.has_next[rows], rows + 1, rows)


def build_dataset(cohort: Cohort, settings: QNetworkSettings) -> OfflineDataset:
    """The training set of a cohort; UserError where no decision can be learned from."""
    spec = fit_window(cohort, settings)
    rows = build_recent_rows(spec, cohort.history, cohort.last_step)
    treatment, discount = cohort.treatment.astype(np.int64), cohort.study.reward.discount
    column = np.maximum(treatment, 0)
    logged = (np.arange(len(cohort)), column)
    reward, returns = known_rewards(cohort)[logged], returns_to_go(cohort, discount)[logged]
    weight = reward_weights(cohort)
    truncated = is_truncated(cohort) & (discount > 0)
    usable = np.flatnonzero((treatment >= 0) & ~np.isnan(reward) & ~truncated & (weight > 0))
    if not len(usable):
        raise UserError(
            f"study {cohort.study.name}: no decision has a treatment and a known reward; "
            "the outcome of the chosen option must be known before anything can be learned"
        )
    mean, std = float(returns[usable].mean()), float(returns[usable].std()) or 1.0
    return OfflineDataset(
        spec=spec,
        rows=rows,
        usable=torch.from_numpy(usable),
        treatment=torch.from_numpy(column),
        reward=torch.from_numpy((reward / std).astype(np.float32)),
        returns=torch.from_numpy(((returns - mean) / std).astype(np.float32)),
        has_next=torch.from_numpy(has_next_decision(cohort)),
        weight=torch.from_numpy(weight),
        allowed=torch.from_numpy(permitted_treatments(cohort)),
        return_mean=mean,
        return_std=std,
        discount=discount,
        is_probability=bool(np.isin(returns[usable], (0.0, 1.0)).all()),
    )


def fit_window(cohort: Cohort, settings: QNetworkSettings) -> RecentWindowSpec:
    """The columns of a row with these settings."""
    return fit_recent_window(
        cohort,
        settings.lags,
        settings.code_steps,
        settings.treatment_lags,
        responses=settings.responses,
    )


def memory_gain(
    train: Cohort, validation: Cohort, settings: QNetworkSettings
) -> tuple[float, float]:
    """By how much past treatments lower the squared error of validation patients' returns.

    Mean over decisions, and its standard error over patients, after `MEMORY_EPOCHS` of regression
    on the standardised returns.
    """
    without = replace(settings, treatment_lags=0)
    gain = _errors(train, validation, without) - _errors(train, validation, settings)
    known = ~np.isnan(gain)
    return clustered_mean(gain[known], validation.subject[known])


def _errors(
    train: Cohort, validation: Cohort, settings: QNetworkSettings
) -> Float64[np.ndarray, " decision"]:
    """Squared error of the return at each validation decision; NaN where it is unknown."""
    settings = replace(settings, epochs=MEMORY_EPOCHS)
    data = build_dataset(train, settings)
    network = QNetwork(data.spec, data.allowed.shape[1], settings)

    def loss(batch: Tensor, _epoch: int) -> Tensor:
        rows = data.usable[batch]
        values = network(select_rows(data.rows, rows))
        logged = values_of_treatment(values, data.treatment[rows])
        return weighted_squared_error(logged, data.returns[rows], data.weight[rows])

    train_network(network, len(data.usable), loss, settings)
    rows = build_recent_rows(data.spec, validation.history, validation.last_step)
    given = np.maximum(validation.treatment.astype(np.int64), 0)
    returns = returns_to_go(validation, data.discount)[np.arange(len(given)), given]
    predicted = predict_outputs(network.to_weights(), rows).mean(axis=1)
    error = predicted[np.arange(len(given)), given]
    error = error - (returns - data.return_mean) / data.return_std
    return np.where(validation.treatment >= 0, error**2, np.nan)


def fit_behaviour_policy(
    spec: RecentWindowSpec, rows: RecentRows, cohort: Cohort, settings: QNetworkSettings
) -> EnsembleWeights:
    """Logits of the clinicians' choice, one member, by cross-entropy on their treatments.

    With more batches than `settings` where decisions are few (`with_enough_batches`).
    """
    network = QNetwork(spec, len(cohort.study.formulary.treatments), settings, members=1)
    treatment = cohort.treatment.astype(np.int64)
    known = torch.from_numpy(np.flatnonzero(treatment >= 0))
    chosen = torch.from_numpy(treatment)

    def loss(batch: Tensor, _epoch: int) -> Tensor:
        rows_of_batch = known[batch]
        logits = network(select_rows(rows, rows_of_batch))[0]
        return F.cross_entropy(logits, chosen[rows_of_batch])

    train_network(network, len(known), loss, with_enough_batches(settings, len(known)))
    return network.to_weights()


def supported_treatments(
    dataset: OfflineDataset, behaviour: EnsembleWeights, min_support: float
) -> Bool[Tensor, "decision treatment"]:
    """Allowed treatments at least `min_support` times as probable as the most probable one."""
    allowed = dataset.allowed.numpy()
    probability = np.where(allowed, behaviour_probabilities(behaviour, dataset.rows), 0.0)
    least = min_support * probability.max(axis=1, keepdims=True)
    return torch.from_numpy(allowed & (probability >= least))


def weighted_squared_error(
    predicted: Float[Tensor, "member batch"],
    target: Float[Tensor, " batch"],
    weight: Float[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Weighted mean of the squared error, averaged over members."""
    return ((predicted - target).square().mean(0) * weight).sum() / weight.sum().clamp_min(1e-6)


def values_of_treatment(
    values: Float[Tensor, "member batch treatment"], treatment: Int64[Tensor, " batch"]
) -> Float[Tensor, "member batch"]:
    """The value of one treatment per row."""
    return values.gather(2, treatment.expand(values.shape[0], -1)[..., None])[..., 0]
