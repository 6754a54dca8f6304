"""Fitted Q evaluation with the network of the recent past.

Le, Voloshin and Yue 2019 (ICML, algorithm 1): the value of each decision is regressed on its reward
plus the target policy's mean value of the next decision, by temporal differences with a target
network. Policies evaluated together share the two hidden layers.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.learners.features.recent_window import build_recent_rows
from posology.learners.offline_rl.dataset import build_dataset
from posology.learners.offline_rl.q_network import (
    QNetwork,
    QNetworkSettings,
    predict_outputs,
    select_rows,
    train_network,
    update_target,
)

Policies = Float64[np.ndarray, "policy decision treatment"]
PredictQ = Callable[[Cohort], Float64[np.ndarray, "policy evaluated treatment"]]


@dataclass(frozen=True, slots=True)
class FittedQEvaluation:
    """Settings chosen on development seeds of the warfarin simulator's 2007 model."""

    settings: QNetworkSettings = field(
        default_factory=lambda: QNetworkSettings(epochs=60, batch=512)
    )
    tau: float = 0.1
    """Update rate of the target network per batch; at 0.05 and half the epochs some policies'
    values had not converged (check with `off_policy.summed_td_error`)."""

    def fit(self, train: Cohort, policies: Policies) -> PredictQ:
        """A function from a cohort to each policy's action values at its decisions.

        `policies` are choice probabilities at the decisions of `train`; evaluate on other patients.
        """
        data = build_dataset(train, self.settings)
        count, options = len(policies), policies.shape[2]
        network = QNetwork(data.spec, count * options, replace(self.settings, going_on=False))
        target_network = copy.deepcopy(network)
        probability = torch.from_numpy(policies.astype(np.float32).transpose(1, 0, 2).copy())

        def loss(batch: Tensor, _epoch: int) -> Tensor:
            rows = data.usable[batch]
            next_rows = data.next_rows(rows)
            with torch.no_grad():
                values = target_network(select_rows(data.rows, next_rows)).mean(0)
                values = values.unflatten(1, (count, options))
                target = data.td_target(rows, (values * probability[next_rows]).sum(2).T)
            values = network(select_rows(data.rows, rows)).unflatten(2, (count, options))
            chosen = data.treatment[rows][None, :, None, None].expand(*values.shape[:3], 1)
            error = values.gather(3, chosen)[..., 0] - target.T
            return (error.square().mean((0, 2)) * data.weight[rows]).mean()

        train_network(
            network,
            len(data.usable),
            loss,
            self.settings,
            lambda: update_target(target_network, network, self.tau),
        )
        weights = network.to_weights()

        def predict_q(cohort: Cohort) -> Float64[np.ndarray, "policy evaluated treatment"]:
            rows = build_recent_rows(data.spec, cohort.history, cohort.last_step)
            score = predict_outputs(weights, rows).mean(axis=1)
            values = score * data.return_std + data.return_mean
            return values.reshape(len(values), count, options).transpose(1, 0, 2)

        return predict_q
