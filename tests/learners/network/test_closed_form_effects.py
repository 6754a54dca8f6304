"""Differences between treatments, solved in closed form after descent."""

import numpy as np
import torch

from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.learners.network.closed_form_effects import solve_effects
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.tensors import cohort_to_tensors, ensemble_losses, iterate_batches
from posology.learners.network.training_loop import Training
from tests.builders.policies import with_option_doses
from tests.builders.synthetic_iwpc import cohort as make_cohort

SMALL = Supervised(Sizes(16, 8, 16, 1, 2, 0.1), Training(batch=64, epochs=2))
CPU = torch.device("cpu")


def test_solved_effects_fit_the_validation_patients_better_than_none() -> None:
    train, validation = (
        with_option_doses(select_split(make_cohort(), TRAIN)),
        with_option_doses(select_split(make_cohort(), VALIDATION)),
    )
    policy = SMALL.fit(train, validation)
    network, curves = policy.network, policy.network.curves
    assert curves is not None
    check = cohort_to_tensors(validation, policy.decoding, network.config, CPU)
    with torch.no_grad():
        solved = ensemble_losses(network, check)
        for parameter in (*curves.effects.parameters(), curves.average):
            parameter.zero_()
        without = ensemble_losses(network, check)
    assert solved["margin"] < 0.8 * without["margin"]
    assert solved["effectiveness"] < without["effectiveness"]


def test_solving_twice_changes_nothing() -> None:
    """The prognosis does not depend on the differences that are replaced."""
    train, validation = (
        with_option_doses(select_split(make_cohort(), TRAIN)),
        with_option_doses(select_split(make_cohort(), VALIDATION)),
    )
    policy = SMALL.fit(train, validation)
    learn = cohort_to_tensors(train, policy.decoding, policy.network.config, CPU)

    def predict() -> np.ndarray:
        with torch.no_grad():
            return np.concatenate(
                [
                    policy.network(batch).target_distance.numpy()
                    for batch, _ in iterate_batches(learn)
                ]
            )

    first = predict()
    solve_effects(policy.network, learn)
    np.testing.assert_allclose(predict(), first, atol=1e-4)
