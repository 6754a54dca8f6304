"""What stands behind a model, in words for readers."""

from dataclasses import replace

from posology.advice.evidence_words import describe_evidence
from posology.cohorts.study.reader import read_study
from posology.domain.recommendation.evidence import DoseEvidence, RuleError
from posology.domain.recommendation.option import Estimate
from tests.builders.patient_evidence import evidence


def test_guidelines_are_named_by_their_titles() -> None:
    error = Estimate(13.04, 12.0, 14.0)
    rules = (RuleError("fixed", error, error), RuleError("other", error, error))
    dose = DoseEvidence("mg/wk", 834, Estimate(8.41, 8.0, 9.0), rules, ())
    assert describe_evidence(None, dose, read_study("iwpc").rules) == (
        "In 834 patients kept aside for choosing, not for learning, its dose was off by 8.4 mg/wk "
        "on average; usual start, 5 mg a day for everyone by 13.0, other by 13.0."
    )


def test_averages_say_of_which_decisions_they_are() -> None:
    study = evidence("none").study
    assert "cannot be judged" not in describe_evidence(study, None)
    part = describe_evidence(replace(study, outside_share=0.53), None)
    assert part.endswith(
        "In records of usual care: 900 patients, 900 decisions, each judged by models that had not "
        "seen that patient. Averages are of 47 % of these decisions; at the others some option was "
        "hardly ever given, so they cannot be judged."
    )
