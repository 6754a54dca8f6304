"""The value of a single decision's option: its reward if effective, less what its harms cost.

P(effective) is known from the supervised phase, better than from rewards, in which it is mixed with
the noise of rare and costly harms. So only the costs are learned, in closed form.
"""

import numpy as np
import torch
from jaxtyping import Float64

from posology.domain.cohort import Cohort
from posology.learners.features.rewards import reward_weights
from posology.learners.network.policy import Decoding
from posology.learners.network.tensors import CohortTensors, iterate_batches
from posology.learners.outcome_models.ard_ridge import LeastSquaresMoments, fit_ard_ridge
from posology.nn.network import Network

_UNPENALISED, _OPTION, _PATIENT = -1, 0, 1


def set_values_by_costs(
    network: Network, train: Cohort, learn: CohortTensors, decoding: Decoding
) -> None:
    """Set the network's values, in place: P(effective) times its reward less the expected cost.

    The expected cost is a level of each option, drawn towards the mean of all as far as the options
    do not differ, and a linear function of every option's P(effective), which tells how ill a
    patient is and is the same for all options. Without costs it is 0.

    Args:
        network: after the supervised phase.
        train: the training decisions; `learn` are the same as tensors.
        decoding: with the scale of the values.
    """
    probability = _effect_probabilities(network, learn)
    level, slope = fit_costs(probability, train)
    options = len(level)
    weight = train.study.reward.effective * np.eye(options) - slope[None, :]
    bias = -level - decoding.value_center
    with torch.no_grad():
        network.value.weight.zero_()
        network.value.bias.zero_()
        network.effect_to_value.weight.copy_(torch.as_tensor(weight / decoding.value_spread))
        network.effect_to_value.bias.copy_(torch.as_tensor(bias / decoding.value_spread))


def fit_costs(
    probability: Float64[np.ndarray, "decision treatment"], train: Cohort
) -> tuple[Float64[np.ndarray, " treatment"], Float64[np.ndarray, " treatment"]]:
    """Expected cost of each option where every P(effective) is 0, and its slopes on these.

    All 0 where the study has no costs, or none is known.
    """
    options, weight = probability.shape[1], reward_weights(train).astype(np.float64)
    cost = np.full(len(train), np.nan) if train.cost is None else train.cost.astype(np.float64)
    known = (train.treatment >= 0) & ~np.isnan(cost) & (weight > 0)
    if not train.study.reward.costs or not known.any():
        return np.zeros(options), np.zeros(options)
    X, y, w = probability[known], cost[known], weight[known]
    center = np.average(X, axis=0, weights=w)
    given = np.eye(options)[train.treatment[known]]
    columns = np.column_stack([np.ones(len(y)), given, X - center])
    weighted = columns.T * w
    moments = LeastSquaresMoments(weighted @ columns, weighted @ y, w @ y**2, w.sum())
    groups = np.r_[_UNPENALISED, np.full(options, _OPTION), np.full(options, _PATIENT)]
    found, _ = fit_ard_ridge(moments, groups)
    slope = found[1 + options :]
    return found[0] + found[1 : 1 + options] - center @ slope, slope


def _effect_probabilities(
    network: Network, learn: CohortTensors
) -> Float64[np.ndarray, "decision treatment"]:
    """Members' mean P(effective) of every option, at its best dose."""
    network.eval()
    with torch.no_grad():
        parts = [
            network.effect_probability(network(batch).effectiveness).mean(1)
            for batch, _ in iterate_batches(learn)
        ]
    return torch.cat(parts).double().cpu().numpy()
