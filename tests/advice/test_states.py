"""The state of an answer, and the order of its options, from made-up evidence."""

from dataclasses import replace

from posology.advice.comparisons import PatientEvidence
from posology.advice.inputs import AdviceInputs
from posology.advice.options import list_options
from posology.advice.prediction import predict_patient
from posology.advice.recommend import recommend
from posology.advice.words import describe_answer
from posology.causal.patient.prognosis import Level
from posology.domain.recommendation.findings import Certainty
from posology.domain.recommendation.option import BETTER, REFERENCE, Estimate, HarmAdvice
from posology.domain.recommendation.recommendation import BETTER_FOR_PATIENT, Recommendation
from posology.domain.study import Study
from posology.report.patient.option_rows import option_table
from tests.advice.test_prediction import encode
from tests.builders.patient_evidence import estimate, evidence
from tests.builders.policies import fitted_policy, iwpc_cohort
from tests.builders.recommendations import ADVICE_BY_STATE


def study_with_an_outcome() -> Study:
    """The study of three options as one whose outcome is good or bad."""
    study = iwpc_cohort().study
    return replace(study, outcome=replace(study.outcome, kind="does_not_occur", unit=""))


def answer(made: PatientEvidence | None, **parts: object) -> Recommendation:
    inputs = replace(AdviceInputs(evidence=made), **parts)
    return recommend(fitted_policy("logistic"), study_with_an_outcome(), encode(), inputs)


def test_without_a_gain_and_without_an_average_effect_options_are_equals() -> None:
    advice = answer(evidence("none", means=(0.0, 0.5, 0.5), errors=(0.0, 0.01, 0.01)))
    assert advice.state == "no_option_better"
    assert advice.headline == "No option is shown to be better for this patient."
    assert not advice.is_ranked
    assert [o.name for o in advice.options] == ["low", "medium", "high", "usual_care", "no_change"]
    assert advice.lead == (
        "These differences are too uncertain to rely on.",
        "The harms are not shown to differ. Choose by what the patient wants.",
    )


def test_the_policys_choice_is_never_shown_as_certainty() -> None:
    advice = answer(evidence("none"))
    assert max(option.choice_share for option in advice.options) == 1
    assert "100" not in advice.headline + "".join(advice.lead)


def test_better_for_this_patient_needs_both_intervals() -> None:
    advice = answer(evidence("gain"))
    assert advice.state == "better"
    assert advice.is_ranked
    assert [o.name for o in advice.options][:3] == ["medium", "high", "low"]
    assert advice.headline.startswith("Medium dose, ")
    assert advice.headline.endswith(" is likely better for this patient than low dose.")
    assert advice.lead[0].startswith("Of 100 patients like this one, about 60 reach the goal with ")
    assert advice.lead[0].endswith("That is 20 more, perhaps 12 to 28 more.")


def test_two_that_do_not_differ_are_both_named() -> None:
    advice = answer(evidence("gain", means=(0.0, 0.20, 0.18)))
    assert advice.state == "better_than_reference"
    assert " or high dose" in advice.headline
    assert advice.lead[1] == (
        "Between them there is no clear difference. "
        "The harms are not shown to differ. Choose by what the patient wants."
    )


def test_one_that_is_shown_better_than_all_others_stands_alone_in_the_headline() -> None:
    both = (estimate(9.0, 3.0), estimate(4.0, 3.0))
    advice = answer(evidence("none", averages=both, between=estimate(5.0, 4.0)))
    assert advice.state == "better"
    assert advice.headline == (
        "Medium dose, 21 mg/wk, is better on average than low dose and than the other option."
    )
    assert advice.lead[1].startswith("Against high dose: 5 more, perhaps 1 to 9 more.")


def test_usual_care_that_is_an_option_of_the_study_is_listed_once() -> None:
    made = evidence("none")
    assert [o.title for o in answer(made).options].count("Usual care") == 1
    study = study_with_an_outcome()
    first, *others = study.formulary.treatments
    named = replace(study.formulary, treatments=(replace(first, title="usual care"), *others))
    prediction = predict_patient(fitted_policy("logistic"), study, encode())
    found = list_options(replace(study, formulary=named), prediction, AdviceInputs(evidence=made))
    assert [o.title.casefold() for o in found].count("usual care") == 1


def test_an_average_is_called_one_and_may_not_be_this_patients() -> None:
    """Where effects differ, 42 more of 100 was said of patients whom the option does not help."""
    both = (estimate(9.0, 3.0), estimate(-1.0, 3.0))
    advice = answer(evidence("none", averages=both, between=estimate(10.0, 4.0)))
    assert advice.lead[0].startswith("With the study's average effect, of 100 patients like this")
    caution = "But effects differ between patients: this one's may be larger or smaller."
    assert advice.lead[1] == caution
    made = evidence("none", averages=both, between=estimate(10.0, 4.0))
    alike = replace(made, study=replace(made.study, heterogeneity_p=0.4))
    assert caution not in answer(alike).lead
    own = answer(evidence("gain", means=(0.0, 0.30, 0.14)))
    assert own.lead[0].startswith("Of 100 patients like this one, about ")
    assert caution not in own.lead


def test_a_level_of_all_patients_is_never_called_that_of_patients_like_this_one() -> None:
    for verdict, start in (
        ("none", "On average over all patients, about 49 of 100 reach the goal with "),
        ("gain", "From the average of all patients, with this one's own effect, about 70 of 100 "),
    ):
        both = (estimate(9.0, 3.0), estimate(-1.0, 3.0))
        made = evidence(
            verdict, means=(0.0, 0.30, 0.14), averages=both, between=estimate(10.0, 4.0)
        )
        few = replace(made.outcomes, level=Level(0.40, 0.03, is_average=True))
        advice = answer(replace(made, outcomes=few))
        assert advice.lead[0].startswith(start)
        assert "like this one" not in advice.headline + "".join(advice.lead)
        table = option_table(advice)
        assert table is not None
        assert "how many of 100 patients, with" in table.note
        reference = next(row for row in table.rows if row.kind == "reference")
        assert "For the goal this is the average of all patients" in reference.remarks[0]


def test_averages_that_both_beat_the_reference_but_not_each_other_are_named_together() -> None:
    both = (estimate(9.0, 3.0), estimate(8.0, 3.0))
    advice = answer(evidence("none", averages=both, between=estimate(1.0, 4.0)))
    assert advice.state == "better_than_reference"
    assert advice.headline == (
        "Medium dose, 21 mg/wk, or high dose, 49.5 mg/wk, is better on average than low dose."
    )


def test_better_on_average_is_not_called_better_for_this_patient() -> None:
    advice = answer(
        evidence(
            "none", averages=(estimate(9.0, 3.0), estimate(-1.0, 3.0)), between=estimate(10.0, 4.0)
        )
    )
    assert advice.state == "better"
    assert "is better on average than" in advice.headline
    assert "for this patient" not in advice.headline


def test_what_is_worse_is_said_and_stands_behind_the_equals() -> None:
    advice = answer(evidence("none", averages=(estimate(-9.0, 3.0), estimate(0.0, 3.0))))
    assert advice.state == "no_option_better"
    assert advice.lead[0] == "Shown to be worse than low dose: medium dose."
    assert advice.lead[1] == "The other differences are too uncertain to rely on."
    assert [o.name for o in advice.options][:3] == ["low", "high", "medium"]


def test_harms_that_differ_are_what_to_choose_by() -> None:
    advice = answer(evidence("none", bleeding=Estimate(4.0, 2.0, 6.0)))
    assert advice.lead[-1] == (
        "The harms do differ, so choose by harms and by what the patient wants."
    )


def test_harms_that_could_not_be_compared_were_studied_all_the_same() -> None:
    made = evidence("none")
    options = tuple(
        replace(option, harms=tuple(replace(harm, difference=None) for harm in option.harms))
        for option in made.study.options
    )
    advice = answer(replace(made, study=replace(made.study, options=options)))
    assert advice.lead[-1] == (
        "No harm could be compared here. Weigh harms, and what the patient wants."
    )


def test_without_evidence_there_is_no_answer_and_the_reason_is_given() -> None:
    advice = answer(None, not_judged="The effect study could not be done: too few patients.")
    assert advice.state == "not_judged"
    assert advice.lead == (
        "The effect study could not be done: too few patients.",
        "Usual care is below.",
    )
    rule = (("Guideline", "low dose", "a paper"),)
    assert answer(None, guideline=rule).lead[-1] == "The guideline and usual care are below."


def test_reasons_against_any_answer_come_first() -> None:
    far = Certainty(is_outside_training=True, outside=("Age 97 is above the highest it saw, 94.",))
    other = "Given but not used: sodium. The model does not know it."
    advice = answer(evidence("gain"), certainty=far, callouts=(*far.outside, other))
    assert advice.state == "outside_training"
    assert advice.callouts == (other,), "what the first sentences say is not said again"
    assert not advice.is_ranked
    assert advice.lead[0] == "Age 97 is above the highest it saw, 94."
    assert advice.reference == "low dose"
    for option in advice.options:
        assert (option.standing, option.difference, option.harms) == ("not_estimated", None, ())
    missing = ("No answer yet: target INR is not recorded.", "The study needs it.")
    advice = answer(evidence("gain"), certainty=far, required=missing)
    assert (advice.state, advice.headline) == ("fact_missing", missing[0])


def test_usual_care_as_the_reference_says_what_it_is() -> None:
    advice = answer(evidence("none", reference=""))
    assert advice.reference == "usual care"
    usual = next(option for option in advice.options if option.name == "usual_care")
    assert usual.standing == "reference"
    assert usual.remarks[0].startswith(
        "Of 100 patients with all these facts, usual care gives 50 low dose"
    )


def test_a_harm_in_the_lead_is_the_difference_of_the_two_numbers_in_the_table() -> None:
    """5 and 2 of 100 stood beside "3 fewer" in the table and "2 fewer" in the lead."""
    advice = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
    low, usual = advice.options[0], advice.options[2]
    own = HarmAdvice("bleed", "", Estimate(2.4, 1.0, 4.0), Estimate(-2.2, -3.0, -1.0), BETTER)
    other = HarmAdvice("bleed", "", Estimate(4.6, 3.0, 6.0), None, REFERENCE)
    options = (replace(low, harms=(own,)), replace(usual, harms=(other,)))
    prediction = predict_patient(fitted_policy("logistic"), study_with_an_outcome(), encode(), {})
    _, lead = describe_answer(
        BETTER_FOR_PATIENT, prediction, AdviceInputs(evidence=evidence("gain")), options
    )
    assert "With low start: 3 fewer of 100 have bleed." in lead
