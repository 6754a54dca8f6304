"""A cohort on a device, cut into batches of subjects."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.domain.condense import condense
from posology.domain.history import subject_of
from posology.domain.study import INTERVALS
from posology.learners.features.dose_grid import log_dose_shifts
from posology.learners.features.rewards import (
    follow_up_weights,
    has_next_decision,
    is_truncated,
    known_rewards,
    permitted_treatments,
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
    """Decisions in order of subject, with what is known of them."""

    source: HistoryTensors
    targets: Targets
    subject: Int64[Tensor, " decision"]
    """Row in `source`, where a subject with a long history stands more than once."""
    last_step: Int64[Tensor, " decision"]
    offsets: Int64[Tensor, " subject_plus_one"]
    """Decisions of the i-th subject that has any."""
    steps: Int64[np.ndarray, " subject"]
    """How many steps a batch gets with the i-th subject."""
    device: torch.device
    """Where batches go; the arrays lie there too, or in main memory where they do not fit."""


def cohort_to_tensors(
    cohort: Cohort, reading: Decoding, config: NetworkConfig, device: torch.device
) -> CohortTensors:
    """Everything a learner needs of a cohort, on the device; long histories condensed."""
    counts = np.unique(cohort.subject, return_counts=True)[1]
    short = condense(cohort.history, cohort.last_step, config.last_steps)
    center, spread = np.array(reading.progression_center), np.array(reading.progression_spread)
    survived, happened = survival_intervals(cohort)
    margin = (
        np.full(len(cohort), np.nan) if cohort.target_distance is None else cohort.target_distance
    )
    asked = np.full(len(cohort), np.nan) if reading.dose_levels else cohort.dose
    root = (np.sqrt(asked.astype(np.float64)) - reading.dose_center) / reading.dose_spread

    wide = len(cohort.study.formulary.treatments) + len(center) + 2 * survived.shape[1]
    place = choose_device(cohort_bytes(short.history, wide, len(cohort)), device)

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
            log_dose=put(log_dose_shifts(cohort, reading.dose_levels), np.float32),
            target_distance=put(
                (margin - reading.target_distance_center) / reading.target_distance_spread,
                np.float32,
            ),
            rewards=put(known_rewards(cohort), np.float32),
            has_next=put(has_next_decision(cohort), np.bool_),
            diagnosis=put(task_targets("diagnosis", cohort), np.float32),
            progression=put((task_targets("progression", cohort) - center) / spread, np.float32),
            weight=put(follow_up_weights(cohort), np.float32),
            allowed=put(permitted_treatments(cohort), np.bool_),
            is_truncated=put(is_truncated(cohort), np.bool_),
            intervals_survived=put(survived, np.int64),
            event_observed=put(happened, np.bool_),
        ),
        subject=put(subject_of(short.history, short.decisions), np.int64),
        last_step=put(short.decisions, np.int64),
        offsets=put(bounds, np.int64),
        steps=np.add.reduceat(cost, bounds[:-1]) if len(cost) else cost,
        device=device,
    )


def task_targets(task: str, cohort: Cohort) -> Float32[np.ndarray, "decision column"]:
    """The cohort's column for a task, without targets where its study does not ask."""
    found = getattr(cohort, task, None)
    return np.zeros((len(cohort), 0), np.float32) if found is None else found


def survival_intervals(
    cohort: Cohort,
) -> tuple[Int64[np.ndarray, "decision time_to_event"], Bool[np.ndarray, "decision time_to_event"]]:
    """Whole intervals survived, and whether the event came in the next; -1 where not followed."""
    waited = task_targets("event_time", cohort).astype(np.float64)
    asked = cohort.study.time_to_event if waited.shape[1] else ()
    width = np.array([target.within_days / INTERVALS for target in asked])
    happened = (
        np.zeros(waited.shape, bool) if cohort.event_observed is None else cohort.event_observed
    )
    # An event on an interval's last day is in it; who left on that day has survived it.
    passed = np.where(happened, np.ceil(waited / width) - 1, np.floor(waited / width))
    survived = np.where(np.isnan(waited), -1, np.clip(np.nan_to_num(passed), 0, INTERVALS))
    return survived.astype(np.int64), np.asarray(happened)


def iterate_batches(cohort: CohortTensors) -> Iterator[tuple[Batch, Targets]]:
    """Every decision once, in order."""
    for run in split_by_budget(cohort.steps, MAX_DECISIONS, MAX_STEPS):
        subjects = torch.arange(run.start, run.stop, device=cohort.offsets.device)
        yield gather_subjects(cohort, subjects)


def gather_subjects(
    cohort: CohortTensors, subjects: Int64[Tensor, " subject"]
) -> tuple[Batch, Targets]:
    """All decisions of some subjects, on the device that learns."""
    subjects = subjects.to(cohort.offsets.device)
    starts = cohort.offsets[subjects]
    row = ragged_range(starts, cohort.offsets[subjects + 1] - starts)
    targets = cohort.targets
    batch = gather_batch(
        cohort.source, cohort.subject.index_select(0, row), cohort.last_step.index_select(0, row)
    )
    asked = Targets(
        best=targets.best.index_select(0, row),
        treatment=targets.treatment.index_select(0, row),
        effective=targets.effective.index_select(0, row),
        dose=targets.dose.index_select(0, row),
        log_dose=targets.log_dose.index_select(0, row),
        target_distance=targets.target_distance.index_select(0, row),
        rewards=targets.rewards.index_select(0, row),
        has_next=targets.has_next.index_select(0, row),
        diagnosis=targets.diagnosis.index_select(0, row),
        progression=targets.progression.index_select(0, row),
        weight=targets.weight.index_select(0, row),
        allowed=targets.allowed.index_select(0, row),
        is_truncated=targets.is_truncated.index_select(0, row),
        intervals_survived=targets.intervals_survived.index_select(0, row),
        event_observed=targets.event_observed.index_select(0, row),
    )
    if cohort.device == cohort.offsets.device:
        return batch, asked
    return _moved(batch, cohort.device), _moved(asked, cohort.device)


def _moved(arrays: Arrays, device: torch.device) -> Arrays:
    parts = {f.name: getattr(arrays, f.name) for f in fields(arrays)}
    return replace(arrays, **{k: None if t is None else t.to(device) for k, t in parts.items()})


def ensemble_losses(network: Network, cohort: CohortTensors) -> dict[str, float]:
    """Losses of the members' mean, the answer that is used, over a whole cohort."""
    sums: dict[str, float] = {}
    total = 0
    for batch, targets in iterate_batches(cohort):
        output = network(batch, targets.log_dose, with_value=False)
        averaged = output._replace(
            effectiveness=_averaged(output.effectiveness, network.config.exclusive),
            target_distance=output.target_distance.mean(1, keepdim=True),
            propensity=_averaged(output.propensity, exclusive=True),
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
    """The members' mean, one member wide."""
    return TaskOutput(
        diagnosis=_averaged(tasks.diagnosis, exclusive=False),
        progression=tasks.progression.mean(1, keepdim=True),
        hazard=_averaged_hazard(tasks.hazard),
    )


def _averaged_hazard(logits: Tensor) -> Tensor:
    """Logits of the hazards whose survival is the members' mean, one member wide."""
    mean = survival(logits).mean(1, keepdim=True)
    before = torch.cat([torch.ones_like(mean[..., :1]), mean[..., :-1]], 3)
    return (1 - mean / before.clamp_min(1e-12)).logit(eps=1e-6)


def _averaged(logits: Tensor, exclusive: bool) -> Tensor:
    """Logits of the members' mean probability, one member wide."""
    if exclusive:
        return torch.softmax(logits, 2).mean(1, keepdim=True).clamp_min(1e-12).log()
    return torch.sigmoid(logits).mean(1, keepdim=True).logit(eps=1e-6)
