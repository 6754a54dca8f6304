"""Ninety days of visits: bookkeeping against naive loops, and what protocols do."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.trajectories import episode_returns
from posology.simulators.warfarin.care import (
    DAYS,
    DOSES,
    FEATURES,
    observe,
    start_treatment,
    take_dose_until_next_visit,
    treat_patients,
)
from posology.simulators.warfarin.pharmacology import CYP2C9, VKORC1, bodies_2007
from posology.simulators.warfarin.protocols import (
    ClinicianMixture,
    adjust_by_nomogram,
    clinician_policy,
    cpic_nomogram,
    fixed_dose,
    follow_protocol,
    iwpc_nomogram,
    round_dose,
    standard_nomogram,
)
from tests.builders.warfarin_patients import warfarin_patients


def start(count: int, seed: int = 0):
    known = warfarin_patients(count, seed)
    return start_treatment(known, bodies_2007(known, np.random.default_rng(seed)))


def seen(**values: float) -> np.ndarray:
    row = np.zeros((1, len(FEATURES)))
    for name, value in values.items():
        row[0, FEATURES.index(name)] = value
    return row


@pytest.fixture(scope="module")
def outcome():
    return treat_patients(start(60), clinician_policy(ClinicianMixture()), np.random.default_rng(1))


def test_every_patient_is_followed_for_ninety_days(outcome):
    logged = outcome.trajectories
    assert np.all(logged.final_observation[:, FEATURES.index("day")] == DAYS)
    assert np.all(logged.observation[logged.offsets[:-1], FEATURES.index("day")] == 0)
    assert np.allclose(logged.behaviour.sum(axis=1), 1)
    assert np.allclose(
        logged.logged_probability,
        logged.behaviour[np.arange(len(logged.treatment)), logged.treatment],
    )


def test_the_dose_given_is_seen_at_the_next_visit(outcome):
    logged = outcome.trajectories
    for first, last in zip(logged.offsets[:-1], logged.offsets[1:], strict=True):
        dose = logged.observation[first + 1 : last, FEATURES.index("dose")]
        assert np.array_equal(dose, DOSES[logged.treatment[first : last - 1]])


def test_time_in_range_is_rosendaals_interpolation(outcome):
    logged = outcome.trajectories
    for row in range(10):
        visits = slice(logged.offsets[row], logged.offsets[row + 1])
        path = np.vstack([logged.observation[visits], logged.final_observation[row]])
        day, inr = path[:, FEATURES.index("day")], path[:, FEATURES.index("inr")]
        daily = np.interp(np.arange(1, DAYS + 1), day, inr)
        in_range = ((daily >= 2) & (daily <= 3)).mean()
        above = (daily > 4).mean()
        assert outcome.time_in_range[row] == pytest.approx(in_range, abs=1e-9)
        assert episode_returns(logged)[row] == pytest.approx(in_range - above, abs=1e-9)
        assert outcome.over_4[row] == (inr[1:] > 4).any()


def test_a_high_inr_is_seen_again_in_two_days():
    course = start(2)
    late = replace(course, day=np.full(2, 20, np.int64), inr=np.array([2.5, 4.0]))
    after, _, _ = take_dose_until_next_visit(late, np.array([0, 0]), np.random.default_rng(0))
    assert after.day.tolist() == [27, 22]


def test_a_stopped_drug_lets_the_inr_fall_and_keeps_the_maintenance_dose():
    course = start(50)
    rng = np.random.default_rng(0)
    for _ in range(4):
        course, _, _ = take_dose_until_next_visit(course, np.full(50, 20), rng)
    high = course.inr.mean()
    for _ in range(3):
        course, _, _ = take_dose_until_next_visit(course, np.zeros(50, np.int64), rng)
    assert course.inr.mean() < high - 0.3
    assert np.all(course.maintenance == 10.0)
    assert np.all(course.dose == 0.0)
    assert observe(course).shape == (50, len(FEATURES))


@pytest.mark.parametrize(
    ("inr", "dose"),
    [(1.2, 5.75), (1.7, 5.5), (2.5, 5.0), (3.0, 5.0), (3.5, 4.5), (4.0, 0.0), (6.0, 0.0)],
)
def test_the_nomogram(inr, dose):
    visit = seen(day=30, inr=inr, maintenance=5, dose=5)
    assert adjust_by_nomogram(visit, np.array([9.0]))[0] == pytest.approx(dose)


def test_the_nomogram_waits_at_first_and_restarts_lower():
    wait = seen(day=4, inr=1.2, maintenance=5, dose=5)
    assert adjust_by_nomogram(wait, np.array([9.0]))[0] == 5.0
    assert adjust_by_nomogram(seen(day=0, inr=1.0), np.array([9.0]))[0] == 9.0
    restart = seen(day=30, inr=2.5, previous_inr=4.5, maintenance=10, dose=0)
    assert adjust_by_nomogram(restart, np.array([9.0]))[0] == 9.0
    after_five = seen(day=30, inr=2.5, previous_inr=5.5, maintenance=10, dose=0)
    assert adjust_by_nomogram(after_five, np.array([9.0]))[0] == 8.5
    small = seen(day=30, inr=1.8, maintenance=1.0, dose=1.0)
    assert adjust_by_nomogram(small, np.array([9.0]))[0] == 1.5


def test_published_starting_doses():
    known = {f"cyp2c9 {CYP2C9[0]}": 1, f"vkorc1 {VKORC1[0]}": 1, "race white": 1}
    person = seen(age=55, height=175, weight=80, **known)
    root = 5.6044 - 0.2614 * 5 + 0.0087 * 175 + 0.0128 * 80
    assert iwpc_nomogram(person)[0] == pytest.approx(root**2 / 7)
    assert cpic_nomogram(person)[0] == 6.0
    slow = seen(age=55, **{f"cyp2c9 {CYP2C9[5]}": 1, f"vkorc1 {VKORC1[2]}": 1})
    assert cpic_nomogram(slow)[0] == 1.25
    assert fixed_dose(slow)[0] == standard_nomogram(slow)[0] == 5.0


def test_clinicians_favour_the_protocols_and_may_give_anything():
    visit = seen(day=30, inr=2.5, maintenance=5, dose=5)
    chances = clinician_policy(ClinicianMixture())(visit)
    assert chances.sum() == pytest.approx(1)
    assert chances.min() > 0
    assert DOSES[chances.argmax()] == 5.0
    assert follow_protocol(standard_nomogram)(visit)[0, 10] == 1.0
    assert round_dose(np.array([5.2, 99.0, -1.0])).tolist() == [5.0, 15.0, 0.0]


def test_genes_help_and_a_fixed_dose_does_not():
    def run(protocol):
        return treat_patients(start(300, 5), follow_protocol(protocol), np.random.default_rng(2))

    without, table, formula = run(fixed_dose), run(cpic_nomogram), run(iwpc_nomogram)
    assert table.time_in_range.mean() > without.time_in_range.mean() + 0.2
    assert formula.time_in_range.mean() > without.time_in_range.mean() + 0.2
    assert formula.over_4.mean() < without.over_4.mean()
    found = np.isfinite(formula.days_to_stable)
    assert found.mean() > 0.7
    assert formula.days_to_stable[found].min() >= 8
