"""A cohort as tensors on a device, split into batches of subjects."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.domain.condense import condense_histories
from posology.domain.history import subject_rows
from posology.domain.study import INTERVALS
from posology.learners.features.dose_grid import log_dose_shifts
from posology.learners.features.rewards import (
    diagnosis_weights,
    follow_up_weights,
    has_next_decision,
    is_truncated,
    known_rewards,
    permitted_treatments,
    reward_weights,
)
from posology.learners.network.device_placement import choose_device, cohort_bytes
from posology.learners.network.losses import Targets, supervised, survival
from posology.learners.network.policy import MAX_DECISIONS, MAX_STEPS, Decoding, step_costs
from posology.nn.batch import (
    Batch,
    HistoryTensors,
    gather_batch,
    history_to_tensors,
    split_by_budget,
)
from posology.nn.heads import TaskOutput
from posology.nn.network import Network, NetworkConfig
from posology.nn.ragged import ragged_range

Arrays = TypeVar("Arrays", Batch, Targets)


@dataclass(frozen=True, slots=True, eq=False)
class CohortTensors:
    """Decisions ordered by subject, with their targets."""

    source: HistoryTensors
    targets: Targets
    subject: Int64[Tensor, " decision"]
    """Row in `source`; a subject with a long history has several rows there."""
    last_step: Int64[Tensor, " decision"]
    offsets: Int64[Tensor, " subject_plus_one"]
    """First decision of each subject that has any, and the number of decisions."""
    steps: Int64[np.ndarray, " subject"]
    """Number of steps that each subject adds to a batch."""
    device: torch.device
    """Device of the batches; the arrays are there too, or in main memory if they do not fit."""


def cohort_to_tensors(
    cohort: Cohort, decoding: Decoding, config: NetworkConfig, device: torch.device
) -> CohortTensors:
    """Return the cohort's histories and standardised targets; long histories are condensed."""
    counts = np.unique(cohort.subject, return_counts=True)[1]
    short = condense_histories(cohort.history, cohort.last_step, config.last_steps)
    progression = optional_columns(cohort.progression, len(cohort))
    center, spread = np.array(decoding.progression_center), np.array(decoding.progression_spread)
    survived, observed = survival_intervals(cohort)
    unknown = np.full(len(cohort), np.nan)
    distance = unknown if cohort.target_distance is None else cohort.target_distance
    dose = unknown if decoding.dose_levels else cohort.dose
    root = (np.sqrt(dose.astype(np.float64)) - decoding.dose_center) / decoding.dose_spread
    distance = (distance - decoding.target_distance_center) / decoding.target_distance_spread

    columns = len(cohort.study.formulary.treatments) + len(center) + 2 * survived.shape[1]
    place = choose_device(cohort_bytes(short.history, columns, len(cohort)), device)

    def put(array: np.ndarray, kind: type) -> Tensor:
        return torch.as_tensor(array.astype(kind), device=place)

    bounds = np.concatenate([[0], np.cumsum(counts)])
    cost = step_costs(short.history, short.decisions)
    return CohortTensors(
        source=history_to_tensors(short.history, cohort.profile, place, config.tracks_codes),
        targets=Targets(
            best=put(cohort.best_treatment, np.int64),
            treatment=put(cohort.treatment, np.int64),
            effective=put(cohort.effective, np.float32),
            dose=put(root, np.float32),
            log_dose=put(log_dose_shifts(cohort, decoding.dose_levels), np.float32),
            target_distance=put(distance, np.float32),
            rewards=put(known_rewards(cohort), np.float32),
            has_next=put(has_next_decision(cohort), np.bool_),
            diagnosis=put(optional_columns(cohort.diagnosis, len(cohort)), np.float32),
            progression=put((progression - center) / spread, np.float32),
            diagnosis_weight=put(diagnosis_weights(cohort), np.float32),
            weight=put(follow_up_weights(cohort), np.float32),
            reward_weight=put(reward_weights(cohort), np.float32),
            allowed=put(permitted_treatments(cohort), np.bool_),
            is_truncated=put(is_truncated(cohort), np.bool_),
            intervals_survived=put(survived, np.float32),
            event_observed=put(observed, np.bool_),
        ),
        subject=put(subject_rows(short.history, short.decisions), np.int64),
        last_step=put(short.decisions, np.int64),
        offsets=put(bounds, np.int64),
        steps=np.add.reduceat(cost, bounds[:-1]) if len(cost) else cost,
        device=device,
    )


def optional_columns(
    columns: Float32[np.ndarray, "decision target"] | None, decisions: int
) -> Float32[np.ndarray, "decision target"]:
    """Return the columns, or a table without columns where the study has no such targets."""
    return np.zeros((decisions, 0), np.float32) if columns is None else columns


def survival_intervals(
    cohort: Cohort,
) -> tuple[
    Float64[np.ndarray, "decision time_to_event"], Bool[np.ndarray, "decision time_to_event"]
]:
    """Return the intervals survived (-1 without follow-up) and whether the event followed.

    Whole intervals where it did; to the day of censoring where it did not.
    """
    days = optional_columns(cohort.event_time, len(cohort)).astype(np.float64)
    targets = cohort.study.time_to_event if days.shape[1] else ()
    width = np.array([target.within_days / INTERVALS for target in targets])
    observed = (
        np.zeros(days.shape, bool) if cohort.event_observed is None else cohort.event_observed
    )
    # An event on the last day of an interval is in it; censoring on that day has survived it.
    passed = np.where(observed, np.ceil(days / width) - 1, days / width)
    survived = np.where(np.isnan(days), -1, np.clip(np.nan_to_num(passed), 0, INTERVALS))
    return survived, np.asarray(observed)


def iterate_batches(cohort: CohortTensors) -> Iterator[tuple[Batch, Targets]]:
    """Yield every decision once, in order."""
    for run in split_by_budget(cohort.steps, MAX_DECISIONS, MAX_STEPS):
        subjects = torch.arange(run.start, run.stop, device=cohort.offsets.device)
        yield gather_subjects(cohort, subjects)


def gather_subjects(
    cohort: CohortTensors, subjects: Int64[Tensor, " subject"]
) -> tuple[Batch, Targets]:
    """Return all decisions of these subjects and their targets, on the cohort's device."""
    subjects = subjects.to(cohort.offsets.device)
    starts = cohort.offsets[subjects]
    row = ragged_range(starts, cohort.offsets[subjects + 1] - starts)
    subject, last_step = (x.index_select(0, row) for x in (cohort.subject, cohort.last_step))
    batch = gather_batch(cohort.source, subject, last_step)
    targets = Targets(
        **{f.name: getattr(cohort.targets, f.name).index_select(0, row) for f in fields(Targets)}
    )
    if cohort.device == cohort.offsets.device:
        return batch, targets
    return _move(batch, cohort.device), _move(targets, cohort.device)


def _move(arrays: Arrays, device: torch.device) -> Arrays:
    parts = {f.name: getattr(arrays, f.name) for f in fields(arrays)}
    return replace(arrays, **{k: None if t is None else t.to(device) for k, t in parts.items()})


def ensemble_losses(network: Network, cohort: CohortTensors) -> dict[str, float]:
    """Return the losses of the members' mean prediction over a cohort.

    `score`, the sum of all but the propensity's, decides which epoch is the best.
    """
    sums: dict[str, float] = {}
    total = 0
    for batch, targets in iterate_batches(cohort):
        output = network(batch, targets.log_dose, with_value=False)
        averaged = output._replace(
            effectiveness=_average_logits(output.effectiveness, network.config.exclusive),
            target_distance=output.target_distance.mean(1, keepdim=True),
            propensity=_average_logits(output.propensity, exclusive=True),
            dose=output.dose.mean(1, keepdim=True),
            tasks=average_tasks(output.tasks),
        )
        size = len(targets.best)
        total += size
        for name, part in supervised(averaged, targets).items():
            sums[name] = sums.get(name, 0.0) + float(part) * size
    means = {name: value / total for name, value in sums.items()}
    return {**means, "score": sum(v for name, v in means.items() if name != "propensity")}


def average_tasks(tasks: TaskOutput) -> TaskOutput:
    """Return the members' mean as the output of a single member."""
    return TaskOutput(
        diagnosis=_average_logits(tasks.diagnosis, exclusive=False),
        progression=tasks.progression.mean(1, keepdim=True),
        hazard=_average_hazard(tasks.hazard),
    )


def _average_hazard(logits: Tensor) -> Tensor:
    """Logits of the hazards whose survival curve is the members' mean, as a single member."""
    mean = survival(logits).mean(1, keepdim=True)
    before = torch.cat([torch.ones_like(mean[..., :1]), mean[..., :-1]], 3)
    return (1 - mean / before.clamp_min(1e-12)).logit(eps=1e-6)


def _average_logits(logits: Tensor, exclusive: bool) -> Tensor:
    """Logits of the members' mean probability, as a single member."""
    if exclusive:
        return torch.softmax(logits, 2).mean(1, keepdim=True).clamp_min(1e-12).log()
    return torch.sigmoid(logits).mean(1, keepdim=True).logit(eps=1e-6)
