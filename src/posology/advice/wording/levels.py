"""The levels of an option and of the reference as one sentence, by whose averages they are."""

from posology.advice.comparisons import PatientEvidence
from posology.language.catalogue import tr


def mean_levels(evidence: PatientEvidence) -> str:
    """Two means; whether the level, the difference or both are averages of the study."""
    if not evidence.is_average_level and evidence.is_individual:
        return tr("The mean is about {value} with {option} and {base} with {reference} ({unit}).")
    if not evidence.is_average_level:
        return tr(
            "With the study's average effect, the mean is about {value} with {option} and {base} "
            "with {reference} ({unit})."
        )
    if evidence.is_individual:
        return tr(
            "From the average of all patients, with this one's own effect, the mean is about "
            "{value} with {option} and {base} with {reference} ({unit})."
        )
    return tr(
        "On average over all patients, the mean is about {value} with {option} and {base} with "
        "{reference} ({unit})."
    )


def counted_levels(evidence: PatientEvidence) -> str:
    """Two counts of 100; whether the level, the difference or both are averages of the study."""
    if not evidence.is_average_level and evidence.is_individual:
        return tr(
            "Of 100 patients like this one, about {value} reach the goal with {option} and {base} "
            "with {reference}."
        )
    if not evidence.is_average_level:
        return tr(
            "With the study's average effect, of 100 patients like this one, about {value} reach "
            "the goal with {option} and {base} with {reference}."
        )
    if evidence.is_individual:
        return tr(
            "From the average of all patients, with this one's own effect, about {value} of 100 "
            "reach the goal with {option} and {base} with {reference}."
        )
    return tr(
        "On average over all patients, about {value} of 100 reach the goal with {option} and "
        "{base} with {reference}."
    )
