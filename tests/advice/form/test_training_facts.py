"""What a policy keeps of its training patients: nothing that is one patient's alone."""

from dataclasses import replace

import numpy as np
import pytest

from posology.advice.form.limits import training_range
from posology.advice.form.training_facts import BEHIND, LEAST, measure_facts, median_days
from posology.domain.cohort import TRAIN, Cohort, select_split
from tests.builders.policies import iwpc_cohort


@pytest.fixture(scope="module")
def train() -> Cohort:
    return select_split(iwpc_cohort(), TRAIN)


def with_ends(train: Cohort, code: str, patients: int, ends: tuple[float, float]) -> Cohort:
    """The cohort, with other numbers of so many patients at each end, and of doses."""
    at = np.flatnonzero(train.history.code == train.profile.codes.index(code))
    order, dose = at[np.argsort(train.history.value[at])], np.argsort(train.dose)
    value, doses = train.history.value.copy(), train.dose.copy()
    for array, rows in ((value, order), (doses, dose[: np.isfinite(train.dose).sum()])):
        array[rows[:patients]], array[rows[-patients:]] = ends
    return replace(train, history=replace(train.history, value=value), dose=doses)


def test_bounds_tell_nothing_of_fewer_than_five_patients(train: Cohort) -> None:
    before, row = measure_facts(train), train.profile.codes.index("HEIGHT")
    four = measure_facts(with_ends(train, "HEIGHT", BEHIND - 1, (1.0, 999.0)))
    assert (four.low, four.high) == (before.low, before.high)
    assert [d for d in four.doses if not d[0]] == [d for d in before.doses if not d[0]]
    five = measure_facts(with_ends(train, "HEIGHT", BEHIND, (1.0, 999.0)))
    assert (five.low[row], five.high[row]) == (1.0, 999.0)
    assert ("", 1.0, 999.0) in five.doses


def test_a_number_that_is_not_above_0_is_known_by_that_alone(train: Cohort) -> None:
    row = train.profile.codes.index("HEIGHT")
    facts = measure_facts(with_ends(train, "HEIGHT", 1, (-7.0, 999.0)))
    assert facts.low[row] == 0.0
    assert training_range(facts, row).low == 0.0


def test_of_few_patients_no_bounds_are_kept(train: Cohort) -> None:
    row, known = train.profile.codes.index("HEIGHT"), train.history.value.copy()
    rows = np.flatnonzero(train.history.code == row)
    known[rows[LEAST - 1 :]] = np.nan
    facts = measure_facts(replace(train, history=replace(train.history, value=known)))
    assert (facts.low[row], facts.high[row], facts.patients[row]) == (None, None, 0)
    assert training_range(facts, row).contains(1e6)


@pytest.mark.parametrize("is_positive", [True, False])
@pytest.mark.parametrize("size", [20, 100, 1000])
def test_where_training_ends_is_told_from_its_bounds(
    train: Cohort, size: int, is_positive: bool
) -> None:
    """As far as the ends of normal, or lognormal, numbers lie on average."""
    facts, rng = measure_facts(train), np.random.default_rng(3)
    codes = len(train.profile.codes)
    told, true = [], []
    for _ in range(200):
        drawn = np.sort(rng.normal(0, 0.3, size))
        kept = drawn[BEHIND - 1], drawn[-BEHIND]
        low, high = np.exp(kept) if is_positive else kept
        kept_facts = replace(
            facts, low=(low,) * codes, high=(high,) * codes, patients=(size,) * codes
        )
        ends = training_range(kept_facts, 0)
        told.append(np.log((ends.low, ends.high)) if is_positive else (ends.low, ends.high))
        true.append((drawn[0], drawn[-1]))
    np.testing.assert_allclose(np.mean(told, axis=0), np.mean(true, axis=0), rtol=0.1)


def test_a_policy_saved_with_its_extremes_has_them(train: Cohort) -> None:
    facts, row = measure_facts(train), train.profile.codes.index("HEIGHT")
    older = replace(facts, patients=())
    ends = training_range(older, row)
    assert (ends.low, ends.high) == (facts.low[row], facts.high[row])
    newer = training_range(facts, row)
    assert newer.contains(ends.low or 0.0)
    assert newer.contains(ends.high or 0.0)
    assert newer.low != ends.low


@pytest.mark.parametrize(("patients", "expected"), [(BEHIND - 1, 3.0), (BEHIND, 1000.0)])
def test_the_days_before_a_decision_are_of_all_codes_where_few_have_one(
    patients: int, expected: float
) -> None:
    owner = np.arange(patients + 20)
    code = np.where(owner < patients, 0, 1)
    days = np.where(code == 0, 1000.0, 3.0)
    assert median_days(owner, code, days, 3) == (expected, 3.0, None)
