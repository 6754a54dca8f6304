"""A world where the best policy breaks a harm budget; every policy's harm and return are exact.

A patient has a severity (0 to 3) and a marker of risk (0 or 1) that both change from visit to
visit. The strong dose lowers the severity most, but causes severe hypoglycaemia, above all where
the marker is present; the combination causes bleeding. Usual care gives any dose anywhere, and
more of the strong one to the severe. Rewards are for low severity.
"""

from dataclasses import dataclass, replace

import numpy as np

from posology.domain.cohort import TRAIN, VALIDATION, Cohort
from posology.domain.history import offsets_from_counts
from posology.domain.safety_rules.harm_budget import HarmBudget
from posology.domain.trajectories import Trajectories
from posology.simulators.conversion import StudyNames, to_cohort

SEVERITIES, VISITS, DAYS = 4, 6, 182.625
OPTIONS = ("none", "weak", "strong", "both")
NAMES = StudyNames("budgets", OPTIONS)
STATES = 2 * SEVERITIES


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Chances by state and option; a state is 2 * severity + marker."""

    moves: np.ndarray
    """state, option, next state."""
    harm: np.ndarray
    """budget, state, option: chance of an event until the next visit."""
    reward: np.ndarray
    """state: reward of arriving there."""
    usual: np.ndarray
    """state, option."""
    start: np.ndarray


def draw_world(seed: int) -> World:
    """A world of this seed: effects, harms and usual care differ by up to a fifth."""
    rng = np.random.default_rng([seed, 77])

    def vary(*values: float) -> np.ndarray:
        return np.array(values) * rng.uniform(0.8, 1.2, len(values))

    better = vary(0.10, 0.35, 0.60, 0.65).clip(max=0.9)
    worse = vary(0.30, 0.15, 0.08, 0.08)
    hypo = np.stack([vary(0.001, 0.004, 0.02, 0.02), vary(0.002, 0.015, 0.12, 0.12)])
    bleeding = np.stack([vary(0.005, 0.005, 0.01, 0.05)] * 2)
    marker = np.array([[0.8, 0.2], [0.3, 0.7]])
    moves = np.zeros((STATES, len(OPTIONS), STATES))
    for severity in range(SEVERITIES):
        for option in range(len(OPTIONS)):
            step = np.zeros(SEVERITIES)
            step[max(severity - 1, 0)] += better[option]
            step[min(severity + 1, SEVERITIES - 1)] += worse[option] * (1 - better[option])
            step[severity] += 1 - step.sum()
            for m in (0, 1):
                moves[2 * severity + m, option] = np.outer(step, marker[m]).ravel()
    harm = np.stack([np.tile(each, (SEVERITIES, 1)) for each in (hypo, bleeding)])
    usual = np.zeros((STATES, len(OPTIONS)))
    for severity in range(SEVERITIES):
        share = np.array([3.0, 4.0, 1.0 + 0.5 * severity, 0.8]) * rng.uniform(0.8, 1.2, 4)
        usual[2 * severity] = usual[2 * severity + 1] = share / share.sum()
    reward = -np.repeat(np.arange(SEVERITIES), 2) / (SEVERITIES - 1.0)
    return World(moves, harm, reward, usual, np.full(STATES, 1 / STATES))


def draw_patients(
    world: World, patients: int, budgets: tuple[HarmBudget, ...], rng: np.random.Generator
) -> Cohort:
    """Patients under usual care, half for training, half for validation, of such a study.

    Who chose with what probability is not recorded.
    """
    state = rng.choice(STATES, patients, p=world.start)
    seen, given, reward, harm = [], [], [], []
    for _ in range(VISITS):
        option = _draw(world.usual[state], rng)
        seen.append(state)
        given.append(option)
        harm.append(rng.random((2, patients)) < world.harm[:, state, option])
        state = _draw(world.moves[state, option], rng)
        reward.append(world.reward[state])
    states, options = np.stack(seen, 1).ravel(), np.stack(given, 1).ravel()
    behaviour = world.usual[states]
    logged = Trajectories(
        observation=states[:, None].astype(np.float64),
        treatment=options.astype(np.int32),
        reward=np.stack(reward, 1).ravel(),
        logged_probability=np.full(len(states), np.nan),
        behaviour=behaviour,
        offsets=offsets_from_counts(np.full(patients, VISITS)),
        final_observation=state[:, None].astype(np.float64),
        terminal=np.ones(patients, dtype=bool),
        state_count=STATES,
    )
    cohort = to_cohort(logged, NAMES)
    events = np.stack(harm).transpose(2, 0, 1).reshape(-1, 2).astype(np.float32)
    return replace(
        cohort,
        study=replace(cohort.study, budgets=budgets),
        split=np.where(cohort.subject % 2, VALIDATION, TRAIN).astype(np.int8),
        harm=events[:, : len(budgets)],
        harm_days=np.full((len(events), len(budgets)), DAYS, np.float32),
    )


def exact(world: World, policy: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean return of a patient under a policy by state, and the harms of each kind a year."""
    at, total, harms = world.start, 0.0, np.zeros(len(world.harm))
    moves = np.einsum("so,son->sn", policy, world.moves)
    for _ in range(VISITS):
        harms += np.einsum("s,so,hso->h", at, policy, world.harm)
        at = at @ moves
        total += float(at @ world.reward)
    return total, harms / (VISITS * DAYS / 365.25)


def best_policy(world: World, prices: np.ndarray) -> np.ndarray:
    """The best first visit's policy without a model's error: stationary policy iteration."""
    cost = np.einsum("h,hso->so", prices, world.harm)
    q = np.zeros((STATES, len(OPTIONS)))
    for _ in range(VISITS):
        q = np.einsum("son,n->so", world.moves, world.reward + q.max(axis=1)) - cost
    return np.eye(len(OPTIONS))[q.argmax(axis=1)]


def _draw(chance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drawn = (np.cumsum(chance, axis=1) <= rng.random((len(chance), 1))).sum(axis=1)
    return np.minimum(drawn, chance.shape[1] - 1)
