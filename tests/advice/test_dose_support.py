"""No dose outside what training patients were given."""

import datetime

import numpy as np
import pytest

from posology.advice.dose_support import describe_limit, round_dose, supported_range
from posology.advice.prediction import predict_patient
from posology.cohorts.patient import encode_patient
from posology.domain.formulary import DoseRange, is_in_range
from tests.builders import synthetic_iwpc
from tests.builders.policies import fitted_policy, iwpc_cohort

ALLOWED = DoseRange(1.0, 175.0, "mg/wk", 0.5)


@pytest.mark.parametrize(
    ("seen", "low", "high"),
    [(None, 1, 175), ((4.2, 90.3), 4.2, 90.3), ((0.5, 300.0), 1, 175), ((200.0, 300.0), 1, 175)],
)
def test_the_supported_range_is_where_both_overlap(seen, low, high) -> None:
    supported = supported_range(ALLOWED, seen)
    assert (supported.low, supported.high) == (low, high)


def test_an_open_bound_stays_open_only_where_it_binds() -> None:
    allowed = DoseRange(49.0, 175.0, "mg/wk", 0.5, open_low=True)
    assert supported_range(allowed, (20.0, 90.0)).open_low
    assert not supported_range(allowed, (50.0, 90.0)).open_low


def test_a_range_without_a_multiple_of_the_step_gives_its_nearest_dose() -> None:
    assert round_dose(3.0, DoseRange(3.1, 3.3, "mg", 0.5)) == pytest.approx(3.1)
    assert round_dose(9.0, DoseRange(3.1, 3.3, "mg", 0.5)) == pytest.approx(3.3)


def test_a_dose_that_was_moved_names_the_bound_and_whose_it_is() -> None:
    supported = supported_range(ALLOWED, (4.0, 90.0))
    assert describe_limit(89.9, supported, ALLOWED, "") == ""
    assert describe_limit(173579.9, supported, ALLOWED, "") == (
        "The model's dose, 173579.9 mg/wk, was moved to 90.0 mg/wk: fewer than 5 training patients "
        "had more."
    )
    assert "lowest that the study allows, 1.0" in describe_limit(-3.0, ALLOWED, ALLOWED, "")


def test_advice_holds_the_dose_inside_training_and_says_so() -> None:
    policy, study = fitted_policy("formula_refit"), iwpc_cohort().study
    table = synthetic_iwpc.events(3)
    rows = [row for row in table.to_pylist() if row["subject_id"] == 2]
    before = [r for r in rows if r["time"] is None or r["time"] < datetime.datetime(2000, 1, 1)]  # noqa: DTZ001
    one = table.from_pylist(before, schema=table.schema)
    history = encode_patient(one, study, policy.profile)[0]
    free = predict_patient(policy, study, history)
    assert free.dose is not None
    bound = free.dose.exact + 5.0
    held = predict_patient(policy, study, history, seen={"": (bound, 100.0)})
    assert held.dose is not None
    assert held.dose.exact == bound
    assert held.dose.supported == (bound, 100.0)
    assert bound <= held.dose.dose <= bound + 0.5
    assert any("fewer than 5 training patients had less" in w for w in held.warnings)
    assert free.warnings == ()
    names = [t.name for t in study.formulary.treatments]
    ranges = predict_patient(policy, study, history, seen=dict.fromkeys(names, (1.0, 1.5)))
    assert ranges.warnings == (), "options that are ranges of the dose are not advised themselves"


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


def test_a_range_without_an_end_rounds_to_its_steps() -> None:
    assert round_dose(9.3, DoseRange(1.0, float("inf"), "mg", 0.5)) == 9.5
