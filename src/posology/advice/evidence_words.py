"""What stands behind a model, in one or two plain sentences."""

from posology.domain.recommendation.evidence import DoseEvidence, StudyEvidence

_VERDICTS = {
    "gain": "In patients it was not learned from, choosing by the patient is shown to gain.",
    "none": "Choosing by the patient is not shown to gain over one option for all.",
    "unjudged": "It could not be judged whether choosing by the patient gains.",
}


def describe_evidence(study: StudyEvidence | None, dose: DoseEvidence | None) -> str:
    """The verdict of the effect study, or the error of the dose; empty without evidence."""
    if study is not None:
        kind = "In a trial" if study.is_randomised else "In records of usual care"
        basis = f"{kind}: {study.patients:,} patients, {study.decisions:,} decisions."
        return f"{_VERDICTS.get(study.verdict, '')} {basis}".strip()
    if dose is None or dose.error is None:
        return ""
    error = f"In {dose.patients:,} patients it was not learned from, its dose was off by "
    sentence = f"{error}{dose.error.value:.1f} {dose.unit} on average"
    rules = [f"{rule.name} by {rule.error.value:.1f}" for rule in dose.rules]
    return f"{sentence}; {', '.join(rules)}." if rules else f"{sentence}."
