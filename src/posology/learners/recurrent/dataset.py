"""A cohort as sequences of visits with the targets of both phases, and its batches of patients."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.domain.history import ragged_arange
from posology.learners.features.rewards import (
    has_next_decision,
    is_truncated,
    known_rewards,
    permitted_treatments,
    returns_to_go,
    reward_weights,
    with_last_states,
)
from posology.learners.features.visit_sequences import Visits, VisitSpec, build_visits
from posology.learners.recurrent.network import VisitBatch


@dataclass(frozen=True, slots=True)
class ValueScale:
    """Values are learned after subtracting the mean return and dividing by its deviation."""

    mean: float
    std: float
    is_probability: bool
    """Whether every return is 0 or 1."""


@dataclass(frozen=True, slots=True, eq=False)
class SequenceData:
    """The decisions of a cohort, ordered by subject and time."""

    visits: Visits
    treatment: Int64[np.ndarray, " decision"]
    """-1 where none of the options was given."""
    reward: Float32[np.ndarray, " decision"]
    """In standard deviations of the returns; NaN where unknown."""
    returns: Float32[np.ndarray, " decision"]
    """Standardised return to the end of the trajectory; NaN where unknown."""
    weight: Float32[np.ndarray, " decision"]
    allowed: Bool[np.ndarray, "decision treatment"]
    has_next: Bool[np.ndarray, " decision"]
    sequence_offsets: Int64[np.ndarray, " patient_plus_one"]
    decision_offsets: Int64[np.ndarray, " patient_plus_one"]
    scale: ValueScale
    discount: float

    def __len__(self) -> int:
        return len(self.decision_offsets) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The decisions of some patients."""

    visits: VisitBatch
    treatment: Int64[Tensor, " decision"]
    reward: Float[Tensor, " decision"]
    returns: Float[Tensor, " decision"]
    weight: Float[Tensor, " decision"]
    allowed: Bool[Tensor, "decision treatment"]
    has_next: Bool[Tensor, " decision"]
    following: Float[Tensor, "decision column"]
    """Columns of the next decision's visit; the decision's own where there is none."""
    longest: int
    """Decisions of the patient with the most."""


def fit_scale(train: Cohort) -> ValueScale:
    """Mean and deviation of the returns of training decisions."""
    row, column = np.arange(len(train)), np.maximum(train.treatment, 0)
    returns = returns_to_go(train, train.study.reward.discount)[row, column]
    known = returns[(train.treatment >= 0) & ~np.isnan(returns)]
    return ValueScale(
        float(known.mean()), float(known.std()) or 1.0, bool(np.isin(known, (0.0, 1.0)).all())
    )


def build_sequences(cohort: Cohort, spec: VisitSpec, scale: ValueScale) -> SequenceData:
    """The sequences and targets of a cohort."""
    discount = cohort.study.reward.discount
    cohort = with_last_states(cohort, discount)
    visits = build_visits(spec, cohort.history, cohort.last_step)
    row, column = np.arange(len(cohort)), np.maximum(cohort.treatment, 0)
    reward = np.where(cohort.treatment >= 0, known_rewards(cohort)[row, column], np.nan)
    has_next = has_next_decision(cohort)
    reward = np.where(is_truncated(cohort) & (discount > 0) & ~has_next, np.nan, reward)
    returns = returns_to_go(cohort, discount)[row, column]
    returns = np.where(np.isnan(reward), np.nan, returns)
    patients, first = np.unique(cohort.subject, return_index=True)
    return SequenceData(
        visits=visits,
        treatment=cohort.treatment.astype(np.int64),
        reward=(reward / scale.std).astype(np.float32),
        returns=((returns - scale.mean) / scale.std).astype(np.float32),
        weight=reward_weights(cohort).astype(np.float32),
        allowed=permitted_treatments(cohort),
        has_next=has_next,
        sequence_offsets=np.append(
            np.searchsorted(visits.subject, patients), len(visits.subject)
        ).astype(np.int64),
        decision_offsets=np.append(first, len(cohort)).astype(np.int64),
        scale=scale,
        discount=discount,
    )


def random_batches(
    data: SequenceData, size: int, rng: np.random.Generator
) -> Iterator[Int64[np.ndarray, " patient"]]:
    """Patients in random order.

    Not by length: a batch of short trajectories is one of early deaths, and the mean of its losses
    would count each of its decisions for more.
    """
    order = rng.permutation(len(data))
    for start in range(0, len(order), size):
        yield np.sort(order[start : start + size])


def gather(data: SequenceData, patients: Int64[np.ndarray, " patient"]) -> Batch:
    """The patients' decisions as tensors; patients in ascending order."""
    visits = data.visits
    sequences = _rows(data.sequence_offsets, patients)
    counts = np.diff(visits.offsets)[sequences]
    step = ragged_arange(np.zeros(len(sequences), np.int64), counts)
    order = np.lexsort((np.repeat(-counts, counts), step))
    decisions = _rows(data.decision_offsets, patients)
    rows = ragged_arange(visits.offsets[sequences], counts)
    place = np.argsort(order)[np.searchsorted(rows, visits.decision[decisions])]
    rows = rows[order]
    flags = np.diff(visits.flag_offsets)[rows]
    later = np.where(data.has_next[decisions], decisions + 1, decisions)
    block = VisitBatch(
        values=torch.from_numpy(visits.values[rows]),
        flag=torch.from_numpy(visits.flag[ragged_arange(visits.flag_offsets[rows], flags)]),
        flag_starts=torch.from_numpy(np.cumsum(flags) - flags),
        going=tuple(np.bincount(step).tolist()),
        decision=torch.from_numpy(place),
    )
    return Batch(
        block,
        *(
            torch.from_numpy(column[decisions])
            for column in (
                data.treatment,
                data.reward,
                data.returns,
                data.weight,
                data.allowed,
                data.has_next,
            )
        ),
        torch.from_numpy(visits.values[visits.decision[later]]),
        int(np.diff(data.decision_offsets)[patients].max(initial=0)),
    )


def _rows(offsets: np.ndarray, chosen: np.ndarray) -> Int64[np.ndarray, " row"]:
    return ragged_arange(offsets[chosen], offsets[chosen + 1] - offsets[chosen])
