"""Markov decision processes with a known model: exact values, the optimal policy, sampling."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.history import offsets_from_counts
from posology.domain.trajectories import Trajectories

StatePolicy = Float64[np.ndarray, "state treatment"]
"""Probability of each treatment in each state; rows sum to 1."""
StateMask = Bool[np.ndarray, "state treatment"]
"""False where a treatment is forbidden in a state; every row allows at least one."""


@dataclass(frozen=True, slots=True, eq=False)
class Mdp:
    """A Markov decision process with state codes; rewards depend on the next state."""

    transition: Float64[np.ndarray, "state treatment state"]
    """Probability of the next state; rows of terminal states are not used."""
    reward: Float64[np.ndarray, " state"]
    """Reward on arrival in a state."""
    start: Float64[np.ndarray, " state"]
    terminal: Bool[np.ndarray, " state"]
    names: tuple[str, ...]
    """Names of the treatments."""
    discount: float = 1.0


def state_values(mdp: Mdp, policy: StatePolicy) -> Float64[np.ndarray, " state"]:
    """Exact expected return from every state under a policy (linear solve); 0 if terminal."""
    live = np.flatnonzero(~mdp.terminal)
    moves = np.einsum("sa,sap->sp", policy[live], mdp.transition[live])
    system = np.eye(len(live)) - mdp.discount * moves[:, live]
    values = np.zeros(len(mdp.start))
    values[live] = np.linalg.solve(system, moves @ mdp.reward)
    return values


def policy_value(mdp: Mdp, policy: StatePolicy) -> float:
    """Exact expected return of a policy from the start distribution."""
    return float(mdp.start @ state_values(mdp, policy))


def action_values(
    mdp: Mdp, values: Float64[np.ndarray, " state"]
) -> Float64[np.ndarray, "state treatment"]:
    """Expected return of each treatment, with `values` for the next states."""
    return mdp.transition @ (mdp.reward + mdp.discount * np.where(mdp.terminal, 0.0, values))


def optimal_policy(mdp: Mdp, allowed: StateMask) -> StatePolicy:
    """The optimal policy within the mask (exact policy iteration)."""
    policy = allowed / allowed.sum(axis=1, keepdims=True)
    while True:
        values = action_values(mdp, state_values(mdp, policy))
        chosen = np.where(allowed, values, -np.inf).argmax(axis=1)
        better = np.eye(allowed.shape[1])[chosen]
        gain = (better * values).sum(axis=1) - (policy * values).sum(axis=1)
        if gain[~mdp.terminal].max() < 1e-12:  # ties must not cause an endless loop
            return better
        policy = better


def sample_trajectories(
    mdp: Mdp, policy: StatePolicy, episodes: int, rng: np.random.Generator
) -> Trajectories:
    """Episodes of a stochastic policy, with its probabilities; all patients advance together."""
    thresholds, next_state = _inverse_cumulative(mdp)
    draw = _cumulative(policy)
    state = np.searchsorted(_cumulative(mdp.start), rng.random(episodes), side="right")
    subject = np.arange(episodes)
    final = np.empty(episodes, np.int64)
    log: list[tuple[np.ndarray, ...]] = []
    while len(subject):
        chosen = (draw[state] <= rng.random(len(subject))[:, None]).sum(axis=1)
        pair = state * policy.shape[1] + chosen
        new = next_state[np.searchsorted(thresholds, pair + rng.random(len(subject)), side="right")]
        log.append((subject, state, chosen, new))
        ended = mdp.terminal[new]
        final[subject[ended]] = new[ended]
        subject, state = subject[~ended], new[~ended]
    return _to_trajectories(mdp, policy, log, final)


def _to_trajectories(
    mdp: Mdp,
    policy: StatePolicy,
    log: list[tuple[np.ndarray, ...]],
    final: Int64[np.ndarray, " subject"],
) -> Trajectories:
    subject, state, chosen, new = (np.concatenate(column) for column in zip(*log, strict=True))
    order = np.argsort(subject, kind="stable")
    state, chosen, new = state[order], chosen[order], new[order]
    return Trajectories(
        observation=state[:, None].astype(np.float64),
        treatment=chosen.astype(np.int32),
        reward=mdp.reward[new],
        logged_probability=policy[state, chosen],
        behaviour=policy[state],
        offsets=offsets_from_counts(np.bincount(subject, minlength=len(final))),
        final_observation=final[:, None].astype(np.float64),
        terminal=np.ones(len(final), dtype=bool),
        state_count=len(mdp.start),
    )


def _cumulative(probabilities: np.ndarray) -> np.ndarray:
    """Running sums along the last axis, the last possible outcome's raised to exactly 1."""
    total = np.cumsum(probabilities, axis=-1)
    return np.where(total >= total[..., -1:] * (1 - 1e-12), 1.0, total)


def _inverse_cumulative(mdp: Mdp) -> tuple[np.ndarray, np.ndarray]:
    """Sorted thresholds `pair + cumulative probability`, and the next state below each one."""
    pairs = mdp.transition.reshape(-1, len(mdp.start))
    row, column = np.nonzero(pairs)
    return row + _cumulative(pairs)[row, column], column
