"""Decision processes with a known model: exact values, the best policy, and many episodes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.history import offsets_from_counts
from posology.domain.trajectories import Trajectories

StatePolicy = Float64[np.ndarray, "state treatment"]
"""Probability of each treatment in each state; rows sum to 1."""
StateMask = Bool[np.ndarray, "state treatment"]
"""False where a treatment must not be given in a state; every row allows at least one."""


@dataclass(frozen=True, slots=True, eq=False)
class Mdp:
    """A Markov decision process with numbered states; its rewards depend on where it arrives."""

    transition: Float64[np.ndarray, "state treatment state"]
    """Probability of the next state; rows of terminal states are not read."""
    reward: Float64[np.ndarray, " state"]
    """Earned on arrival in a state."""
    start: Float64[np.ndarray, " state"]
    terminal: Bool[np.ndarray, " state"]
    names: tuple[str, ...]
    """The treatments' names, in order."""
    discount: float = 1.0


def state_values(mdp: Mdp, policy: StatePolicy) -> Float64[np.ndarray, " state"]:
    """Expected return from every state under a policy, exactly (a linear solve); 0 once ended."""
    live = np.flatnonzero(~mdp.terminal)
    moves = np.einsum("sa,sap->sp", policy[live], mdp.transition[live])
    system = np.eye(len(live)) - mdp.discount * moves[:, live]
    values = np.zeros(len(mdp.start))
    values[live] = np.linalg.solve(system, moves @ mdp.reward)
    return values


def policy_value(mdp: Mdp, policy: StatePolicy) -> float:
    """Expected return of a policy from the start, exactly."""
    return float(mdp.start @ state_values(mdp, policy))


def action_values(
    mdp: Mdp, values: Float64[np.ndarray, " state"]
) -> Float64[np.ndarray, "state treatment"]:
    """Expected return of each treatment where what follows is worth `values`."""
    return mdp.transition @ (mdp.reward + mdp.discount * np.where(mdp.terminal, 0.0, values))


def optimal_policy(mdp: Mdp, allowed: StateMask) -> StatePolicy:
    """The best policy among those that keep to the mask (policy iteration, exact)."""
    policy = allowed / allowed.sum(axis=1, keepdims=True)
    while True:
        values = action_values(mdp, state_values(mdp, policy))
        chosen = np.where(allowed, values, -np.inf).argmax(axis=1)
        better = np.eye(allowed.shape[1])[chosen]
        gain = (better * values).sum(axis=1) - (policy * values).sum(axis=1)
        if gain[~mdp.terminal].max() < 1e-12:  # ties must not make it turn in circles
            return better
        policy = better


def sample(mdp: Mdp, policy: StatePolicy, episodes: int, rng: np.random.Generator) -> Trajectories:
    """Episodes of a stochastic policy, all patients moved together, with its probabilities."""
    upto, following = _inverse(mdp)
    draw = _cumulative(policy)
    now = np.searchsorted(_cumulative(mdp.start), rng.random(episodes), side="right")
    who = np.arange(episodes)
    final = np.empty(episodes, np.int64)
    log: list[tuple[np.ndarray, ...]] = []
    while len(who):
        chosen = (draw[now] <= rng.random(len(who))[:, None]).sum(axis=1)
        pair = now * policy.shape[1] + chosen
        new = following[np.searchsorted(upto, pair + rng.random(len(who)), side="right")]
        log.append((who, now, chosen, new))
        ended = mdp.terminal[new]
        final[who[ended]] = new[ended]
        who, now = who[~ended], new[~ended]
    return _ordered(mdp, policy, log, final)


def _ordered(
    mdp: Mdp,
    policy: StatePolicy,
    log: list[tuple[np.ndarray, ...]],
    final: Int64[np.ndarray, " subject"],
) -> Trajectories:
    who, seen, chosen, new = (np.concatenate(column) for column in zip(*log, strict=True))
    order = np.argsort(who, kind="stable")
    seen, chosen, new = seen[order], chosen[order], new[order]
    return Trajectories(
        observation=seen[:, None].astype(np.float64),
        treatment=chosen.astype(np.int32),
        reward=mdp.reward[new],
        logged_probability=policy[seen, chosen],
        behaviour=policy[seen],
        offsets=offsets_from_counts(np.bincount(who, minlength=len(final))),
        final_observation=final[:, None].astype(np.float64),
        terminal=np.ones(len(final), dtype=bool),
        state_count=len(mdp.start),
    )


def _cumulative(probabilities: np.ndarray) -> np.ndarray:
    """Running sums along the last axis, the last possible outcome's raised to exactly 1."""
    total = np.cumsum(probabilities, axis=-1)
    return np.where(total >= total[..., -1:] * (1 - 1e-12), 1.0, total)


def _inverse(mdp: Mdp) -> tuple[np.ndarray, np.ndarray]:
    """Sorted thresholds `pair + cumulative probability`, and the next state below each one."""
    pairs = mdp.transition.reshape(-1, len(mdp.start))
    row, column = np.nonzero(pairs)
    return row + _cumulative(pairs)[row, column], column
