"""Tumours against a loop of the published equation, and what confounding does."""

import math

import numpy as np
import pytest

from posology.simulators.tumour import (
    DAYS,
    Tumours,
    draw_tumours,
    next_volume,
    simulate_tumours,
    sphere_volume,
)


def test_growth_is_the_published_equation():
    tumours = Tumours(
        np.array([2]), np.array([0.05]), np.array([0.01]), np.array([0.03]), np.array([20.0])
    )
    found = next_volume(
        tumours, np.array([20.0]), np.array([5.0]), np.array([2.0]), np.array([0.004])
    )
    capacity = math.pi / 6 * 30**3
    kill = 0.03 * 5.0 + (0.05 * 2.0 + 0.005 * 2.0**2)
    assert found[0] == pytest.approx(20 * (1 + 0.01 * math.log(capacity / 20) - kill + 0.004))


def test_patients_have_the_published_mix():
    tumours = draw_tumours(20_000, np.random.default_rng(0))
    assert np.bincount(tumours.kind)[1:] / 20_000 == pytest.approx([1 / 3] * 3, abs=0.02)
    assert min(tumours.alpha.min(), tumours.rho.min(), tumours.chemo.min()) > 0
    assert np.corrcoef(tumours.alpha, tumours.rho)[0, 1] > 0.5
    assert tumours.volume.max() < sphere_volume(13.0)
    more = tumours.chemo[tumours.kind == 3].mean() - tumours.chemo[tumours.kind == 2].mean()
    assert more == pytest.approx(0.0028, abs=1e-4)


def test_what_happened_is_one_of_the_counterfactuals():
    courses = simulate_tumours(
        draw_tumours(300, np.random.default_rng(1)), 4.0, np.random.default_rng(2)
    )
    taken = np.take_along_axis(courses.next_volume, courses.treatment[:, :, None], axis=2)[:, :, 0]
    assert np.array_equal(taken[:, :-1], courses.volume[:, 1:])
    both, none = courses.next_volume[..., 3], courses.next_volume[..., 0]
    assert np.all(both <= none + 1e-12)
    stopped = ~courses.active[:, 1:] & courses.active[:, :-1]
    ended = courses.volume[:, 1:][stopped]
    assert np.all((ended == 0) | (ended >= sphere_volume(13.0)))


def test_chemotherapy_lingers_with_a_half_life_of_a_day():
    rng = np.random.default_rng(3)
    tumours = draw_tumours(200, rng)
    courses = simulate_tumours(tumours, 0.0, rng)
    level = np.zeros(200)
    for day in range(5):
        given = courses.treatment[:, day] % 2
        gap = courses.next_volume[:, day, 0] - courses.next_volume[:, day, 1]
        whole = courses.next_volume[:, day, 1] > 0
        kill = courses.volume[:, day] * tumours.chemo * 5.0
        assert np.allclose(gap[whole], kill[whole])
        level = level / 2 + 5.0 * given
    assert level.max() <= 10.0


@pytest.mark.parametrize("confounding", [0.0, 4.0])
def test_larger_tumours_are_treated_more_under_confounding(confounding):
    rng = np.random.default_rng(4)
    courses = simulate_tumours(draw_tumours(4_000, rng), confounding, rng)
    diameter = np.cbrt(courses.volume * 6 / np.pi)
    large, small = courses.active & (diameter > 9), courses.active & (diameter < 3)
    difference = (courses.treatment[large] > 0).mean() - (courses.treatment[small] > 0).mean()
    assert abs(difference) < 0.03 if confounding == 0 else difference > 0.3
    assert courses.active.shape == (4_000, DAYS)
    share = [(courses.treatment == k).mean() for k in range(4)]
    assert np.isclose(sum(share), 1)
    assert courses.logged_probability.min() > 0
