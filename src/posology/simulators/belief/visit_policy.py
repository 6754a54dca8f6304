"""The best policy that sees the current visit only, from the true model."""

import numpy as np
from jaxtyping import Float64

from posology.simulators.belief.planning import reward_of
from posology.simulators.belief.world import BeliefWorld, Symbols, read_symbol, read_visit
from posology.simulators.rollout import MemoryPolicy, Observation

VisitRules = Float64[np.ndarray, "visit last symbol treatment"]


def solve_by_visit(world: BeliefWorld, sweeps: int = 20) -> np.ndarray:
    """The treatment at each visit by the symbol that it shows.

    Each sweep takes the visits from the last to the first and gives every symbol the treatment
    that is best for those who show it, given the rules of the other visits; the return never falls.
    """
    visits, symbols = world.shape.visits, len(world.reward)
    rules = np.zeros((visits, symbols), np.int64)
    for sweep in range(sweeps):
        before, reach = rules.copy(), _reach(world, rules)
        following = np.zeros((len(world.start), symbols))
        for visit in reversed(range(visits)):
            value = _treatment_values(world, following)
            if sweep == 0 and visit:  # before any rule is known: the states at the start
                weight = world.start[:, None] * world.first_symbol
            else:
                weight = reach[visit]
            rules[visit] = np.einsum("so,as->oa", weight, value).argmax(axis=1)
            following = value[rules[visit]].T
        if (rules == before).all():
            break
    return rules


def rules_return(world: BeliefWorld, rules: np.ndarray) -> float:
    """Exact expected return of rules by visit and symbol."""
    following = np.zeros((len(world.start), len(world.reward)))
    for rule in reversed(rules):
        following = _treatment_values(world, following)[rule].T
    return float((world.start[:, None] * world.first_symbol * following).sum())


def _treatment_values(
    world: BeliefWorld, following: Float64[np.ndarray, "state symbol"]
) -> Float64[np.ndarray, "treatment state"]:
    going = (1 - world.death) * (1 - world.shape.leave)
    ahead = (world.symbol * following).sum(axis=2)
    return reward_of(world) + going * np.einsum("asp,ap->as", world.move, ahead)


def _reach(world: BeliefWorld, rules: np.ndarray) -> list[Float64[np.ndarray, "state symbol"]]:
    """Chance of each state and symbol at every visit under the rules."""
    now = world.start[:, None] * world.first_symbol
    going = (1 - world.death) * (1 - world.shape.leave)
    reach = [now]
    for rule in rules[:-1]:
        after = np.zeros_like(now)
        for treatment in np.unique(rule):
            mass = now[:, rule == treatment].sum(axis=1) * going
            after += (mass @ world.move[treatment])[:, None] * world.symbol[treatment]
        reach.append(after)
        now = after
    return reach


def bayes_visit(rules: np.ndarray, treatments: int) -> MemoryPolicy:
    """The rules of `solve_by_visit` as a policy."""

    def choose(seen: Observation, _subject: Symbols, _last: Symbols) -> np.ndarray:
        return np.eye(treatments)[rules[read_visit(seen), read_symbol(seen)]]

    return choose
