"""Ours on the recent past: values of an ensemble's lower bound among what is usual and allowed.

Fitted Q (Ernst, Geurts and Wehenkel 2005, JMLR 6:503) by temporal differences with a slowly moving
target; options that clinicians rarely give are no part of later values nor of the policy (Fujimoto
et al. 2019, arXiv:1910.01708), and disagreement among members counts against an option.
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
class FittedValues:
    """Settings chosen on development seeds of the warfarin simulator's first world."""

    fitting: Fitting = field(default_factory=Fitting)
    pessimism: float = 0.5
    rare: float = 0.1
    warm: int = 2
    """Epochs on what was earned to the end, before temporal differences."""
    moving: float = 0.98
    """Share of itself that the slow copy keeps at each batch."""

    def fit(self, train: Cohort, validation: Cohort) -> RecentPolicy:  # noqa: ARG002
        """Nothing is chosen, so the validation patients are left alone."""
        known, behaviour = logged(train, self.fitting, self.rare)
        net = ValueNet(known.spec, len(train.study.formulary.treatments), self.fitting)
        slow = copy.deepcopy(net)

        def loss(batch: Tensor, epoch: int) -> Tensor:
            rows = known.learn[batch]
            target = known.returns[rows]
            if epoch >= self.warm and known.discount > 0:
                then = known.following(rows)
                with torch.no_grad():
                    said = slow(take(known.rows, then))
                    lower = said.mean(0) - self.pessimism * said.std(0, correction=0)
                    later = lower.masked_fill(~known.usual[then], -torch.inf).amax(1)
                target = known.target(rows, later)
            said = of_given(net(take(known.rows, rows)), known.treatment[rows])
            return squared(said, target, known.weight[rows])

        descend(net, len(known.learn), loss, self.fitting, lambda: follow(slow, net, self.moving))
        acting = Acting(known.center, known.spread, 0.0, self.pessimism, self.rare, known.chance)
        formulary = train.study.formulary
        return RecentPolicy(formulary, train.profile, known.spec, behaviour, acting, net.weights())
