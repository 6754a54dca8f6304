"""Discrete conservative Q-learning (Kumar et al. 2020, NeurIPS, arXiv:2006.04779, equation 4).

Double deep Q-learning and beside it a penalty: the log-sum-exp of all options' values less the
value of the option given, so that what was not given looks worse. The policy is greedy.
"""

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.learners.offline_rl.dataset import follow, logged, of_given, squared
from posology.learners.offline_rl.policy import Acting, RecentPolicy
from posology.learners.offline_rl.q_network import Fitting, ValueNet, descend, take


@dataclass(frozen=True, slots=True)
class ConservativeQ:
    """The weight of the penalty is d3rlpy's default."""

    fitting: Fitting = field(default_factory=Fitting)
    penalty: float = 1.0
    moving: float = 0.98

    def fit(self, train: Cohort, validation: Cohort) -> RecentPolicy:  # noqa: ARG002
        """Nothing is chosen, so the validation patients are left alone."""
        known, behaviour = logged(train, self.fitting, 0.0)
        net = ValueNet(known.spec, len(train.study.formulary.treatments), self.fitting)
        slow = copy.deepcopy(net)

        def loss(batch: Tensor, _epoch: int) -> Tensor:
            rows = known.learn[batch]
            then = take(known.rows, known.following(rows))
            with torch.no_grad():
                allowed = known.usual[known.following(rows)]
                best = net(then).mean(0).masked_fill(~allowed, -torch.inf).argmax(1)
                later = of_given(slow(then), best).mean(0)
            said = net(take(known.rows, rows))
            given, weight = of_given(said, known.treatment[rows]), known.weight[rows]
            gap = ((said.logsumexp(2) - given).mean(0) * weight).sum() / weight.sum()
            return squared(given, known.target(rows, later), weight) + self.penalty * gap

        descend(net, len(known.learn), loss, self.fitting, lambda: follow(slow, net, self.moving))
        acting = Acting(known.center, known.spread, chance=known.chance)
        formulary = train.study.formulary
        return RecentPolicy(formulary, train.profile, known.spec, behaviour, acting, net.weights())
