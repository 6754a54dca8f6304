"""Logged patients of the partially observed world, as a cohort."""

import functools

import numpy as np

from posology.domain.cohort import Cohort
from posology.simulators.belief.care import usual_care
from posology.simulators.belief.play import play
from posology.simulators.belief.world import FEATURES, WorldShape, draw_world
from posology.simulators.conversion import StudyNames, to_cohort

SHAPE = WorldShape(types=2, levels=3, drugs=2, visits=5)


@functools.cache
def small_trajectories(patients: int = 40, seed: int = 100) -> Cohort:
    """Patients under usual care, in all three splits."""
    world = draw_world(seed, SHAPE)
    logged = play(world, usual_care(world), patients, np.random.default_rng(seed))
    return to_cohort(logged, names())


def names() -> StudyNames:
    """Of the study, its treatments and observations."""
    world = draw_world(100, SHAPE)
    return StudyNames("belief", world.treatments, FEATURES, day_column="month")
