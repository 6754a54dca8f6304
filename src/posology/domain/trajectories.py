"""Logged trajectories as plain arrays: observations, treatments, probabilities and rewards."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from posology.domain.history import offsets_from_counts as to_offsets
from posology.domain.history import ragged_arange
from posology.errors import UserError


@dataclass(frozen=True, slots=True, eq=False)
class Trajectories:
    """Logged episodes, one row per decision, ordered by subject and time; nothing is padded."""

    observation: Float64[np.ndarray, "decision feature"]
    """Observation before the decision. One column, the state's code, where states are codes; no
    column where the observations are held elsewhere (in a Cohort's History)."""
    treatment: Int32[np.ndarray, " decision"]
    reward: Float64[np.ndarray, " decision"]
    """Reward after the decision and before the next one."""
    logged_probability: Float64[np.ndarray, " decision"]
    """Probability of the chosen treatment under the behaviour policy; NaN where unknown."""
    behaviour: Float64[np.ndarray, "decision treatment"]
    """Probability of every treatment under the behaviour policy; rows sum to 1, NaN if unknown."""
    offsets: Int64[np.ndarray, " subject_plus_one"]
    """Decisions of episode i are rows offsets[i] to offsets[i + 1]."""
    final_observation: Float64[np.ndarray, "subject feature"]
    """Observation after the last decision."""
    terminal: Bool[np.ndarray, " subject"]
    """True where the episode reached its end; False where it was truncated (censored)."""
    state_count: int
    """Number of states where the observation is a state code; 0 where it is not."""

    def __len__(self) -> int:
        return len(self.offsets) - 1


def without_observations(
    treatment: Int32[np.ndarray, " decision"],
    reward: Float64[np.ndarray, " decision"],
    behaviour: Float64[np.ndarray, "decision treatment"],
    offsets: Int64[np.ndarray, " subject_plus_one"],
    terminal: Bool[np.ndarray, " subject"] | None = None,
    logged_probability: Float64[np.ndarray, " decision"] | None = None,
) -> Trajectories:
    """Trajectories whose observations are held elsewhere.

    By default every episode is terminal, and `logged_probability` is read from `behaviour` (NaN
    where the treatment is -1, none of the options).
    """
    subjects = len(offsets) - 1
    if logged_probability is None:
        chosen = behaviour[np.arange(len(treatment)), treatment]
        logged_probability = np.where(treatment >= 0, chosen, np.nan)
    return Trajectories(
        observation=np.zeros((len(treatment), 0)),
        treatment=treatment,
        reward=reward,
        logged_probability=logged_probability,
        behaviour=behaviour,
        offsets=offsets,
        final_observation=np.zeros((subjects, 0)),
        terminal=np.ones(subjects, dtype=bool) if terminal is None else terminal,
        state_count=0,
    )


def episode_offsets(
    subject: Int64[np.ndarray, " decision"],
) -> Int64[np.ndarray, " subject_plus_one"]:
    """`Trajectories.offsets` of decisions that are ordered by subject."""
    is_first = np.append(True, subject[1:] != subject[:-1])[: len(subject)]
    return np.append(np.flatnonzero(is_first), len(subject)).astype(np.int64)


def state_codes(trajectories: Trajectories) -> Int64[np.ndarray, " decision"]:
    """State code at each decision, where observations are state codes."""
    return trajectories.observation[:, 0].astype(np.int64)


def next_state_codes(trajectories: Trajectories) -> Int64[np.ndarray, " decision"]:
    """State code after each decision."""
    following = np.empty(len(trajectories.treatment), np.int64)
    following[:-1] = state_codes(trajectories)[1:]
    last = trajectories.offsets[1:] - 1
    following[last] = trajectories.final_observation[:, 0].astype(np.int64)
    return following


def is_episode_end(trajectories: Trajectories) -> Bool[np.ndarray, " decision"]:
    """Whether the episode reached its end after the decision; False where it was truncated."""
    last = np.zeros(len(trajectories.treatment), dtype=bool)
    last[trajectories.offsets[1:] - 1] = trajectories.terminal
    return last


def has_later_decision(trajectories: Trajectories) -> Bool[np.ndarray, " decision"]:
    """Whether the next row is a later decision of the same episode."""
    later = np.ones(len(trajectories.treatment), dtype=bool)
    later[trajectories.offsets[1:] - 1] = False
    return later


def decision_numbers(trajectories: Trajectories) -> Int64[np.ndarray, " decision"]:
    """Number of earlier decisions in the same episode."""
    counts = np.diff(trajectories.offsets)
    return ragged_arange(np.zeros(len(counts), np.int64), counts)


def episode_returns(
    trajectories: Trajectories, discount: float = 1.0
) -> Float64[np.ndarray, " subject"]:
    """Discounted sum of each episode's rewards."""
    discounts = discount ** decision_numbers(trajectories)
    return np.add.reduceat(trajectories.reward * discounts, trajectories.offsets[:-1])


def select_episodes(
    trajectories: Trajectories, rows: Int64[np.ndarray, " selected"]
) -> Trajectories:
    """The episodes at these rows, in this order."""
    counts = np.diff(trajectories.offsets)[rows]
    decision = ragged_arange(trajectories.offsets[rows], counts)
    return Trajectories(
        observation=trajectories.observation[decision],
        treatment=trajectories.treatment[decision],
        reward=trajectories.reward[decision],
        logged_probability=trajectories.logged_probability[decision],
        behaviour=trajectories.behaviour[decision],
        offsets=to_offsets(counts),
        final_observation=trajectories.final_observation[rows],
        terminal=trajectories.terminal[rows],
        state_count=trajectories.state_count,
    )


def split_episodes(
    trajectories: Trajectories, share: float, rng: np.random.Generator
) -> tuple[Trajectories, Trajectories]:
    """A random share of the episodes, and the others."""
    order = rng.permutation(len(trajectories))
    cut = round(share * len(order))
    first, second = np.sort(order[:cut]), np.sort(order[cut:])
    return select_episodes(trajectories, first), select_episodes(trajectories, second)


def concatenate_episodes(first: Trajectories, second: Trajectories) -> Trajectories:
    """The episodes of both; they must share treatments and state codes."""
    return Trajectories(
        observation=np.concatenate([first.observation, second.observation]),
        treatment=np.concatenate([first.treatment, second.treatment]),
        reward=np.concatenate([first.reward, second.reward]),
        logged_probability=np.concatenate([first.logged_probability, second.logged_probability]),
        behaviour=np.concatenate([first.behaviour, second.behaviour]),
        offsets=np.append(first.offsets, first.offsets[-1] + second.offsets[1:]),
        final_observation=np.concatenate([first.final_observation, second.final_observation]),
        terminal=np.concatenate([first.terminal, second.terminal]),
        state_count=first.state_count,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """One episode as Minari stores it, for exchange with other libraries.

    The fields are those of Minari's `EpisodeData` (`observations`, `actions`, `rewards`,
    `terminations[-1]`). d3rlpy's `Episode` has the same, without the last observation.
    """

    observations: Float64[np.ndarray, "observation feature"]
    """One more than there are actions: the last follows the last action."""
    actions: Int64[np.ndarray, " decision"]
    rewards: Float64[np.ndarray, " decision"]
    terminated: bool
    """False where the episode was truncated."""


def to_episodes(trajectories: Trajectories) -> list[Episode]:
    """One object per episode, without probabilities: other libraries have no field for them."""
    return [
        Episode(
            observations=np.vstack(
                [trajectories.observation[first:last], trajectories.final_observation[row]]
            ),
            actions=trajectories.treatment[first:last].astype(np.int64),
            rewards=trajectories.reward[first:last],
            terminated=bool(trajectories.terminal[row]),
        )
        for row, (first, last) in enumerate(
            zip(trajectories.offsets[:-1], trajectories.offsets[1:], strict=True)
        )
    ]


def from_episodes(
    episodes: Iterable[Episode], treatments: int, state_count: int = 0
) -> Trajectories:
    """Trajectories from episodes of another library; behaviour probabilities are NaN.

    `state_count` is the number of state codes, 0 where observations are numbers. Raises UserError
    where an episode does not have one more observation than actions.
    """
    collected = list(episodes)
    for number, episode in enumerate(collected):
        if len(episode.observations) != len(episode.actions) + 1:
            raise UserError(
                f"episode {number} has {len(episode.observations)} observations for "
                f"{len(episode.actions)} actions; it needs one more than actions: append the "
                "observation after the last action (or repeat the last observation)"
            )
    counts = np.array([len(episode.actions) for episode in collected], np.int64)
    actions = np.concatenate([episode.actions for episode in collected]).astype(np.int32)
    return Trajectories(
        observation=np.concatenate([episode.observations[:-1] for episode in collected]),
        treatment=actions,
        reward=np.concatenate([episode.rewards for episode in collected]),
        logged_probability=np.full(len(actions), np.nan),
        behaviour=np.full((len(actions), treatments), np.nan),
        offsets=to_offsets(counts),
        final_observation=np.stack([episode.observations[-1] for episode in collected]),
        terminal=np.array([episode.terminated for episode in collected]),
        state_count=state_count,
    )
