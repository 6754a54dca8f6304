"""Harms of champion and challenger in fresh patients: how they change, or else what bounds them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from posology.causal.doubly_robust_scores import Nuisance, fit_other_outcomes
from posology.causal.propensity import PROPENSITY_FLOOR
from posology.causal.trial import Column, Mask, Matrix
from posology.domain.cohort import Cohort
from posology.evaluation.off_policy.support import effective_sample_size
from posology.learners.effects.secondary_trials import SecondaryTrials, build_secondary_trials
from posology.learners.effects.target_trial import StudyTrial
from posology.lifecycle.gate.harm_bound import Followed, UnestimatedHarm
from posology.workflows.progress import Progress


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """What the models choose at some decisions of a trial."""

    rows: Mask
    champion: Matrix
    challenger: Matrix
    first: Matrix | None = None
    """Of the first champion; None while it is the champion."""

    @property
    def differs(self) -> Mask:
        """Whether challenger and champion choose otherwise."""
        return np.abs(self.challenger - self.champion)[self.rows].sum(axis=1) > 1e-9

    def change_of(self, scores: Matrix) -> Column:
        """By how much the challenger changes a score against the champion, by decision."""
        return ((self.challenger - self.champion) * scores).sum(axis=1)[self.rows]

    def change_since_first(self, scores: Matrix) -> Column:
        """The same against the first champion, which there must be."""
        assert self.first is not None
        return ((self.challenger - self.first) * scores).sum(axis=1)[self.rows]


@dataclass(frozen=True, slots=True, eq=False)
class Harms:
    """Of each harm: how it changes by decision, or what is known of it under each model."""

    changes: Mapping[str, Column]
    unestimated: Mapping[str, UnestimatedHarm]
    since_first: Mapping[str, Column]
    """Changes against the first champion; empty while it is the champion."""


def compare_harms(
    fresh: Cohort, trial: StudyTrial, nuisance: Nuisance, choices: Choices, progress: Progress
) -> Harms:
    """The study's harms and costs, by doubly robust scores where these can be estimated."""
    secondary = build_secondary_trials(fresh, trial)
    progress(f"other outcomes: {', '.join(secondary.trials) or 'none'}")
    scored = fit_other_outcomes(nuisance, secondary.trials)
    is_later = choices.first is not None
    return Harms(
        {name: choices.change_of(one.scores) for name, one in scored.items()},
        _bound(fresh, secondary, nuisance, choices),
        {n: choices.change_since_first(one.scores) for n, one in scored.items() if is_later},
    )


def _bound(
    fresh: Cohort, secondary: SecondaryTrials, nuisance: Nuisance, choices: Choices
) -> dict[str, UnestimatedHarm]:
    costs = sum(cost.cost for cost in fresh.study.reward.costs)
    diagnoses = {target.name for target in fresh.study.diagnosis}
    return {
        name: UnestimatedHarm(
            why=why,
            champion=followed(secondary.columns[name], nuisance, choices.champion, choices.rows),
            challenger=followed(
                secondary.columns[name], nuisance, choices.challenger, choices.rows
            ),
            largest=1.0 if name in diagnoses else costs,
        )
        for name, why in secondary.not_estimable.items()
    }


def followed(harm: Column, nuisance: Nuisance, choice: Matrix, rows: Mask) -> Followed:
    """What is known of a harm in those who were treated as the model would treat them."""
    trial = nuisance.trial
    known, given = rows & ~np.isnan(harm), trial.treatment
    if not known.any():
        return Followed(0.0)
    at = np.flatnonzero(known)
    propensity = np.maximum(nuisance.propensity.probability[at, given[at]], PROPENSITY_FLOOR)
    weight = choice[at, given[at]] / propensity
    is_seen = np.bincount(given[at], minlength=trial.n_options) > 0
    total = float(weight.sum())
    return Followed(
        size=effective_sample_size(weight, trial.subject[at]),
        share=float(weight @ (harm[at] > 0)) / total if total > 0 else 0.0,
        unknown=float(choice[rows][:, ~is_seen].sum(axis=1).mean()),
    )
