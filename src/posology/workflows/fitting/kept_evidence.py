"""What is measured for a fitted policy's later use, and saved with it."""

from typing import Any

from posology.advice.form.training_facts import EVIDENCE as FACTS
from posology.advice.form.training_facts import measure_facts
from posology.advice.uncertainty.evidence import EVIDENCE as UNCERTAINTY
from posology.advice.why.evidence import EVIDENCE as WHY
from posology.artifact import Artifact
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy
from posology.domain.serialization import serialize
from posology.lifecycle.learned_from import EVIDENCE as LEARNED_FROM
from posology.lifecycle.learned_from import describe_learning
from posology.lifecycle.monitoring.reference import EVIDENCE as MONITORING
from posology.workflows.advice.evidence import measure_advice_evidence
from posology.workflows.advice.reasons import measure_reasons
from posology.workflows.monitoring.observe import measure_monitoring
from posology.workflows.progress import Progress
from posology.workflows.uncertainty.measure import measure_uncertainty


def count_patients(cohort: Cohort) -> dict[str, Any]:
    """How many decisions a policy learned from and was chosen on, and of which patients."""
    return {
        "train": len(select_split(cohort, TRAIN)),
        "validation": len(select_split(cohort, VALIDATION)),
        LEARNED_FROM: describe_learning(cohort),
    }


def measure_kept_evidence(
    policy: Policy,
    judged: Policy,
    cohort: Cohort,
    seed: int,
    effect_decisions: int,
    progress: Progress,
) -> dict[str, Any]:
    """As JSON values: how sure answers are, what their options do, why, and what to watch for.

    Args:
        judged: as the policy, but it learned from no validation patient.
        effect_decisions: at most so many are used by the study of effects; 0: none.
    """
    train, validation = (select_split(cohort, split) for split in (TRAIN, VALIDATION))
    measured = {
        UNCERTAINTY: serialize(measure_uncertainty(judged, cohort, seed), {}),
        **measure_advice_evidence(judged, cohort, seed, effect_decisions, progress),
        MONITORING: serialize(measure_monitoring(judged, cohort, seed), {}),
        FACTS: serialize(measure_facts(train), {}),
    }
    so_far = Artifact(policy, cohort.study, measured, "")
    return {**measured, WHY: measure_reasons(so_far, train, validation)}
