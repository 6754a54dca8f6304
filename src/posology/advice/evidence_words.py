"""What stands behind a model, in one or two plain sentences."""

from collections.abc import Sequence

from posology.domain.recommendation.evidence import DoseEvidence, StudyEvidence
from posology.domain.study import Rule

KEPT_ASIDE = "kept aside for choosing, not for learning"
"""Patients of the validation split: settings were chosen by them, and no weight was learned."""
_VERDICTS = {
    "gain": "In patients it was not learned from, choosing by the patient is shown to gain.",
    "none": "Choosing by the patient is not shown to gain over one option for all.",
    "unjudged": "It could not be judged whether choosing by the patient gains.",
}


def describe_evidence(
    study: StudyEvidence | None, dose: DoseEvidence | None, rules: Sequence[Rule] = ()
) -> str:
    """The verdict of the effect study, or the error of the dose; empty without evidence.

    rules: of the study, by whose titles the errors of guidelines are named.
    """
    if study is not None:
        kind = "In a trial" if study.is_randomised else "In records of usual care"
        basis = (
            f"{kind}: {study.patients:,} patients, {study.decisions:,} decisions, each judged by "
            "models that had not seen that patient."
        )
        return f"{_VERDICTS.get(study.verdict, '')} {basis}{_for_whom(study)}".strip()
    if dose is None or dose.error is None:
        return ""
    error = f"In {dose.patients:,} patients {KEPT_ASIDE}, its dose was off by "
    sentence = f"{error}{dose.error.value:.1f} {dose.unit} on average"
    titles = {rule.name: rule.words for rule in rules}
    others = [f"{titles.get(r.name, r.name)} by {r.error.value:.1f}" for r in dose.rules]
    return f"{sentence}; {', '.join(others)}." if others else f"{sentence}."


def _for_whom(study: StudyEvidence) -> str:
    """Which share of the decisions averages are of, where it is not nearly all."""
    inside = 100 * (1 - study.outside_share)
    if inside >= 99.5:
        return ""
    return (
        f" Averages are of {inside:.0f} % of these decisions; at the others some option was hardly "
        "ever given, so they cannot be judged."
    )
