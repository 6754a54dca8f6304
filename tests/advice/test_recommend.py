"""Advice for one patient of a small network."""

import datetime

import numpy as np
import pytest

from posology.advice.dose_support import round_dose
from posology.advice.form.build import build_form
from posology.advice.form.reading import read_filled_form
from posology.advice.form.training_facts import measure_facts
from posology.advice.recommend import recommend
from posology.cohorts.patient import encode_patient
from posology.domain.ablation import without_codes
from posology.domain.cohort import TRAIN, select_split
from posology.domain.formulary import DoseRange, is_in_range
from posology.domain.history import History
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
    advice = recommend(policy, study, history)
    gene = next(r for r in advice.reasons if r.code.startswith("GENOTYPE"))
    without = recommend(policy, study, without_codes(history, policy.profile, ("GENOTYPE",)))
    assert advice.dose is not None
    assert without.dose is not None
    assert gene.dose is not None
    np.testing.assert_allclose(advice.dose.exact - without.dose.exact, gene.dose, atol=1e-3)
    assert abs(gene.dose) > 0.01, "the formula's value changes with the genotype"


def test_the_dose_has_an_interval_only_if_its_width_was_measured() -> None:
    policy, study, history = fitted_policy("posology"), iwpc_cohort().study, encode()
    unmeasured = recommend(policy, study, history).dose
    assert unmeasured is not None
    assert unmeasured.needed is None
    dose = recommend(policy, study, history, dose_half_width=1.0).dose
    assert dose is not None
    assert dose.needed == pytest.approx(
        ((np.sqrt(dose.exact) - 1) ** 2, (np.sqrt(dose.exact) + 1) ** 2)
    )


@pytest.mark.parametrize("dose", [-5.0, 0.2, 20.9, 20.99, 21.0, 33.3, 49.0, 49.01, 500.0])
def test_rounded_doses_stay_in_their_range(dose: float) -> None:
    for allowed in (
        DoseRange(1.0, 21.0, "mg/wk", 0.5, open_high=True),
        DoseRange(21.0, 49.0, "mg/wk", 0.5),
        DoseRange(49.0, 175.0, "mg/wk", 0.5, open_low=True),
        DoseRange(0.3, 9.9, "mg", 0.0),
    ):
        rounded = round_dose(dose, allowed)
        assert is_in_range(np.array([rounded]), allowed).all()
        if allowed.step:
            assert rounded / allowed.step == round(rounded / allowed.step)
