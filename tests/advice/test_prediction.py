"""What a small network predicts for one patient."""

import datetime

import numpy as np

from posology.advice.form.build import build_form
from posology.advice.form.reading import read_filled_form
from posology.advice.form.training_facts import measure_facts
from posology.advice.prediction import predict_patient
from posology.advice.reasons import largest_contributions
from posology.cohorts.patient import encode_patient
from posology.domain.ablation import without_codes
from posology.domain.cohort import TRAIN, select_split
from posology.domain.history import History
from posology.domain.policy import ExplainablePolicy
from tests.builders.policies import fitted_policy, iwpc_cohort


def encode(**facts: object) -> History:
    known = {"SEX": "male", "AGE_DECADE": 7, "HEIGHT": 180, "WEIGHT": 80, "RACE": "White"}
    study, profile = iwpc_cohort().study, fitted_policy("posology").profile
    form = build_form(study, profile, measure_facts(select_split(iwpc_cohort(), TRAIN)))
    body = {"facts": {**known, **facts}}
    events, _ = read_filled_form(body, form, "patient", datetime.datetime(2000, 1, 1))  # noqa: DTZ001
    return encode_patient(events, study, profile)[0]


def test_a_contribution_is_the_change_when_the_input_is_removed() -> None:
    policy, study = fitted_policy("posology"), iwpc_cohort().study
    history = encode(**{"GENOTYPE//VKORC1_rs9923231": "A/A"})
    predicted = predict_patient(policy, study, history)
    assert isinstance(policy, ExplainablePolicy)
    attribution = policy.explain(history, history.step_offsets[1:2] - 1)
    reasons = largest_contributions(attribution, history, policy.profile, predicted.order[0])
    gene = next(r for r in reasons if r.code.startswith("GENOTYPE"))
    without = predict_patient(policy, study, without_codes(history, policy.profile, ("GENOTYPE",)))
    assert predicted.dose is not None
    assert without.dose is not None
    assert gene.dose is not None
    np.testing.assert_allclose(predicted.dose.exact - without.dose.exact, gene.dose, atol=1e-3)
    assert abs(gene.dose) > 0.01, "the formula's value changes with the genotype"
