"""Behaviour cloning: do what clinicians do, as far as the recent past tells it."""

from dataclasses import dataclass, field

import numpy as np

from posology.domain.cohort import Cohort
from posology.learners.features.recent_window import recent, recent_spec
from posology.learners.offline_rl.dataset import propensity
from posology.learners.offline_rl.policy import Acting, RecentPolicy
from posology.learners.offline_rl.q_network import Fitting


@dataclass(frozen=True, slots=True)
class Cloning:
    """Cross-entropy on the treatments given."""

    fitting: Fitting = field(default_factory=Fitting)

    def fit(self, train: Cohort, validation: Cohort) -> RecentPolicy:  # noqa: ARG002
        """Nothing is chosen, so the validation patients are left alone."""
        spec = recent_spec(train, self.fitting.last, self.fitting.steps)
        rows = recent(spec, train.history, train.last_step)
        behaviour = propensity(spec, rows, train.treatment.astype(np.int64), train, self.fitting)
        return RecentPolicy(train.study.formulary, train.profile, spec, behaviour, Acting(0.0, 1.0))
