"""The content of the page on effects: on whom they were estimated, and by which models."""

import numpy as np

import posology
from posology.domain.cohort import Cohort
from posology.evaluation.effects.effect_study import EffectStudy
from posology.learners.effects.target_trial import StudyTrial
from posology.report.effects.content import EffectContent
from posology.workflows.results import format_now

_RANDOMISED = "Treatment was randomised, as the study file says."
_OBSERVED = "These are records of routine care: no patient was randomised."
_TRAJECTORIES = (
    " Patients have several decisions: each is evaluated by its own outcome, so these figures do "
    "not include what a trajectory of decisions earns to its end."
)


def build_page(
    cohort: Cohort,
    trial: StudyTrial,
    estimates: EffectStudy,
    propensity: str,
    seed: int,
    model: str | None,
) -> EffectContent:
    """The page's content.

    Args:
        cohort: the cohort that the trial's decisions come from.
        trial: the decisions of the estimates.
        estimates: effects and values.
        propensity: name of the propensity model.
        seed: of the estimates.
        model: digest of the saved policy that was evaluated, if one was.
    """
    return EffectContent(
        study=cohort.study,
        results=estimates,
        evidence=_describe_evidence(cohort, trial, model is not None),
        covariates=trial.covariates,
        unit=trial.unit,
        is_binary=trial.is_binary,
        propensity_model=propensity,
        is_saved_policy=model is not None,
        footer=(
            ("posology", posology.__version__),
            *((("model", model[:16]),) if model is not None else ()),
            ("seed", str(seed)),
            ("made", format_now()),
        ),
    )


def has_trajectories(cohort: Cohort) -> bool:
    """Whether later decisions count, and some patient has several."""
    several = bool((np.diff(np.sort(cohort.subject)) == 0).any())
    return several and cohort.study.reward.discount > 0


def _describe_evidence(cohort: Cohort, trial: StudyTrial, is_saved_policy: bool) -> str:
    decisions, patients = len(trial.trial), len(np.unique(trial.trial.subject))
    source = "" if decisions == len(cohort) else f", sampled from {len(cohort):,}"
    if is_saved_policy:
        source = ", the cohort's test split"
    return (
        f"{decisions:,} decisions of {patients:,} patients{source}, "
        f"{int(trial.is_followed_up.sum()):,} of them followed to the outcome; no patient is "
        "evaluated by a rule that was learned from them. "
        + (_RANDOMISED if cohort.study.assignment.randomised else _OBSERVED)
        + (_TRAJECTORIES if has_trajectories(cohort) else "")
    )
