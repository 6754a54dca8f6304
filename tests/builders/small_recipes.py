"""A training recipe that takes a second, and a stack whose members take no more."""

import pytest

from posology.learners.network.reinforcement import Reinforcement
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training
from posology.learners.recipes import Recipe
from posology.learners.stack.learner import StackLearner
from posology.learners.stack.members import MemberLearner
from posology.workflows import fit as fit_module
from tests.builders.policies import SMALL_STACK


def small_recipe(seed: int) -> Recipe:
    return Recipe(
        "small",
        Supervised(Sizes(32, 8, 32, 1, 4, 0.1), Training(epochs=3, seed=seed)),
        Reinforcement(Training(epochs=1, keep_initial=True, seed=seed)),
    )


def use_small_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `fit` train the network by the small recipe."""
    monkeypatch.setattr(fit_module, "load_recipe", lambda _name, seed, _train: small_recipe(seed))


def use_members(monkeypatch: pytest.MonkeyPatch, *members: MemberLearner) -> None:
    """Let `fit` stack these members, by default small ones, around its network."""
    chosen = members or SMALL_STACK.members(None, 0)  # type: ignore[arg-type]
    monkeypatch.setattr(
        fit_module,
        "StackLearner",
        lambda again, seed: StackLearner(again=again, members=lambda *_: chosen, seed=seed),
    )
