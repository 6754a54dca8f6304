"""Instances of the world in which remembering pays, with the returns to compare a learner with."""

from dataclasses import dataclass

import numpy as np

from posology.domain.trajectories import episode_returns
from posology.simulators.belief.care import usual_care
from posology.simulators.belief.planning import Plan, bayes_history, plan_return, solve
from posology.simulators.belief.play import play
from posology.simulators.belief.visit_policy import bayes_visit, rules_return, solve_by_visit
from posology.simulators.belief.world import STANDARD, BeliefWorld, WorldShape, draw_world
from posology.simulators.rollout import MemoryPolicy

VISIT_SHARE = (0.70, 0.85)
"""Share of the way from usual care to Bayes with the history that one visit suffices for."""


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """A world, its optimal policies, and the returns of all three by Monte Carlo."""

    world: BeliefWorld
    plan: Plan
    rules: np.ndarray
    """Of `solve_by_visit`."""
    usual: float
    bayes_visit: float
    bayes_history: float

    def share(self, value: float) -> float:
        """Share of the way from usual care to Bayes with the history."""
        return (value - self.usual) / (self.bayes_history - self.usual)


def draw_instance(number: int, shape: WorldShape = STANDARD, patients: int = 10_000) -> Instance:
    """The first world of this number whose share for one visit lies in VISIT_SHARE.

    The same number always gives the same world; no learner takes part in the choice.
    """
    for attempt in range(100):
        world = draw_world(1000 * number + attempt, shape)
        plan, rules = solve(world), solve_by_visit(world)
        usual = mean_return(world, usual_care(world), patients)
        share = (rules_return(world, rules) - usual) / (plan_return(world, plan) - usual)
        if VISIT_SHARE[0] <= share <= VISIT_SHARE[1]:
            visit = mean_return(world, bayes_visit(rules, len(world.treatments)), patients)
            history = mean_return(world, bayes_history(world, plan), patients)
            return Instance(world, plan, rules, usual, visit, history)
    raise AssertionError(f"no world of instance {number} is in the range {VISIT_SHARE}")


def mean_return(world: BeliefWorld, policy: MemoryPolicy, patients: int, seed: int = 77) -> float:
    """Mean return of new patients under a policy."""
    played = play(world, policy, patients, np.random.default_rng([seed, patients]))
    return float(episode_returns(played).mean())
