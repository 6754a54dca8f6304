"""What stands behind a model, in one or two plain sentences."""

from collections.abc import Sequence

from posology.advice.amounts import error_words
from posology.domain.recommendation.evidence import DoseEvidence, StudyEvidence
from posology.domain.study import Rule
from posology.language.catalogue import deferred, tr
from posology.language.numbers import number

KEPT_ASIDE = "kept aside for choosing, not for learning"
"""Patients of the validation split: settings were chosen by them, and no weight was learned."""
_VERDICTS = {
    "gain": deferred(
        "In patients it was not learned from, choosing by the patient is shown to gain."
    ),
    "none": deferred("Choosing by the patient is not shown to gain over one option for all."),
    "unjudged": deferred("It could not be judged whether choosing by the patient gains."),
}


def describe_evidence(
    study: StudyEvidence | None, dose: DoseEvidence | None, rules: Sequence[Rule] = ()
) -> str:
    """The verdict of the effect study, or the error of the dose; empty without evidence.

    rules: of the study, by whose titles the errors of guidelines are named.
    """
    if study is not None:
        basis = tr(
            "In records of usual care: {patients} patients, {decisions} decisions, each judged by "
            "models that had not seen that patient."
        )
        if study.is_randomised:
            basis = tr(
                "In a trial: {patients} patients, {decisions} decisions, each judged by models "
                "that had not seen that patient."
            )
        basis = basis.format(
            patients=number(f"{study.patients:,}"), decisions=number(f"{study.decisions:,}")
        )
        verdict = tr(_VERDICTS[study.verdict]) if study.verdict in _VERDICTS else ""
        return f"{verdict} {basis}{_for_whom(study)}".strip()
    if dose is None or dose.error is None:
        return ""
    titles = {rule.name: rule.words for rule in rules}
    by = tr("{rule} by {error}")
    others = [
        by.format(rule=titles.get(r.name, r.name), error=error_words(r.error.value))
        for r in dose.rules
    ]
    text = tr(
        "In {patients} patients kept aside for choosing, not for learning, its dose was off by "
        "{error} {unit} on average."
    )
    if others:
        text = tr(
            "In {patients} patients kept aside for choosing, not for learning, its dose was off by "
            "{error} {unit} on average; {others}."
        )
    return text.format(
        patients=number(f"{dose.patients:,}"),
        error=error_words(dose.error.value),
        unit=dose.unit,
        others=", ".join(others),
    )


def _for_whom(study: StudyEvidence) -> str:
    """Which share of the decisions averages are of, where it is not nearly all."""
    inside = 100 * (1 - study.outside_share)
    if inside >= 99.5:
        return ""
    text = tr(
        "Averages are of {percent} % of these decisions; at the others some option was hardly ever "
        "given, so they cannot be judged."
    )
    return f" {text.format(percent=f'{inside:.0f}')}"
