"""The tumour world's data sets against loops of the published equation."""

import math

import numpy as np
import pytest

from posology.domain.outcome_trajectories import logged_plans, outcomes_under
from posology.simulators.gymnasium_envs import tumour_env
from posology.simulators.tumour import DAYS, Tumours, draw_tumours, sphere_volume
from posology.simulators.tumour_sets import LARGEST, PLANNED, log_tumours, make_test, nrmse

NO_CHANCE = 0.0


def _unchanging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posology.simulators.tumour_sets.NOISE", NO_CHANCE)


def _published(tumours: Tumours, patient: int, volume: float, given: np.ndarray) -> list[float]:
    """The equation of the facts, one number at a time; no noise."""
    concentration, path = 0.0, []
    for chemo, radio in given:
        concentration = concentration * math.exp(-math.log(2)) + 5.0 * chemo
        dose, alpha = 2.0 * radio, tumours.alpha[patient]
        growth = tumours.rho[patient] * math.log(math.pi / 6 * 30**3 / volume)
        kill = tumours.chemo[patient] * concentration + alpha * dose + alpha / 10 * dose**2
        volume = volume * (1 + growth - kill)
        path.append(volume)
    return path


@pytest.mark.parametrize("design", ["one_step", "sliding", "random"])
@pytest.mark.parametrize("assignment", ["own", "published"])
def test_planned_volumes_are_the_published_equation(monkeypatch, design, assignment):
    _unchanging(monkeypatch)
    rng = np.random.default_rng(2)
    tumours = draw_tumours(40, rng)
    test = make_test(tumours, 3.0, design, rng, assignment)
    logged, plans = test.trajectories, test.plans
    for k in rng.choice(len(plans), 60, replace=False):
        patient, day = plans.subject[k], plans.visit[k]
        given = np.concatenate([logged.treatment[patient, :day], plans.treatment[k]])
        path = _published(tumours, patient, logged.outcome[patient, 0], given)
        assert test.truth[k] == pytest.approx(path[day:], rel=1e-9)
        assert logged.outcome[patient, : day + 1][1:] == pytest.approx(path[:day], rel=1e-9)


def test_one_step_tests_hold_all_four_treatments_of_every_day():
    rng = np.random.default_rng(3)
    test = make_test(draw_tumours(30, rng), 2.0, "one_step", rng)
    options = test.plans.treatment[:, 0] @ [1, 2]
    assert np.array_equal(options, np.tile([0, 1, 2, 3], len(options) // 4))
    days = test.plans.visit.reshape(-1, 4)
    assert np.all(days == days[:, :1])
    assert days.max() == DAYS - 2


def test_sliding_plans_treat_once_in_five_days_after_the_treatment_given():
    rng = np.random.default_rng(4)
    test = make_test(draw_tumours(30, rng), 0.0, "sliding", rng, "own")
    plans, logged = test.plans, test.trajectories
    assert np.all(plans.treatment[:, 1:].sum(axis=(1, 2)) == 1)
    inside = plans.visit < logged.treatment.shape[1]
    first = logged.treatment[plans.subject[inside], plans.visit[inside]]
    assert np.array_equal(plans.treatment[inside, 0], first)
    assert plans.treatment.shape[1] == PLANNED + 1


def test_logged_patients_are_untreated_on_day_0_and_end_at_death():
    rng = np.random.default_rng(5)
    logged = log_tumours(draw_tumours(500, rng), 4.0, rng)
    assert logged.treatment[:, 0].sum() == 0
    assert logged.treatment[:, 1:].sum() > 0
    last = np.array([row[~np.isnan(row)][-1] for row in logged.outcome])
    ended = np.isnan(logged.outcome).any(axis=1)
    assert np.all((last[ended] == 0) | np.isclose(last[ended], LARGEST))
    assert np.nanmax(logged.outcome) <= LARGEST


def test_treatment_follows_the_patients_own_size_or_as_published_anothers():
    patients = 600
    found = {}
    for assignment in ("own", "published"):
        rng = np.random.default_rng(6)
        tumours = draw_tumours(patients, rng)
        logged = make_test(tumours, 4.0, "one_step", rng, assignment).trajectories
        first = logged.treatment[:, :10].sum(axis=(1, 2))
        found[assignment] = np.corrcoef(np.cbrt(tumours.volume), first)[0, 1]
    assert found["own"] > 0.4
    assert abs(found["published"]) < 0.2


def test_error_is_in_percent_of_the_volume_at_death():
    truth = np.zeros(4)
    assert nrmse(np.full(4, float(sphere_volume(13.0)) / 50), truth) == pytest.approx(2.0)


def test_logged_plans_are_the_treatments_given_where_outcomes_are_known():
    rng = np.random.default_rng(7)
    logged = log_tumours(draw_tumours(40, rng), 2.0, rng)
    plans = logged_plans(logged, 3)
    after = outcomes_under(logged, plans)
    assert not np.isnan(after).any()
    k = int(rng.integers(len(plans)))
    subject, visit = plans.subject[k], plans.visit[k]
    assert np.array_equal(plans.treatment[k], logged.treatment[subject, visit : visit + 3])
    assert np.array_equal(after[k], logged.outcome[subject, visit + 1 : visit + 4])
    expected = sum(max(0, int((~np.isnan(row)).sum()) - 3) for row in logged.outcome)
    assert len(plans) == expected


def test_the_environment_follows_the_published_equation(monkeypatch):
    pytest.importorskip("gymnasium")
    monkeypatch.setattr("posology.simulators.gymnasium_envs.NOISE", NO_CHANCE)
    env = tumour_env(dose_price=0.1)
    env.reset(seed=8)
    rng, given, rewards, volumes = np.random.default_rng(9), [], [], []
    tumours, start = env.tumour, float(env.volume[0])
    for _ in range(8):
        treatment = int(rng.integers(4))
        observation, reward, *_ = env.step(treatment)
        given.append([treatment % 2, treatment // 2])
        rewards.append(reward)
        volumes.append(observation[1] * LARGEST)
    path = _published(tumours, 0, start, np.array(given))
    assert volumes == pytest.approx(path, rel=1e-9)
    doses = np.sum(given, axis=1)
    assert rewards == pytest.approx(-(np.array(path) / LARGEST + 0.1 * doses) / DAYS)


def test_death_in_the_environment_costs_all_days_that_remain():
    pytest.importorskip("gymnasium")
    env = tumour_env()
    for seed in range(400):
        env.reset(seed=seed)
        total, ended, late = 0.0, False, False
        while not (ended or late):
            _, reward, ended, late, info = env.step(0)
            total += reward
        if info["dead"]:
            assert total < -(DAYS - env.day) / DAYS
            return
    raise AssertionError("no tumour grew to the end")
