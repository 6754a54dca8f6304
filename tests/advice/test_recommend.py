"""Advice assembled for one patient."""

from dataclasses import replace

from posology.advice.inputs import AdviceInputs
from posology.advice.recommend import recommend
from posology.domain.recommendation.evidence import DoseEvidence, ProbabilityBin
from posology.domain.recommendation.findings import Certainty
from posology.domain.recommendation.option import Estimate
from posology.domain.study import Contraindication, Study
from tests.advice.test_prediction import encode
from tests.builders.policies import fitted_policy, iwpc_cohort


def study_that_forbids(*options: str) -> Study:
    rule = Contraindication(options, "a label", visible=("SEX//male",))
    return replace(iwpc_cohort().study, safety=(rule,))


def test_usual_care_and_no_change_are_always_among_the_options() -> None:
    advice = recommend(fitted_policy("logistic"), iwpc_cohort().study, encode())
    names = [option.name for option in advice.options]
    assert names == ["low", "medium", "high", "usual_care", "no_change"]
    assert not advice.is_ranked


def test_a_forbidden_option_stands_last_of_the_options_with_its_source() -> None:
    advice = recommend(fitted_policy("logistic"), study_that_forbids("low"), encode())
    last = advice.options[-1]
    assert (last.name, last.standing) == ("low", "forbidden")
    reason = "The study file lists this as a reason against it."
    assert last.remarks == (f"Forbidden: sex: male recorded. {reason} (a label)",)
    assert last.choice_share == 0


def test_without_an_allowed_option_there_is_no_answer_and_no_dose() -> None:
    study = study_that_forbids("low", "medium", "high")
    advice = recommend(fitted_policy("logistic"), study, encode())
    assert advice.state == "all_forbidden"
    assert advice.headline == "No answer: every option is forbidden for this patient."
    assert advice.lead[0].endswith(": sex: male recorded (a label).")
    assert advice.dose is None


def test_too_few_alike_is_an_answer_in_words() -> None:
    inputs = AdviceInputs(certainty=Certainty(similar_patients=12, needed_patients=50))
    advice = recommend(fitted_policy("logistic"), iwpc_cohort().study, encode(), inputs)
    assert advice.state == "too_few_alike"
    assert advice.headline == "No answer: too few patients like this one."
    assert advice.lead[0] == "12 were found and 50 are needed."


def test_what_is_not_recorded_is_listed_by_its_name() -> None:
    advice = recommend(fitted_policy("logistic"), iwpc_cohort().study, encode())
    facts = [fact.fact for fact in advice.missing]
    assert any("VKORC1" in fact for fact in facts)
    assert not any("height" in fact for fact in facts)


def test_of_100_patients_the_dose_classes_make_100() -> None:
    bins = tuple(ProbabilityBin(p, Estimate(100 * p + 6, 0.0, 100.0), 50) for p in (0.0, 0.5, 1.0))
    inputs = AdviceInputs(dose_evidence=DoseEvidence("mg/wk", 150, None, (), bins))
    advice = recommend(fitted_policy("logistic"), iwpc_cohort().study, encode(), inputs)
    outcomes = [option.outcome for option in advice.options[:3]]
    values = [outcome.value for outcome in outcomes if outcome is not None]
    assert len(values) == 3
    assert sum(values) == 100
    assert all(value == round(value) for value in values)


def test_what_forbids_every_option_comes_before_a_missing_fact() -> None:
    study = study_that_forbids("low", "medium", "high")
    inputs = AdviceInputs(required=("No answer yet: weight is not recorded.", "It is needed."))
    advice = recommend(fitted_policy("logistic"), study, encode(), inputs)
    assert advice.state == "all_forbidden"
