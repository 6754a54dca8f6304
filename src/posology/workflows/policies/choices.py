"""What a policy chooses at the decisions of a cohort, computed in blocks."""

import numpy as np
from jaxtyping import Bool, Int64

from posology.causal.trial import Matrix
from posology.domain.cohort import Cohort
from posology.domain.policy import Policy
from posology.evaluation.effects.rule_values import RuleChoices
from posology.learners.effects.target_trial import StudyTrial

BLOCK = 4096
"""Decisions predicted at once."""
AllowedMask = Bool[np.ndarray, "decision treatment"]


def choice_probabilities(
    policy: Policy, cohort: Cohort, rows: Int64[np.ndarray, " decision"], allowed: AllowedMask
) -> Matrix:
    """The policy's choice probabilities for some rows of a cohort, computed in blocks."""
    return np.concatenate(
        [
            policy.choice_probabilities(
                cohort.history, cohort.last_step[rows[block]], allowed[block]
            )
            for block in blocks(len(rows))
        ]
    )


def predict_effectiveness(
    policy: Policy, cohort: Cohort, rows: Int64[np.ndarray, " decision"]
) -> Matrix:
    """P(effective) of every option for some rows of a cohort, mean over members, in blocks."""
    everything = np.ones((len(rows), len(cohort.study.formulary.treatments)), dtype=bool)
    return np.concatenate(
        [
            policy.predict_effectiveness(
                cohort.history, cohort.last_step[rows[block]], everything[block]
            ).mean(axis=2)
            for block in blocks(len(rows))
        ]
    )


def choose_among(
    policy: Policy, cohort: Cohort, trial: StudyTrial, options: tuple[AllowedMask, AllowedMask]
) -> RuleChoices:
    """The policy's choices among the options that can be judged, and among all allowed ones.

    The cohort is in the policy's vocabulary; `options` are those allowed, and those of them judged.
    """
    allowed, judged = options
    probability = choice_probabilities(policy, cohort, trial.row, judged)
    if np.array_equal(allowed, judged):
        return RuleChoices(probability)
    return RuleChoices(probability, choice_probabilities(policy, cohort, trial.row, allowed))


def blocks(rows: int) -> list[slice]:
    """Slices of at most BLOCK rows, one at least."""
    return [slice(start, start + BLOCK) for start in range(0, max(rows, 1), BLOCK)]
