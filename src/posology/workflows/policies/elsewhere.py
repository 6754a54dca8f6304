"""A policy that was fitted in another hospital, judged on all patients of this one."""

import numpy as np

from posology.artifact import Artifact
from posology.cohorts.recode import recode_cohort
from posology.domain.cohort import Cohort
from posology.domain.statistics.protocol import describe_differences, study_protocol
from posology.errors import UserError
from posology.evaluation.effects.rule_values import RuleChoices
from posology.learners.effects.target_trial import StudyTrial
from posology.workflows.policies.choices import AllowedMask, choose_among

_SHOWN = 3
"""Differences between two studies that an error names."""


def elsewhere_name(model: Artifact) -> str:
    """Name of the policy in tables."""
    return f"policy {model.digest[:8]}, fitted elsewhere"


def check_elsewhere(model: Artifact, cohort: Cohort) -> None:
    """UserError if it was fitted for another study, or on this cohort, which is not new to it."""
    differences = describe_differences(study_protocol(model.study), study_protocol(cohort.study))
    if differences:
        more = f", and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        raise UserError(
            f"--policy was fitted for another study than {cohort.study.name}: "
            f"{'; '.join(differences[:_SHOWN])}{more}. Use the same study file in both hospitals."
        )
    own, theirs = cohort.profile, model.policy.profile
    if own.codes == theirs.codes and np.array_equal(own.center, theirs.center):
        raise UserError(
            "--policy was fitted on this cohort, whose patients are not new to it; "
            "`posology evaluate MODEL COHORT --share` judges it on the test split."
        )


def choices_elsewhere(
    model: Artifact, cohort: Cohort, trial: StudyTrial, options: tuple[AllowedMask, AllowedMask]
) -> RuleChoices:
    """The policy's choices; `options` are those allowed, and those of them that are judged."""
    recoded = recode_cohort(cohort, model.policy.profile)
    return choose_among(model.policy, recoded, trial, options)
