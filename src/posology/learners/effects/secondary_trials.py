"""Harms, later diagnoses and costs as outcomes of the same trial."""

from dataclasses import dataclass, replace

import numpy as np

from posology.causal.trial import Column, Trial, option_name, rare_options
from posology.domain.cohort import Cohort
from posology.learners.effects.follow_up import follow_up_of, harm_costs
from posology.learners.effects.target_trial import StudyTrial

COSTS, COST_UNIT = "cost of harms", "units of the reward"
COST_OF_HARMS = f"{COSTS}, in {COST_UNIT}"
"""Name of the costs among the secondary outcomes; the others are the study's diagnoses."""
MIN_KNOWN_SHARE = 0.2
"""Share of decisions in which a secondary outcome must be known. Our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class SecondaryTrials:
    """Secondary outcomes of the same decisions."""

    trials: dict[str, Trial]
    not_estimable: dict[str, str]
    """The others, and why their effects cannot be estimated."""
    columns: dict[str, Column]
    """Values of the others at each decision; NaN where unknown."""


def build_secondary_trials(cohort: Cohort, study_trial: StudyTrial) -> SecondaryTrials:
    """Secondary outcomes as trials with the same rows: later diagnoses, and the cost of harms."""
    row, columns = study_trial.row, {}
    if cohort.diagnosis is not None:
        for at, target in enumerate(cohort.study.diagnosis):
            days, by = cohort.diagnosis_days, cohort.diagnosis_resolved_by
            columns[target.name] = (
                cohort.diagnosis[row, at].astype(np.float64),
                None if days is None else days[row, at],
                None if by is None else by[row, at],
            )
    if cohort.study.reward.costs:
        columns[COST_OF_HARMS] = harm_costs(cohort, row)
    trials, not_estimable, others = {}, {}, {}
    for name, (column, days, by) in columns.items():
        known = ~np.isnan(column)
        if reason := _why_not_estimable(column, study_trial.trial):
            not_estimable[name], others[name] = reason, column
            continue
        trials[name] = replace(
            study_trial.trial,
            outcome=np.where(known, column, 0.0),
            follow_up=follow_up_of(known, days, by),
            has_closed_windows=False,  # they have windows of their own
        )
    return SecondaryTrials(trials, not_estimable, others)


def _why_not_estimable(column: Column, trial: Trial) -> str:
    """Why effects on a secondary outcome cannot be estimated; empty if they can."""
    known = ~np.isnan(column)
    if known.mean() <= MIN_KNOWN_SHARE:
        return (
            f"known of {known.sum():,} of {len(known):,} decisions only; more than "
            f"{MIN_KNOWN_SHARE:.0%} are needed"
        )
    values = np.unique(column[known])
    if len(values) < 2:
        return f"{values[0]:g} in all {known.sum():,} decisions where it is known"
    per_option = np.bincount(trial.treatment[known], minlength=trial.n_options)
    for k in sorted(set(np.flatnonzero(per_option == 0).tolist()) - set(rare_options(trial))):
        return f"not known of any decision of {option_name(trial, k)}"
    return ""
