"""Which options a fitted policy may prefer: those that enough training patients were given.

The least number is that of advice and of effect studies (evaluation/effects/judged_options.py), so
that what is evaluated, updated and exported is the policy that a recommendation follows.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from posology.domain.cohort import TRAIN, Cohort
from posology.domain.formulary import Formulary
from posology.evaluation.effects.judged_options import MIN_EFFECTIVE_SAMPLE_SIZE

LEAST_PATIENTS = int(MIN_EFFECTIVE_SAMPLE_SIZE)


def mark_unlearned(cohort: Cohort) -> Cohort:
    """The cohort, whose study's options say which ones policies fitted on it do not learn.

    An option is learned if it is known of LEAST_PATIENTS training patients what it did, or would
    have done where that is known of every option, as of doses. Where no option has so many,
    nothing can be compared, and those of which nothing is known are left out.
    """
    study = cohort.study
    patients = np.array(
        [
            len(np.unique(cohort.subject[_is_known(cohort, option) & (cohort.split == TRAIN)]))
            for option in range(len(study.formulary.treatments))
        ]
    )
    least = LEAST_PATIENTS if patients.max(initial=0) >= LEAST_PATIENTS else 1
    if not (patients >= least).any():
        return cohort
    unlearned = tuple(
        name for name, n in zip(study.formulary.names, patients, strict=True) if n < least
    )
    return replace(
        cohort,
        study=replace(study, formulary=replace(study.formulary, unlearned=unlearned)),
    )


def _is_known(cohort: Cohort, option: int) -> Bool[np.ndarray, " decision"]:
    """Where it is known what the option did or would have done."""
    followed = np.logical_or(cohort.outcome_observed, ~np.isnan(cohort.reward))
    of_every = np.logical_or(
        cohort.best_treatment >= 0, ~np.isnan(cohort.potential_rewards[:, option])
    )
    return np.logical_or(of_every, followed & (cohort.treatment == option))


def describe_unlearned(formulary: Formulary) -> str:
    """One sentence of what a policy left out; empty where it learned every option."""
    titles = [t.title for t in formulary.treatments if t.name in formulary.unlearned]
    if not titles:
        return ""
    return (
        f"Too few training patients were given {', '.join(titles)} to learn from (fewer than "
        f"{LEAST_PATIENTS}, or nobody): the policy does not choose it, whatever it predicts."
    )
