"""Small worlds for benchmarks.gates: no option is better, or a true gain of four oracle errors.

Trajectories: six states, three options, the exact value of every policy. One decision: two options,
five covariates. The oracle estimates a gain from the same patients with the true model: its
standard error is that of the efficient estimator.
"""

from dataclasses import dataclass, replace

import numpy as np

from posology.causal.trial import Trial
from posology.domain.trajectories import Trajectories, next_state_codes, state_codes
from posology.simulators.mdp import (
    Mdp,
    action_values,
    policy_value,
    sample_trajectories,
    state_values,
)

STATES, OPTIONS = 6, 3
ERRORS = 4.0
"""The true gain, in standard errors of the oracle."""
LEAST, MOST = 300, 4_000
"""Patients to judge on; a world whose gain needs fewer or more is drawn again."""
NULL_PATIENTS = 1_000
LEARN_FACTOR = 4
"""Patients to learn from for each one to judge on: 70, beside 15 of the test split, is 4.7."""


@dataclass(frozen=True, slots=True, eq=False)
class Ward:
    """A Markov decision process and its usual care."""

    mdp: Mdp
    usual: np.ndarray
    """Probability of each option in each state."""


def draw_ward(rng: np.random.Generator, effect: float) -> Ward:
    """Two more states end a trajectory, by survival or by death; `effect` 0: options are alike."""
    total = STATES + 2
    moves = rng.dirichlet(np.full(STATES, 1.0), STATES) * 0.75
    end = 0.25 * np.ones((STATES, OPTIONS))
    chance = rng.uniform(0.3, 0.7, (STATES, 1)) + effect * rng.uniform(-1, 1, (STATES, OPTIONS))
    transition = np.zeros((total, OPTIONS, total))
    transition[:STATES, :, :STATES] = moves[:, None, :]
    transition[:STATES, :, STATES] = end * (1 - chance.clip(0.02, 0.98))
    transition[:STATES, :, STATES + 1] = end * chance.clip(0.02, 0.98)
    transition[STATES:, :, STATES:] = 0.5
    usual = rng.dirichlet(np.full(OPTIONS, 3.0), total) * 0.85 + 0.05
    mdp = Mdp(
        transition,
        np.eye(total)[-1],
        np.append(np.full(STATES, 1 / STATES), [0.0, 0.0]),
        np.arange(total) >= STATES,
        ("a", "b", "c"),
    )
    return Ward(mdp, usual / usual.sum(axis=1, keepdims=True))


def true_gain(ward: Ward, policy: np.ndarray) -> float:
    """Of a table of probabilities, over usual care; exact."""
    return policy_value(ward.mdp, policy) - policy_value(ward.mdp, ward.usual)


def oracle_error(ward: Ward, policy: np.ndarray, rng: np.random.Generator) -> float:
    """Standard deviation over patients of the efficient estimate of a gain."""
    mdp, logged = ward.mdp, sample_trajectories(ward.mdp, ward.usual, 4_000, rng)
    values = state_values(mdp, policy)
    q = action_values(mdp, values)
    state, given = state_codes(logged), logged.treatment
    later = np.where(mdp.terminal, 0.0, values)[next_state_codes(logged)]
    ratio = occupancy(ward, policy) / occupancy(ward, ward.usual)
    error = ratio[state, given] * (logged.reward + later - q[state, given])
    starts = logged.offsets[:-1]
    usual = np.add.reduceat(logged.reward, starts)
    return float((values[state[starts]] + np.add.reduceat(error, starts) - usual).std())


def occupancy(ward: Ward, policy: np.ndarray) -> np.ndarray:
    """Expected number of visits to each state and option; 1e-12 where a policy never comes."""
    live = np.flatnonzero(~ward.mdp.terminal)
    moves = np.einsum("sa,sap->sp", policy[live], ward.mdp.transition[live])[:, live]
    visits = np.zeros(len(policy))
    visits[live] = np.linalg.solve(np.eye(len(live)) - moves.T, ward.mdp.start[live])
    return np.maximum(visits[:, None] * policy, 1e-12)


@dataclass(frozen=True, slots=True, eq=False)
class Clinic:
    """One decision of each patient, of whom the chance of success under each option is known."""

    effect: float
    slope: np.ndarray
    pull: np.ndarray
    """How covariates move clinicians towards the second option."""


def draw_clinic(rng: np.random.Generator, effect: float) -> Clinic:
    """`effect` 0: both options are alike for everybody."""
    return Clinic(effect, rng.normal(0, 0.5, 5), rng.normal(0, 0.4, 5))


def draw_patients(clinic: Clinic, count: int, rng: np.random.Generator) -> tuple[Trial, np.ndarray]:
    """Patients as they were treated, and the true chance of success of each option."""
    X = rng.normal(size=(count, 5))
    base = X @ clinic.slope
    gain = clinic.effect * X[:, 0]
    chance = 1 / (1 + np.exp(-np.column_stack([base - gain / 2, base + gain / 2])))
    given = (rng.random(count) < propensity(clinic, X)[:, 1]).astype(np.int64)
    success = (rng.random(count) < chance[np.arange(count), given]).astype(np.float64)
    return Trial(X, given, success, np.arange(count), 2, ("old", "new")), chance


def propensity(clinic: Clinic, covariates: np.ndarray) -> np.ndarray:
    """Probability of each option under usual care."""
    second = 0.1 + 0.8 / (1 + np.exp(-covariates @ clinic.pull))
    return np.column_stack([1 - second, second])


def oracle_scores(clinic: Clinic, trial: Trial, chance: np.ndarray) -> np.ndarray:
    """Doubly robust scores with the true chances and propensities."""
    given = np.eye(2)[trial.treatment]
    weight = given / propensity(clinic, trial.covariates)
    return chance + weight * (trial.outcome[:, None] - chance)


def needed(gain: float, error: float) -> int:
    """Patients for whom the gain is ERRORS standard errors of the oracle; 0 if out of range."""
    if gain <= 0:
        return 0
    patients = int(np.ceil((ERRORS * error / gain) ** 2))
    return patients if LEAST <= patients <= MOST else 0


def without_probabilities(logged: Trajectories, usual: np.ndarray) -> Trajectories:
    """The trajectories with how often each option was given in each state, learned from them."""
    state, given = state_codes(logged), logged.treatment
    counts = np.full(usual.shape, 0.5)
    np.add.at(counts, (state, given), 1.0)
    share = counts / counts.sum(axis=1, keepdims=True)
    return replace(logged, behaviour=share[state], logged_probability=share[state, given])
