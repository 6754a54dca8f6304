"""A training recipe that takes a second."""

from posology.learners.network.reinforcement import Reinforcement
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training
from posology.learners.recipes import Recipe


def small_recipe(seed: int) -> Recipe:
    return Recipe(
        "small",
        Supervised(Sizes(32, 8, 32, 1, 4, 0.1), Training(epochs=3, seed=seed)),
        Reinforcement(Training(epochs=1, keep_initial=True, seed=seed)),
    )
