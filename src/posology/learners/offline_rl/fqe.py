"""What policies would earn, by fitted Q evaluation with the network of the recent past.

Le, Voloshin and Yue 2019 (ICML, algorithm 1): each decision's value is regressed on its reward and
the policy's mean value of what followed, by temporal differences with a slowly moving target. All
policies that are asked about share the two hidden layers.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.learners.features.recent_window import recent
from posology.learners.offline_rl.dataset import follow, logged
from posology.learners.offline_rl.q_network import Fitting, ValueNet, answers, descend, take

Policies = Float64[np.ndarray, "policy decision treatment"]


@dataclass(frozen=True, slots=True)
class FittedEvaluation:
    """Settings chosen on development seeds of the warfarin simulator's first world."""

    fitting: Fitting = field(default_factory=lambda: Fitting(epochs=60, batch=512))
    moving: float = 0.9
    """Share of itself that the slow copy keeps at each batch; at 0.95 and half the epochs some
    policies' values had not converged (`off_policy.unconverged` tells)."""

    def fit(
        self, learn: Cohort, policies: Policies, asked: Cohort
    ) -> Float64[np.ndarray, "policy asked treatment"]:
        """Value of every option at the decisions `asked`, then following each policy.

        learn: decisions to learn from, of other patients; policies: of those decisions.
        """
        return self.learned(learn, policies)(asked)

    def learned(
        self, learn: Cohort, policies: Policies
    ) -> Callable[[Cohort], Float64[np.ndarray, "policy asked treatment"]]:
        """The same for any decisions of other patients, asked as often as wanted."""
        quick = replace(self.fitting, epochs=1)  # what clinicians do is not needed
        known, _ = logged(learn, quick, 0.0)
        count, options = len(policies), policies.shape[2]
        net = ValueNet(known.spec, count * options, self.fitting)
        slow = copy.deepcopy(net)
        chances = torch.from_numpy(policies.astype(np.float32).transpose(1, 0, 2).copy())

        def loss(batch: Tensor, _epoch: int) -> Tensor:
            rows = known.learn[batch]
            then = known.following(rows)
            with torch.no_grad():
                said = slow(take(known.rows, then)).mean(0).unflatten(1, (count, options))
                target = known.target(rows, (said * chances[then]).sum(2).T)
            said = net(take(known.rows, rows)).unflatten(2, (count, options))
            given = known.treatment[rows][None, :, None, None].expand(*said.shape[:3], 1)
            error = said.gather(3, given)[..., 0] - target.T
            return (error.square().mean((0, 2)) * known.weight[rows]).mean()

        descend(net, len(known.learn), loss, self.fitting, lambda: follow(slow, net, self.moving))

        def value(asked: Cohort) -> Float64[np.ndarray, "policy asked treatment"]:
            rows = recent(known.spec, asked.history, asked.last_step)
            said = answers(net.weights(), rows).mean(axis=1) * known.spread + known.center
            return said.reshape(len(said), count, options).transpose(1, 0, 2)

        return value
