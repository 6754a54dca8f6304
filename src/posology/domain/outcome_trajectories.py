"""An outcome over visits under treatments, and plans of treatments whose outcome is predicted."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64


@dataclass(frozen=True, slots=True, eq=False)
class OutcomeTrajectories:
    """Logged trajectories, padded: visit 0, then a treatment and a visit in every step."""

    outcome: Float64[np.ndarray, "subject visit"]
    """At each visit, one more than there are steps; NaN once follow-up has ended."""
    treatment: Float64[np.ndarray, "subject step component"]
    """Dose of each component between visits `step` and `step + 1`; 0 where not given."""
    statics: Float64[np.ndarray, "subject static"]
    """Covariates that do not change."""

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def is_observed(self) -> Bool[np.ndarray, "subject step"]:
        """Whether the outcome is known both before and after the step."""
        known = ~np.isnan(self.outcome)
        return known[:, :-1] & known[:, 1:]


@dataclass(frozen=True, slots=True, eq=False)
class Plans:
    """Sequences of treatments from a visit on, one a row."""

    subject: Int64[np.ndarray, " plan"]
    """Row of the trajectories; ascending rows are predicted faster."""
    visit: Int64[np.ndarray, " plan"]
    """Last visit that is seen; nothing after it may be read."""
    treatment: Float64[np.ndarray, "plan horizon component"]

    def __len__(self) -> int:
        return len(self.subject)


@dataclass(frozen=True, slots=True, eq=False)
class PlannedOutcomes:
    """The predicted outcome after each step of each plan."""

    mean: Float64[np.ndarray, "plan horizon"]
    low: Float64[np.ndarray, "plan horizon"]
    high: Float64[np.ndarray, "plan horizon"]
    """Ends of the prediction interval."""


def select_subjects(
    trajectories: OutcomeTrajectories, rows: Int64[np.ndarray, " row"]
) -> OutcomeTrajectories:
    """The trajectories of some subjects."""
    t = trajectories
    return OutcomeTrajectories(t.outcome[rows], t.treatment[rows], t.statics[rows])


def select_plans(plans: Plans, rows: Int64[np.ndarray, " row"] | slice) -> Plans:
    """Some of the plans."""
    return Plans(plans.subject[rows], plans.visit[rows], plans.treatment[rows])


def logged_plans(trajectories: OutcomeTrajectories, horizon: int) -> Plans:
    """The treatments that were given, from every visit with `horizon` observed steps after it."""
    observed, steps = trajectories.is_observed, trajectories.treatment.shape[1]
    starts = steps - horizon + 1
    if starts < 1:
        starts = 0
    whole = np.ones((len(trajectories), starts), dtype=bool)
    for ahead in range(horizon):
        whole &= observed[:, ahead : ahead + starts]
    subject, visit = np.nonzero(whole)
    steps_ahead = visit[:, None] + np.arange(horizon)
    return Plans(subject, visit, trajectories.treatment[subject[:, None], steps_ahead])


def outcomes_under(
    trajectories: OutcomeTrajectories, plans: Plans
) -> Float64[np.ndarray, "plan horizon"]:
    """What was observed after each step of plans that were followed."""
    ahead = plans.visit[:, None] + 1 + np.arange(plans.treatment.shape[1])
    return trajectories.outcome[plans.subject[:, None], ahead]
