"""The truth of each world against what happens in it, counted."""

import numpy as np
import pytest

from benchmarks.estimands.courses import Courses, draw_courses
from benchmarks.estimands.truth import (
    expected,
    expected_harm,
    expected_label,
    find_truth,
    in_cohort,
)
from benchmarks.estimands.worlds import WORLDS, World


def counted_outcome(world: World, c: Courses) -> np.ndarray:
    """The outcome of the option that was given, from the times of everything that happened."""
    whole = np.floor if world.resolution == "day" else np.asarray

    def day(time: np.ndarray) -> np.ndarray:
        return whole(time - c.zero)

    event, stop = day(c.event), day(c.stop) if world.unless else np.full(len(c), np.inf)
    dies = np.full(len(c), np.inf) if world.competing_as == "cause_specific" else day(c.death)
    if world.kind == "does_not_occur":
        return np.minimum(np.minimum(event, stop), dies) > world.window
    if world.kind == "time_to_event":
        continuous = np.minimum(c.event, np.minimum(c.stop if world.unless else np.inf, c.death))
        if world.competing_as == "cause_specific":
            continuous = np.minimum(c.event, c.stop if world.unless else np.inf)
        opens = 1.0 if world.resolution == "day" and world.grace else 0.0
        return np.minimum(continuous - c.zero - opens, world.window)
    if world.kind == "occurs":
        return (event <= world.window) & (event < stop) & (event <= dies)
    measured = day(c.measured)
    return (c.value <= 5.0) & (stop > measured) & (dies >= measured)


def counted_label(world: World, c: Courses) -> np.ndarray:
    """Whether the option was effective; of a time, whether the window ended first."""
    if world.kind != "time_to_event":
        return counted_outcome(world, c)
    return counted_outcome(world, c) >= world.window


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_expectations_agree_with_what_happens(world: World):
    c = draw_courses(world, 6_000, np.random.default_rng(7))
    rows = in_cohort(world, c)
    given = np.arange(len(c)), c.option
    died = np.minimum(c.death, c.zero + world.window + 1)
    last = world.window + (world.resolution == "day")
    harmed = (c.harm <= died) & (c.harm - c.zero < last)
    for counted, mean in (
        (counted_outcome(world, c), expected(world, c)[given]),
        (counted_label(world, c), expected_label(world, c)[given]),
        (harmed, expected_harm(world, c)[given]),
    ):
        off = (counted.astype(np.float64) - mean)[rows]
        by_patient = np.bincount(c.patient[rows], weights=off)
        error = np.sqrt((by_patient**2).sum())
        assert abs(by_patient.sum()) < 4 * error, (off.mean(), error / rows.sum())


def test_the_truth_of_the_plainest_world_has_a_closed_form():
    """One decision, nobody leaves, nothing works: the mean over normal covariates by quadrature."""
    (world,) = [w for w in WORLDS if w.name == "w23"]
    truth = find_truth(world, patients=60_000)
    x, weight = np.polynomial.hermite_e.hermegauss(40)
    # x1, x3 and the frailty add up to one normal number: .4 x1 + .3 x3 + .4 u - .08.
    normal = np.sqrt(0.16 + 0.09 + 0.16) * x - 0.08
    survives = sum(
        share * (weight / weight.sum() * 0.65 ** np.exp(normal + 0.3 * x2)).sum()
        for x2, share in ((0, 0.6), (1, 0.4))
    )
    assert truth.value[0] == pytest.approx(survives, abs=0.004)
    assert truth.value[1] == truth.value[0]
    assert truth.gain_of_oracle == pytest.approx(0.0, abs=1e-12)
    # Option 1 goes to patients of higher risk.
    assert truth.label[1] < truth.value[1] - 0.02 < truth.label[0] - 0.04
