"""What a small network predicts for one patient."""

import datetime

import numpy as np

from posology.advice.form.build import build_form
from posology.advice.form.reading import read_filled_form
from posology.advice.form.training_facts import measure_facts
from posology.advice.why.explain import predict_single_dose
from posology.advice.why.facts import find_facts
from posology.advice.why.table import Situation, make_table
from posology.cohorts.patient import encode_patient
from posology.domain.ablation import without_codes
from posology.domain.cohort import TRAIN, select_split
from posology.domain.history import History
from tests.builders.policies import fitted_policy, iwpc_cohort


def encode(**facts: object) -> History:
    known = {"SEX": "male", "AGE_DECADE": 7, "HEIGHT": 180, "WEIGHT": 80, "RACE": "White"}
    study, profile = iwpc_cohort().study, fitted_policy("posology").profile
    form = build_form(study, profile, measure_facts(select_split(iwpc_cohort(), TRAIN)))
    body = {"facts": {**known, **facts}}
    events, _ = read_filled_form(body, form, "patient", datetime.datetime(2000, 1, 1))  # noqa: DTZ001
    return encode_patient(events, study, profile)[0]


def test_a_reason_for_the_dose_is_its_change_when_the_fact_is_left_out() -> None:
    policy, study = fitted_policy("posology"), iwpc_cohort().study
    history = encode(**{"GENOTYPE//VKORC1_rs9923231": "A/A"})
    facts = find_facts(build_form(study, policy.profile, None), study, policy.profile)
    last = int(history.step_offsets[1]) - 1
    predict = predict_single_dose(policy)
    table = make_table(Situation(predict, history, policy.profile, last, facts))
    gene = next(e for e in table.facts if e.is_known and "VKORC1" in e.fact.name)
    contribution = float(table.recorded[0] - gene.without[0])
    dose, without = (
        float(predict(h, h.step_offsets[1:2] - 1)[0][0, 0])
        for h in (history, without_codes(history, policy.profile, ("GENOTYPE",)))
    )
    np.testing.assert_allclose(dose - without, contribution, atol=1e-3)
    assert abs(contribution) > 0.01, "the formula's value changes with the genotype"
