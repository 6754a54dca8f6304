"""Episodes as other libraries keep them, one object an episode, in and out.

The fields are Minari's (`EpisodeData.observations`, `.actions`, `.rewards`, `.terminations[-1]`).
d3rlpy's `Episode` has the same, but for the last observation, which it leaves out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.history import offsets
from posology.domain.trajectories import Trajectories
from posology.errors import UserError


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """One patient from first to last."""

    observations: Float64[np.ndarray, "seen feature"]
    """One more than there are actions: the last is what was seen after the last of them."""
    actions: Int64[np.ndarray, " decision"]
    rewards: Float64[np.ndarray, " decision"]
    terminated: bool
    """False where the episode was cut off."""


def to_episodes(logged: Trajectories) -> list[Episode]:
    """Every episode by itself; probabilities are left behind, as other libraries have no place."""
    return [
        Episode(
            observations=np.vstack([logged.observation[first:last], logged.final[row]]),
            actions=logged.treatment[first:last].astype(np.int64),
            rewards=logged.reward[first:last],
            terminated=bool(logged.terminal[row]),
        )
        for row, (first, last) in enumerate(
            zip(logged.offsets[:-1], logged.offsets[1:], strict=True)
        )
    ]


def from_episodes(episodes: Iterable[Episode], treatments: int, states: int = 0) -> Trajectories:
    """Episodes logged elsewhere; who acted is not known, so probabilities are NaN.

    `states` is how many state codes there are, 0 where observations are numbers.
    """
    kept = list(episodes)
    for number, episode in enumerate(kept):
        if len(episode.observations) != len(episode.actions) + 1:
            raise UserError(
                f"episode {number} has {len(episode.observations)} observations for "
                f"{len(episode.actions)} actions; it needs one more than actions: append what was "
                "seen after the last action (or repeat the last observation)"
            )
    counts = np.array([len(episode.actions) for episode in kept], np.int64)
    actions = np.concatenate([episode.actions for episode in kept]).astype(np.int32)
    return Trajectories(
        observation=np.concatenate([episode.observations[:-1] for episode in kept]),
        treatment=actions,
        reward=np.concatenate([episode.rewards for episode in kept]),
        logged=np.full(len(actions), np.nan),
        behaviour=np.full((len(actions), treatments), np.nan),
        offsets=offsets(counts),
        final=np.stack([episode.observations[-1] for episode in kept]),
        terminal=np.array([episode.terminated for episode in kept]),
        states=states,
    )
