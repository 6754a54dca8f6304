"""What the learners of logged decisions share: rows, rewards, what follows, what clinicians do."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from posology.domain.cohort import Cohort
from posology.errors import UserError
from posology.learners.features.recent_window import Recent, RecentSpec, recent, recent_spec
from posology.learners.features.rewards import (
    follow_up_weights,
    has_next_decision,
    is_truncated,
    known_rewards,
    permitted_treatments,
    returns_to_go,
)
from posology.learners.offline_rl.policy import usage
from posology.learners.offline_rl.q_network import Fitting, ValueNet, Weights, descend, take


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """Decisions in order of subject and time, ready to learn from."""

    spec: RecentSpec
    rows: Recent
    learn: Int64[Tensor, " learned"]
    """Rows whose reward is known, and what came of them seen."""
    treatment: Int64[Tensor, " decision"]
    reward: Float[Tensor, " decision"]
    """In standard deviations of the returns."""
    returns: Float[Tensor, " decision"]
    """What was earned to the end, standardised."""
    more: Bool[Tensor, " decision"]
    weight: Float[Tensor, " decision"]
    usual: Bool[Tensor, "decision treatment"]
    """Allowed, and not rare."""
    center: float
    spread: float
    discount: float
    chance: bool
    """Whether all that is earned to the end is 0 or 1."""

    def target(
        self, rows: Int64[Tensor, " batch"], later: Float[Tensor, "*policy batch"]
    ) -> Float[Tensor, "*policy batch"]:
        """Standardised value of the option given, where the next decision's has value `later`."""
        zero = self.center / self.spread
        goes_on = torch.where(self.more[rows], later + zero, 0.0)
        return self.reward[rows] + self.discount * goes_on - zero

    def following(self, rows: Int64[Tensor, " batch"]) -> Int64[Tensor, " batch"]:
        """The rows of the next decisions; the same row where there is none."""
        return torch.where(self.more[rows], rows + 1, rows)


def logged(cohort: Cohort, fitting: Fitting, rare: float) -> tuple[Logged, Weights]:
    """A training cohort, and what its clinicians do."""
    spec = recent_spec(cohort, fitting.last, fitting.steps)
    rows = recent(spec, cohort.history, cohort.last_step)
    given, discount = cohort.treatment.astype(np.int64), cohort.study.reward.discount
    behaviour = propensity(spec, rows, given, cohort, fitting)
    at = (np.arange(len(cohort)), np.maximum(given, 0))
    reward, returns = known_rewards(cohort)[at], returns_to_go(cohort, discount)[at]
    more, late = has_next_decision(cohort), is_truncated(cohort) & (discount > 0)
    learn = np.flatnonzero(
        (given >= 0) & ~np.isnan(reward) & ~late & (follow_up_weights(cohort) > 0)
    )
    if not len(learn):
        raise UserError(
            f"study {cohort.study.name}: no decision has a treatment and a known reward; "
            "outcomes must be known of the option given before anything can be learned from them"
        )
    center, spread = float(returns[learn].mean()), float(returns[learn].std()) or 1.0
    allowed, chances = permitted_treatments(cohort), usage(behaviour, rows)
    likely = np.where(allowed, chances, 0.0)
    return Logged(
        spec, rows, torch.from_numpy(learn), torch.from_numpy(at[1]),
        torch.from_numpy((reward / spread).astype(np.float32)),
        torch.from_numpy(((returns - center) / spread).astype(np.float32)),
        torch.from_numpy(more), torch.from_numpy(follow_up_weights(cohort)),
        torch.from_numpy(allowed & (likely >= rare * likely.max(axis=1, keepdims=True))),
        center, spread, discount, bool(np.isin(returns[learn], (0.0, 1.0)).all()),
    ), behaviour  # fmt: skip


def propensity(
    spec: RecentSpec, rows: Recent, given: np.ndarray, cohort: Cohort, fitting: Fitting
) -> Weights:
    """One member by cross-entropy on the treatments given."""
    net = ValueNet(spec, len(cohort.study.formulary.treatments), fitting, members=1)
    known = torch.from_numpy(np.flatnonzero(given >= 0))
    truth = torch.from_numpy(given)

    def loss(batch: Tensor, _epoch: int) -> Tensor:
        chosen = known[batch]
        return F.cross_entropy(net(take(rows, chosen))[0], truth[chosen])

    descend(net, len(known), loss, fitting)
    return net.weights()


def squared(
    said: Float[Tensor, "member batch"],
    target: Float[Tensor, " batch"],
    weight: Float[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Mean squared error by weight."""
    return ((said - target).square().mean(0) * weight).sum() / weight.sum().clamp_min(1e-6)


def of_given(
    said: Float[Tensor, "member batch treatment"], given: Int64[Tensor, " batch"]
) -> Float[Tensor, "member batch"]:
    """The column of the treatment given, in each row."""
    return said.gather(2, given.expand(said.shape[0], -1)[..., None])[..., 0]


@torch.no_grad()
def follow(slow: ValueNet, net: ValueNet, moving: float) -> None:
    """Move the slow copy a little towards the network."""
    for old, new in zip(slow.parameters(), net.parameters(), strict=True):
        old.lerp_(new, 1 - moving)
