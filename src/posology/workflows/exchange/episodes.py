"""A cohort's decisions as logged episodes, in the arrays of d3rlpy and the fields of Minari."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from posology.domain.cohort import SPLITS, TRAIN, Cohort
from posology.domain.trajectories import (
    Trajectories,
    episode_offsets,
    is_episode_end,
    select_episodes,
)
from posology.errors import UserError
from posology.learners.features.rewards import has_next_decision, reward_weights, with_last_states
from posology.records.io.drafts import draft_file
from posology.workflows.exchange.facts import extract_facts, fill_unknown

_NO_TRAJECTORY = ("first", "sequential")


@dataclass(frozen=True, slots=True, eq=False)
class LoggedEpisodes:
    """The decisions of each patient, as long as the option and the reward are known."""

    trajectories: Trajectories
    """`domain.trajectories.to_episodes` makes Minari's episodes of them."""
    observations: tuple[str, ...]
    """Names of the observations' columns."""
    treatments: tuple[str, ...]
    """Name of each action."""
    subject_id: Int64[np.ndarray, " subject"]
    split: np.ndarray
    """`train`, `validation` or `test`, of each episode."""


def to_logged_episodes(cohort: Cohort) -> LoggedEpisodes:
    """A cohort's decisions as episodes: one a patient, or a decision where later ones do not count.

    An episode is cut before the first decision whose option is none of the study's, or whose reward
    is not known; it is then truncated, as where follow-up ended before the trajectory did. The last
    observation is what was seen after the last decision; where nothing was, it is repeated.
    Observations are the facts, with the training patients' mean where a number is not known.
    """
    discount = cohort.study.reward.discount
    single = cohort.study.decision.which in _NO_TRAJECTORY or discount == 0
    if not single:
        cohort = with_last_states(cohort, discount)
    facts = fill_unknown(extract_facts(cohort), cohort.split == TRAIN)
    ended, subject = _ended(cohort, single), cohort.subject
    offsets = episode_offsets(np.arange(len(cohort)) if single else subject)
    is_late = reward_weights(cohort) == 0  # a reward is known only if it came early
    usable = (cohort.treatment >= 0) & ~np.isnan(cohort.reward) & ~is_late
    cut = _first_false(usable, offsets)
    last = offsets[1:] - 1
    X = facts.X.astype(np.float64)
    unknown = np.full((len(cohort), len(cohort.study.formulary.treatments)), np.nan)
    kept = _rows_before(cut, offsets)
    trajectories = Trajectories(
        observation=X[kept],
        treatment=cohort.treatment[kept],
        reward=cohort.reward[kept].astype(np.float64),
        logged_probability=cohort.logged_probability[kept].astype(np.float64),
        behaviour=unknown[kept],
        offsets=np.append(0, np.cumsum(cut - offsets[:-1])).astype(np.int64),
        final_observation=X[np.minimum(cut, last)],
        terminal=(cut > last) & ended[last],
        state_count=0,
    )
    first = offsets[:-1]
    some = np.flatnonzero(cut > first)
    if not len(some):
        raise UserError(
            f"study {cohort.study.name}: no patient's first decision has a known option and "
            "reward, so there is no episode; look at outcomes with `posology cohort --dry-run`."
        )
    return LoggedEpisodes(
        trajectories=select_episodes(trajectories, some),
        observations=facts.names,
        treatments=cohort.study.formulary.names,
        subject_id=cohort.history.subject_id[subject[first[some]]],
        split=np.array(SPLITS)[cohort.split[first[some]]],
    )


def write_episodes(episodes: LoggedEpisodes, path: Path) -> None:
    """Write a NumPy file whose first five arrays are the arguments of d3rlpy's `MDPDataset`.

    Arrays have one row a decision; those that begin with `episode_` have one an episode.
    """
    logged = episodes.trajectories
    ends = np.zeros(len(logged.treatment), dtype=bool)
    ends[logged.offsets[1:] - 1] = True
    terminal = is_episode_end(logged)
    counts = np.diff(logged.offsets)
    with draft_file(path) as draft, draft.open("wb") as file:
        np.savez_compressed(
            file,
            observations=logged.observation.astype(np.float32),
            actions=logged.treatment.astype(np.int64),
            rewards=logged.reward.astype(np.float32),
            terminals=terminal,
            timeouts=ends & ~terminal,
            split=np.repeat(episodes.split, counts),
            observation_names=np.array(episodes.observations),
            action_names=np.array(episodes.treatments),
            episode_final_observations=logged.final_observation.astype(np.float32),
            episode_subject_id=episodes.subject_id,
        )


def _ended(cohort: Cohort, single: bool) -> Bool[np.ndarray, " decision"]:
    """Whether nothing that counts comes after the decision."""
    if single or cohort.trajectory_ended is None:
        return np.ones(len(cohort), dtype=bool)
    return cohort.trajectory_ended & ~has_next_decision(cohort)


def _first_false(
    usable: Bool[np.ndarray, " decision"], offsets: Int64[np.ndarray, " subject_plus_one"]
) -> Int64[np.ndarray, " subject"]:
    """Row of each episode's first decision that is not usable; the next episode's if all are."""
    rows = np.where(usable, len(usable), np.arange(len(usable)))
    return np.minimum(np.minimum.reduceat(rows, offsets[:-1]), offsets[1:])


def _rows_before(
    cut: Int64[np.ndarray, " subject"], offsets: Int64[np.ndarray, " subject_plus_one"]
) -> Bool[np.ndarray, " decision"]:
    """The decisions of each episode before its cut."""
    return np.arange(offsets[-1]) < np.repeat(cut, np.diff(offsets))
