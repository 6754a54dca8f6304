"""Logged episodes as plain arrays: what was seen, what was done, with what probability."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from posology.domain.history import offsets as running
from posology.domain.history import ragged_arange


@dataclass(frozen=True, slots=True, eq=False)
class Trajectories:
    """One row a decision, in order of subject and time; nothing is padded."""

    observation: Float64[np.ndarray, "decision feature"]
    """What was seen before the decision; one column, the state's number, where states are coded."""
    treatment: Int32[np.ndarray, " decision"]
    reward: Float64[np.ndarray, " decision"]
    """Earned after the decision and before the next one."""
    logged: Float64[np.ndarray, " decision"]
    """Probability with which the treatment given was chosen."""
    behaviour: Float64[np.ndarray, "decision treatment"]
    """Probability of every treatment under the policy that acted; rows sum to 1."""
    offsets: Int64[np.ndarray, " subject_plus_one"]
    """Decisions of episode i are rows offsets[i] to offsets[i + 1]."""
    final: Float64[np.ndarray, "subject feature"]
    """What was seen after the last decision."""
    terminal: Bool[np.ndarray, " subject"]
    """Whether the episode ended of itself; False where it was cut off (censored)."""
    states: int
    """How many states there are, where the observation is one code; 0 where it is numbers."""

    def __len__(self) -> int:
        return len(self.offsets) - 1


def state(trajectories: Trajectories) -> Int64[np.ndarray, " decision"]:
    """The state's number at each decision, where observations are codes."""
    return trajectories.observation[:, 0].astype(np.int64)


def next_state(trajectories: Trajectories) -> Int64[np.ndarray, " decision"]:
    """The state that followed each decision."""
    following = np.empty(len(trajectories.treatment), np.int64)
    following[:-1] = state(trajectories)[1:]
    following[trajectories.offsets[1:] - 1] = trajectories.final[:, 0].astype(np.int64)
    return following


def ends(trajectories: Trajectories) -> Bool[np.ndarray, " decision"]:
    """Whether the episode ended of itself after the decision."""
    last = np.zeros(len(trajectories.treatment), dtype=bool)
    last[trajectories.offsets[1:] - 1] = trajectories.terminal
    return last


def returns(trajectories: Trajectories, discount: float = 1.0) -> Float64[np.ndarray, " subject"]:
    """Sum of each episode's rewards, each later one multiplied once more by the discount."""
    counts = np.diff(trajectories.offsets)
    age = ragged_arange(np.zeros(len(counts), np.int64), counts)
    return np.add.reduceat(trajectories.reward * discount**age, trajectories.offsets[:-1])


def take(trajectories: Trajectories, rows: Int64[np.ndarray, " chosen"]) -> Trajectories:
    """Some episodes, in the order asked."""
    counts = np.diff(trajectories.offsets)[rows]
    decision = ragged_arange(trajectories.offsets[rows], counts)
    return Trajectories(
        observation=trajectories.observation[decision],
        treatment=trajectories.treatment[decision],
        reward=trajectories.reward[decision],
        logged=trajectories.logged[decision],
        behaviour=trajectories.behaviour[decision],
        offsets=running(counts),
        final=trajectories.final[rows],
        terminal=trajectories.terminal[rows],
        states=trajectories.states,
    )


def halves(
    trajectories: Trajectories, share: float, rng: np.random.Generator
) -> tuple[Trajectories, Trajectories]:
    """Two parts by episode: a random share first, then the others."""
    order = rng.permutation(len(trajectories))
    cut = round(share * len(order))
    return take(trajectories, np.sort(order[:cut])), take(trajectories, np.sort(order[cut:]))
