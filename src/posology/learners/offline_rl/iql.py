"""Implicit Q-learning (Kostrikov, Nair and Levine 2022, ICLR, arXiv:2110.06169), discrete.

No option that was not given is ever asked for its value: what follows is worth an upper expectile
of what was given there (equation 5), and the policy is behaviour * exp(advantage / temperature)
(equation 7, in closed form).
"""

import copy
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.learners.offline_rl.dataset import follow, logged, of_given, squared
from posology.learners.offline_rl.policy import Acting, RecentPolicy
from posology.learners.offline_rl.q_network import Fitting, ValueNet, Weights, descend, take


@dataclass(frozen=True, slots=True)
class ImplicitQ:
    """The paper's expectile; its inverse temperature of 3 in standard deviations of returns."""

    fitting: Fitting = field(default_factory=Fitting)
    expectile: float = 0.7
    temperature: float = 1 / 3
    """In standard deviations of the returns."""
    moving: float = 0.98

    def fit(self, train: Cohort, validation: Cohort) -> RecentPolicy:  # noqa: ARG002
        """Nothing is chosen, so the validation patients are left alone."""
        known, behaviour = logged(train, self.fitting, 0.0)
        options = len(train.study.formulary.treatments)
        both = ValueNet(known.spec, options + 1, self.fitting)  # the last answer is the state's
        slow = copy.deepcopy(both)

        def loss(batch: Tensor, _epoch: int) -> Tensor:
            rows = known.learn[batch]
            given, weight = known.treatment[rows], known.weight[rows]
            with torch.no_grad():
                later = slow(take(known.rows, known.following(rows)))[..., -1].mean(0)
                earned = of_given(slow(take(known.rows, rows)), given).mean(0)
            said = both(take(known.rows, rows))
            short = earned - said[..., -1]
            tilt = torch.where(short > 0, self.expectile, 1 - self.expectile)
            state = ((tilt * short.square()).mean(0) * weight).sum() / weight.sum()
            return state + squared(of_given(said, given), known.target(rows, later), weight)

        descend(both, len(known.learn), loss, self.fitting, lambda: follow(slow, both, self.moving))
        acting = Acting(
            known.center, known.spread, self.temperature * known.spread, chance=known.chance
        )
        learned = _without_state(both, options)
        formulary = train.study.formulary
        return RecentPolicy(formulary, train.profile, known.spec, behaviour, acting, learned)


def _without_state(both: ValueNet, options: int) -> Weights:
    learned = both.weights()
    return replace(
        learned, last=learned.last[..., :options], last_bias=learned.last_bias[..., :options]
    )
