"""Every method of `posology fit --method` is a learner with the seed it was given."""

import pytest

from posology.domain.policy import Learner
from posology.errors import UserError
from posology.learners.methods import METHODS, build_learner

WITHOUT_RANDOMNESS = {"logistic", "dose_ridge", "tabular"}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_a_learner_with_a_one_line_description(name: str) -> None:
    assert isinstance(build_learner(name), Learner)
    assert 10 < len(METHODS[name].description) <= 80
    assert "\n" not in METHODS[name].description


@pytest.mark.parametrize("name", METHODS)
def test_the_seed_reaches_every_method_that_draws_at_random(name: str) -> None:
    assert build_learner(name, 3) == build_learner(name, 3)
    assert (build_learner(name, 3) == build_learner(name, 4)) == (name in WITHOUT_RANDOMNESS)


def test_an_unknown_method_lists_the_known_ones() -> None:
    with pytest.raises(
        UserError, match=r"--method sarsa: is unknown; choose one of network, .*iql"
    ):
        build_learner("sarsa")
