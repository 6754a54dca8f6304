"""The Bayes-optimal policy: planning over beliefs, and the best policy that sees one visit.

With the history, plans are alpha vectors backed up at sampled beliefs (point-based value iteration,
Pineau, Gordon and Thrun 2003, IJCAI): each is what some plan truly earns, so that the values are
lower bounds of the optimum; `exact_value` searches every sequence of a small world. With one visit,
the policy is improved visit by visit until no change of one visit's rule improves it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.simulators.belief.filtering import first_belief, next_belief
from posology.simulators.belief.play import play
from posology.simulators.belief.world import (
    DEATH_REWARD,
    Belief,
    BeliefWorld,
    Symbols,
    read_symbol,
    read_visit,
)
from posology.simulators.rollout import MemoryPolicy, Observation

Alphas = Float64[np.ndarray, "_ state"]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What the plans after each visit earn from each hidden state."""

    alphas: tuple[Alphas, ...]
    """By visit; the last, after the last treatment, is one row of zeros."""


def reward_of(world: BeliefWorld) -> Float64[np.ndarray, "treatment state"]:
    """Expected reward until the next visit."""
    alive = np.einsum("asp,apo,o->as", world.move, world.symbol, world.reward)
    return (1 - world.death) * alive + world.death * DEATH_REWARD


def _steps(world: BeliefWorld) -> Float64[np.ndarray, "treatment symbol state state"]:
    """Chance of being seen at the next visit, in a state and showing a symbol."""
    going = (1 - world.death) * (1 - world.shape.leave)
    return np.einsum("s,asp,apo->aosp", going, world.move, world.symbol, optimize=True)


def plan_values(
    world: BeliefWorld, following: Alphas, belief: Belief
) -> tuple[
    Float64[np.ndarray, "subject treatment"], Float64[np.ndarray, "treatment subject state"]
]:
    """Value of each treatment at each belief, and the alpha vector behind it."""
    reward, steps = reward_of(world), _steps(world)
    treatments, symbols = steps.shape[:2]
    alpha = np.empty((treatments, *belief.shape))
    for treatment in range(treatments):
        alpha[treatment] = reward[treatment]
        for symbol in range(symbols):
            ahead = following @ steps[treatment, symbol].T
            best = (belief @ ahead.T).argmax(axis=1)
            alpha[treatment] += ahead[best]
    return np.einsum("bs,abs->ba", belief, alpha), alpha


def solve(world: BeliefWorld, beliefs: int = 150, rounds: int = 2, seed: int = 0) -> Plan:
    """Plans for `beliefs` points a visit, at first of a random policy, then of the last plan."""
    rng, treatments = np.random.default_rng(seed), world.shape.drugs + 1
    even = np.full(treatments, 1 / treatments)

    def try_any(seen: Observation, _subject: Symbols, _last: Symbols) -> np.ndarray:
        return np.tile(even, (len(seen), 1))

    policy: MemoryPolicy = try_any
    points: list[Belief] = []
    plan = Plan(())
    for _ in range(rounds):
        met = _beliefs_met(world, policy, 4 * beliefs, rng)
        met = [m[rng.permutation(len(m))[:beliefs]] for m in met]
        points = [np.vstack(pair) for pair in zip(points, met, strict=True)] if points else met
        alphas = [np.zeros((1, len(world.start)))]
        for belief in reversed(points):
            value, alpha = plan_values(world, alphas[0], belief)
            alphas.insert(0, np.unique(alpha[value.argmax(1), np.arange(len(belief))], axis=0))
        plan = Plan(tuple(alphas))
        policy = bayes_history(world, plan)
    return plan


def _beliefs_met(
    world: BeliefWorld, policy: MemoryPolicy, patients: int, rng: np.random.Generator
) -> list[Belief]:
    """The beliefs at each visit of patients under a policy."""
    met: list[Belief] = []
    remember = remember_belief(world)

    def watch(seen: Observation, subject: Symbols, last: Symbols) -> np.ndarray:
        met.append(remember(seen, subject, last))
        return policy(seen, subject, last)

    play(world, watch, patients, rng)
    return met


def remember_belief(world: BeliefWorld) -> MemoryPolicy:
    """The exact belief of each patient, in the form of a policy with a memory."""
    beliefs: dict[str, np.ndarray] = {}

    def update(seen: Observation, subject: Symbols, last: Symbols) -> Belief:
        symbol = read_symbol(seen)
        if read_visit(seen) == 0:
            now = first_belief(world, symbol)
            beliefs["all"] = np.zeros((int(subject.max()) + 1, now.shape[1]))
        else:
            now = next_belief(world, beliefs["all"][subject], last, symbol)
        beliefs["all"][subject] = now
        return now

    return update


def bayes_history(world: BeliefWorld, plan: Plan) -> MemoryPolicy:
    """The plan's treatment at the exact belief given every visit so far."""
    remember = remember_belief(world)

    def choose(seen: Observation, subject: Symbols, last: Symbols) -> np.ndarray:
        belief = remember(seen, subject, last)
        value, _alpha = plan_values(world, plan.alphas[read_visit(seen) + 1], belief)
        return np.eye(value.shape[1])[value.argmax(axis=1)]

    return choose


def plan_return(world: BeliefWorld, plan: Plan) -> float:
    """Expected return of the plan that is best after the first visit: at most the optimum."""
    shown = (world.start[:, None] * world.first_symbol).T
    return float((shown @ plan.alphas[0].T).max(axis=1).sum())


def exact_value(world: BeliefWorld) -> float:
    """Expected return of the optimal policy, by search over every sequence; small worlds only."""
    reward, steps = reward_of(world), _steps(world)

    def best(weight: np.ndarray, visit: int) -> float:
        if visit == world.shape.visits or weight.sum() == 0:
            return 0.0
        return max(
            float(reward[treatment] @ weight)
            + sum(best(weight @ step, visit + 1) for step in steps[treatment])
            for treatment in range(len(reward))
        )

    shown = (world.start[:, None] * world.first_symbol).T
    return sum(best(weight, 0) for weight in shown)
