"""Exact beliefs about hidden states, by Bayes' rule from visit to visit."""

import numpy as np

from posology.simulators.belief.world import Belief, BeliefWorld, Symbols


def first_belief(world: BeliefWorld, symbol: Symbols) -> Belief:
    """After the first visit."""
    return _normalise(world.start * world.first_symbol[:, symbol].T)


def next_belief(world: BeliefWorld, belief: Belief, treatment: Symbols, symbol: Symbols) -> Belief:
    """After a treatment, survival to the next visit and what that visit shows."""
    after = np.empty_like(belief)
    alive = belief * (1 - world.death)
    for option in np.unique(treatment):
        rows = np.flatnonzero(treatment == option)
        after[rows] = (alive[rows] @ world.move[option]) * world.symbol[option][:, symbol[rows]].T
    return _normalise(after)


def _normalise(weight: Belief) -> Belief:
    return weight / weight.sum(axis=1, keepdims=True)
