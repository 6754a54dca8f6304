"""Behaviour cloning: imitate the clinicians, as far as the recent past predicts their choice."""

from dataclasses import dataclass, field

from posology.domain.cohort import Cohort
from posology.learners.features.recent_window import build_recent_rows
from posology.learners.offline_rl.dataset import fit_behaviour_policy, fit_window
from posology.learners.offline_rl.policy import ActionSelection, RecentWindowPolicy
from posology.learners.offline_rl.q_network import QNetworkSettings


@dataclass(frozen=True, slots=True)
class BehaviourCloning:
    """Cross-entropy on the clinicians' treatments."""

    settings: QNetworkSettings = field(default_factory=QNetworkSettings)

    def fit(self, train: Cohort, validation: Cohort) -> RecentWindowPolicy:  # noqa: ARG002
        """Train on `train`; nothing is selected on `validation`."""
        spec = fit_window(train, self.settings)
        rows = build_recent_rows(spec, train.history, train.last_step)
        behaviour = fit_behaviour_policy(spec, rows, train, self.settings)
        selection = ActionSelection(value_mean=0.0, value_std=1.0)
        return RecentWindowPolicy(train.study.formulary, train.profile, spec, behaviour, selection)
