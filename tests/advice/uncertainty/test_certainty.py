"""One patient's certainty, from what a small policy left in its evidence."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posology import artifact
from posology.advice.form.limits import training_range
from posology.advice.form.training_facts import measure_facts
from posology.advice.inputs import AdviceInputs
from posology.advice.recommend import recommend
from posology.advice.uncertainty.alike import Cell, OptionCount, PatientsAlike, Question
from posology.advice.uncertainty.certainty import (
    PatientAtHand,
    Sureness,
    assess_certainty,
    is_far_beyond,
)
from posology.advice.uncertainty.evidence import EVIDENCE, NOT_MEASURED, UncertaintyEvidence
from posology.domain.cohort import Cohort, subset_decisions
from posology.domain.recommendation.recommendation import (
    DOSE_ONLY,
    FACT_MISSING,
    OUTSIDE_TRAINING,
    TOO_FEW_ALIKE,
    UNSURE,
    Recommendation,
)
from posology.domain.serialization import serialize
from posology.domain.study import AdviceSpec, Bounds
from posology.workflows.patient import form_of
from posology.workflows.uncertainty.measure import measure_uncertainty
from tests.builders.policies import fitted_policy, iwpc_cohort

POLICY = "formula_refit"


@pytest.fixture(scope="module")
def evidence() -> UncertaintyEvidence:
    return measure_uncertainty(fitted_policy(POLICY), with_advice(needed_alike=10))


def with_advice(**keys: float) -> Cohort:
    cohort = iwpc_cohort()
    advice = replace(AdviceSpec(), **keys)  # type: ignore[arg-type]
    return replace(cohort, study=replace(cohort.study, advice=advice))


def one_patient(row: int = 0, height: float | None = None, **keys: float) -> Cohort:
    cohort = with_advice(**keys)
    one = subset_decisions(cohort, np.arange(len(cohort)) == row)
    if height is None:
        return one
    value = one.history.value.copy()
    value[one.history.code == one.profile.codes.index("HEIGHT")] = height
    return replace(one, history=replace(one.history, value=value))


def assess(evidence: UncertaintyEvidence, one: Cohort) -> Sureness:
    patient = PatientAtHand(one.study, one.profile, one.history)
    return assess_certainty(
        evidence, patient, np.array([0.7, 0.2, 0.1]), measure_facts(iwpc_cohort())
    )


def advise(evidence: UncertaintyEvidence, one: Cohort) -> Recommendation:
    inputs = AdviceInputs(uncertainty=evidence, facts=measure_facts(iwpc_cohort()))
    return recommend(fitted_policy(POLICY), one.study, one.history, inputs)


def test_patients_alike_are_counted_and_described(evidence: UncertaintyEvidence) -> None:
    found = assess(evidence, one_patient())
    count = found.certainty.similar_patients
    assert count is not None
    assert count >= 10
    assert [row.unit for row in found.similar] == ["mg/wk"] * 3
    assert not any(row.is_change for row in found.similar)
    assert len(found.given) == 3
    known = [n or 0 for n in found.given]
    assert count - 10 < sum(known) <= count
    assert found.certainty.remarks[0].startswith("Patients like this one: ")


def test_a_mean_of_changes_is_marked_as_one(evidence: UncertaintyEvidence) -> None:
    one = one_patient()
    rises = replace(one.study.outcome, kind="change", change=Bounds(at_least=10.0))
    for outcome, is_change in ((rises, True), (replace(rises, range=Bounds(at_most=53.0)), False)):
        found = assess(evidence, replace(one, study=replace(one.study, outcome=outcome)))
        assert {row.is_change for row in found.similar} == {is_change}


def test_of_an_event_a_count_of_the_known_stands_only_where_all_are_known(
    evidence: UncertaintyEvidence,
) -> None:
    """As policies hold it that were saved before `goal_share`."""
    one = one_patient()
    event = replace(one.study, outcome=replace(one.study.outcome, kind="does_not_occur"))
    counts = (
        OptionCount(40, 29, 10, None),
        OptionCount(40, 40, 24, None),
        OptionCount(40, 29, None, None, 0.62, 12, 25.0),
    )
    alike = PatientsAlike((), (Cell("", 120, counts),))
    found = assess(replace(evidence, alike=alike), replace(one, study=event))
    assert [row.patients for row in found.similar] == [40, 40, 40]
    assert [row.reached_goal for row in found.similar] == [None, 24, None]
    assert [row.goal_share for row in found.similar] == [None, None, 0.62]
    assert [row.followed for row in found.similar] == [None, None, 12]
    intervals = [(row.goal_low, row.goal_high) for row in found.similar]
    assert intervals == [(None, None), (0.446, 0.7365), (0.4262, 0.7819)]


def test_what_is_not_recorded_is_said_to_be_so_and_a_choice_is_named_once(
    evidence: UncertaintyEvidence,
) -> None:
    one = one_patient()
    rows = [row for row, code in enumerate(one.profile.codes) if code.startswith("SEX//")]
    is_known = np.isin(one.history.code, rows)
    (absent,) = set(rows) - set(one.history.code[is_known].tolist())
    alike = evidence.alike
    assert alike is not None
    asked = replace(alike, questions=tuple(Question(one.profile.codes[row], None) for row in rows))
    height = one.profile.codes.index("HEIGHT")
    other = replace(one.history, code=np.where(is_known, height, one.history.code))
    here = replace(evidence, alike=asked)
    shown = [
        " ".join(assess(here, replace(one, history=h)).certainty.remarks)
        for h in (one.history, other)
    ]
    (present,) = set(rows) - {absent}
    sex = one.profile.name(present)
    assert shown[0].startswith(f"Patients like this one: {sex}.")
    assert shown[1].startswith("Patients like this one: sex not recorded, or not female or male.")


def test_both_intervals_stand_beside_the_dose(evidence: UncertaintyEvidence) -> None:
    advice = advise(evidence, one_patient(needed_alike=5))
    dose = advice.dose
    assert advice.state == DOSE_ONLY
    assert dose is not None
    assert dose.plan_for is not None
    assert dose.ready_for is not None
    assert dose.ready_for[0] <= dose.plan_for[0] <= dose.plan_for[1] <= dose.ready_for[1]
    assert dose.coverage == 0.8
    assert "80 of 100" in " ".join(advice.lead)
    assert advice.why.similar
    by_name = {o.name: o.similar_patients for o in advice.options}
    assert [by_name[n] for n in ("low", "medium", "high")] == list(
        assess(evidence, one_patient()).given
    )


def test_without_evidence_nothing_is_claimed() -> None:
    advice = advise(NOT_MEASURED, one_patient())
    assert advice.dose is not None
    assert advice.dose.plan_for is advice.dose.ready_for is advice.dose.coverage is None
    assert advice.certainty.similar_patients is None
    assert not advice.certainty.is_outside_training


def test_too_few_alike_stops_the_advice(evidence: UncertaintyEvidence) -> None:
    advice = advise(evidence, one_patient(needed_alike=5000))
    assert advice.state == TOO_FEW_ALIKE
    assert "5000 are needed" in " ".join(advice.lead)
    nobody = replace(evidence, alike=PatientsAlike((), ()))
    rare = assess(nobody, one_patient())
    assert rare.certainty.similar_patients == 0
    assert "Fewer than 5 training patients are like this one" in rare.certainty.remarks[-1]


def test_a_patient_unlike_training_is_named_fact_by_fact(evidence: UncertaintyEvidence) -> None:
    far = one_patient(height=330.0, needed_alike=5)
    advice = advise(evidence, far)
    assert advice.state == OUTSIDE_TRAINING
    assert advice.certainty.outside[0].startswith("Height 330 cm is above 1")
    assert advice.certainty.outside[0] in advice.lead
    patient = PatientAtHand(far.study, far.profile, far.history)
    without_ranges = assess_certainty(evidence, patient, np.array([0.7, 0.2, 0.1]))
    assert "height 330 cm" in without_ranges.certainty.outside[0]


def test_a_fact_that_nearly_all_had_is_asked_for_and_not_called_unlike_training(
    evidence: UncertaintyEvidence,
) -> None:
    one = one_patient(needed_alike=5, outside_share=0.9)
    rows = [row for row, code in enumerate(one.profile.codes) if code.startswith("SEX//")]
    height = one.profile.codes.index("HEIGHT")
    code = np.where(np.isin(one.history.code, rows), height, one.history.code)
    lacks_sex = replace(one, history=replace(one.history, code=code))
    assert assess(evidence, lacks_sex).certainty.is_outside_training
    advice = advise(evidence, lacks_sex)
    assert advice.state == FACT_MISSING
    assert advice.headline == "No answer yet: sex is not recorded."
    assert advice.lead[0] == "Nearly all patients that it learned from had it."
    assert [fact.fact for fact in advice.missing if fact.is_required] == ["sex"]
    far = replace(lacks_sex, history=replace(lacks_sex.history, value=one.history.value * 3))
    assert advise(evidence, far).state == OUTSIDE_TRAINING


@pytest.mark.parametrize("share", [-0.06, -0.04, 1.04, 1.06])
def test_a_number_beyond_training_counts_alike_on_both_sides(
    evidence: UncertaintyEvidence, share: float
) -> None:
    facts = measure_facts(iwpc_cohort())
    row = iwpc_cohort().profile.codes.index("HEIGHT")
    ends = training_range(facts, row)
    low, high = np.log([ends.low or 1.0, ends.high or 1.0])
    one = one_patient(height=float(np.exp(low + share * (high - low))))
    patient = PatientAtHand(one.study, one.profile, one.history)
    assert is_far_beyond(patient, facts) == (not -0.05 <= share <= 1.05)


def test_zero_is_farther_from_training_than_half_of_its_smallest() -> None:
    """Once 0 was near where the largest was over 20 times the smallest."""
    facts, profile = measure_facts(iwpc_cohort()), iwpc_cohort().profile
    row = profile.codes.index("HEIGHT")
    low, high = list(facts.low), list(facts.high)
    low[row], high[row] = 10.0, 1000.0
    facts = replace(facts, low=tuple(low), high=tuple(high), patients=())
    for height in (0.0, 5.0):
        one = one_patient(height=height)
        assert is_far_beyond(PatientAtHand(one.study, one.profile, one.history), facts)


def test_the_studys_threshold_decides_what_is_outside(evidence: UncertaintyEvidence) -> None:
    shares = [assess(evidence, one_patient(row)).certainty.distance or 0.0 for row in range(20)]
    row = int(np.argmax(shares))
    assert 0.6 < shares[row] < 0.995
    assert not assess(evidence, one_patient(row)).certainty.is_outside_training
    assert assess(evidence, one_patient(row, outside_share=0.6)).certainty.is_outside_training


def test_a_dose_interval_wider_than_the_study_allows_is_no_answer(
    evidence: UncertaintyEvidence,
) -> None:
    advice = advise(evidence, one_patient(needed_alike=5, widest_dose=1.05))
    assert advice.state == UNSURE
    assert advice.headline == "No answer: the right dose of this patient is too uncertain."
    assert advice.lead[0].startswith("Be ready for ")


def test_the_set_of_options_has_the_titles_and_its_coverage(evidence: UncertaintyEvidence) -> None:
    found = assess(evidence, one_patient()).certainty
    titles = [t.title for t in iwpc_cohort().study.formulary.treatments]
    assert found.option_set[0] == titles[0]  # the likeliest
    patient = PatientAtHand(one_patient().study, one_patient().profile, one_patient().history)
    other = assess_certainty(evidence, patient, np.array([0.2, 0.1, 0.7])).certainty.option_set
    order = [titles[2], titles[0], titles[1]]
    assert other == tuple(order[: len(other)])
    assert evidence.options is not None
    parts = (None, None, None)
    every = replace(evidence.options, thresholds=replace(evidence.options.thresholds, parts=parts))
    everyone = replace(evidence, options=every)
    shown = assess_certainty(everyone, patient, np.array([0.2, 0.1, 0.7])).certainty.option_set
    assert shown == tuple(order)
    assert set(found.option_set) <= set(titles)
    assert found.set_coverage == 0.8


def test_the_form_marks_a_fact_without_which_there_may_be_no_answer(
    evidence: UncertaintyEvidence, tmp_path: Path
) -> None:
    """Sex was not marked, and then `No answer yet: sex is not recorded`."""
    kept = {EVIDENCE: serialize(evidence, {})}
    artifact.save(fitted_policy(POLICY), iwpc_cohort().study, kept, tmp_path / "model")
    form = form_of(artifact.load(tmp_path / "model"))
    usual = {field.name for field in form.fields if field.is_usual}
    assert "sex" in usual
    assert "current smoker" not in usual
