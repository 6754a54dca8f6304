"""Run a policy in any Gymnasium environment with discrete treatments, and log its trajectories."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.history import offsets_from_counts
from posology.domain.policy import Policy, allow_all_treatments
from posology.domain.trajectories import Trajectories
from posology.errors import UserError
from posology.simulators.conversion import StudyNames, to_history

Observation = Float64[np.ndarray, "decision feature"]
Rows = Int64[np.ndarray, " decision"]
ObservationPolicy = Callable[[Observation], Float64[np.ndarray, "decision treatment"]]
"""From observations to the probability of every treatment; rows sum to 1."""
MemoryPolicy = Callable[[Observation, Rows, Rows], Float64[np.ndarray, "decision treatment"]]
"""The same, with each row's patient and last treatment (-1 at the first visit)."""

# Of one visit: each has its own patients.
Column = Int64[np.ndarray, " _"]
Table = Float64[np.ndarray, "_ feature"]


def rollout(
    env: Any, policy: ObservationPolicy, episodes: int, rng: np.random.Generator
) -> Trajectories:
    """Trajectories of a policy in a Gymnasium environment, with all choice probabilities.

    Treatments are `Discrete`, or `MultiDiscrete` numbered in C order; observations are `Discrete`
    (one state code) or any numbers. Raises UserError for other spaces.
    """
    return rollout_with_memory(
        env, lambda: lambda observation, _subject, _last: policy(observation), episodes, rng
    )


def rollout_with_memory(
    env: Any, make_policy: Callable[[], MemoryPolicy], episodes: int, rng: np.random.Generator
) -> Trajectories:
    """`rollout` of a policy with a memory; `make_policy` makes a new one for each episode."""
    shape = _treatments(env.action_space)
    states = int(getattr(env.observation_space, "n", 0))
    first = int(getattr(env.observation_space, "start", 0))
    log: list[tuple[np.ndarray, int, float, np.ndarray]] = []
    final, terminal, counts = [], [], []
    for _ in range(episodes):
        raw, _info = env.reset(seed=int(rng.integers(2**31)))
        policy, chosen, steps = make_policy(), -1, 0
        terminated = truncated = False
        while not terminated and not truncated:
            observation = _numbers(raw, first)
            probability = policy(observation[None, :], np.zeros(1, np.int64), np.array([chosen]))[0]
            drawn = int((np.cumsum(probability) <= rng.random()).sum())
            chosen = min(drawn, int(np.flatnonzero(probability)[-1]))
            raw, reward, terminated, truncated, _info = env.step(
                _action(env.action_space, chosen, shape)
            )
            log.append((observation, chosen, float(reward), probability))
            steps += 1
        final.append(_numbers(raw, first))
        terminal.append(bool(terminated))
        counts.append(steps)
    observation, chosen_all, reward, probability = (
        list(column) for column in zip(*log, strict=True)
    )
    treatment = np.array(chosen_all, np.int32)
    behaviour = np.array(probability, np.float64)
    return Trajectories(
        observation=np.array(observation),
        treatment=treatment,
        reward=np.array(reward),
        logged_probability=behaviour[np.arange(len(treatment)), treatment],
        behaviour=behaviour,
        offsets=offsets_from_counts(np.array(counts, np.int64)),
        final_observation=np.array(final),
        terminal=np.array(terminal),
        state_count=states,
    )


def _treatments(space: Any) -> tuple[int, ...]:
    if hasattr(space, "nvec"):
        return tuple(int(n) for n in space.nvec)
    if hasattr(space, "n") and hasattr(space, "start"):
        return (int(space.n),)
    raise UserError(
        f"rollout needs discrete treatments, but the environment's action space is {space}; "
        "wrap it so that each treatment has a number (gymnasium.spaces.Discrete)"
    )


def _action(space: Any, chosen: int, shape: tuple[int, ...]) -> Any:
    if hasattr(space, "nvec"):
        return np.array(np.unravel_index(chosen, shape))
    return chosen + int(space.start)


def _numbers(raw: Any, first: int) -> Float64[np.ndarray, " feature"]:
    return np.atleast_1d(np.asarray(raw, np.float64)).ravel() - first


def remember_history(policy: Policy, names: StudyNames) -> MemoryPolicy:
    """A policy that reads histories, as one that is called with each visit's observations.

    Every patient's history is the one that `to_cohort` makes of the visits so far; patients must be
    in ascending order, and the policy must be called at each of their visits.
    """
    owners: list[Column] = []
    visits: list[Table] = []
    treatments: list[Column] = []

    def choose(
        observation: Observation, subject: Rows, last_treatment: Rows
    ) -> Float64[np.ndarray, "decision treatment"]:
        if owners:
            previous = np.full(int(owners[-1].max()) + 1, -1)
            previous[subject] = last_treatment
            treatments.append(previous[owners[-1]])
        past = _past(owners, visits, treatments, subject, observation)
        history = to_history(past, names)
        owners.append(subject)
        visits.append(observation)
        decisions = history.step_offsets[1:] - 1
        return policy.choice_probabilities(
            history, decisions, allow_all_treatments(decisions, policy.formulary)
        )

    return choose


def _past(
    owners: list[Column],
    visits: list[Table],
    treatments: list[Column],
    subject: Rows,
    observation: Observation,
) -> Trajectories:
    """Earlier decisions of these patients, with the current observation as the final one."""
    owner = np.concatenate([*owners, np.zeros(0, np.int64)])
    earlier = np.concatenate([*visits, observation[:0]])
    treatment = np.concatenate([*treatments, np.zeros(0, np.int64)])
    rows = np.flatnonzero(np.isin(owner, subject))
    rows = rows[np.argsort(owner[rows], kind="stable")]
    missing = np.full(len(rows), np.nan)
    counts = np.bincount(np.searchsorted(subject, owner[rows]), minlength=len(subject))
    return Trajectories(
        observation=earlier[rows],
        treatment=treatment[rows].astype(np.int32),
        reward=missing,
        logged_probability=missing,
        behaviour=missing[:, None],
        offsets=offsets_from_counts(counts),
        final_observation=observation,
        terminal=np.zeros(len(subject), dtype=bool),
        state_count=0,
    )
