"""Events and a study become a cohort."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from posology.cohorts.encode import fit_profile, history_of
from posology.cohorts.split import by_subject
from posology.cohorts.stream import Stream, having, stream
from posology.domain.cohort import TRAIN, Cohort
from posology.domain.formula_events import with_formula_events
from posology.domain.formulary import inside
from posology.domain.study import Study


def build_cohort(
    events: pa.Table,
    study: Study,
    split: Mapping[int, int] | None = None,
    site: Mapping[int, int] | None = None,
) -> Cohort:
    """Every decision of the study with what was known, what was done and what came of it.

    split: subject to TRAIN, VALIDATION or TEST; by a hash of the subject where not given. Subjects
    it leaves out are left out. site: subject to site. Only the training split is learned from.
    """
    ordered = stream(events)
    subjects, time_zero = _decisions(ordered, study)
    if split is not None:
        kept = np.array([int(s) in split for s in subjects], dtype=bool)
        subjects, time_zero = subjects[kept], time_zero[kept]
    outcome = _outcomes(ordered, study, subjects, time_zero)
    known = ~np.isnan(outcome)
    subjects, time_zero, outcome = subjects[known], time_zero[known], outcome[known]
    parts = (
        by_subject(subjects, study.split)
        if split is None
        else np.array([split[int(s)] for s in subjects], dtype=np.int8)
    )
    profile = fit_profile(ordered, study, subjects, parts == TRAIN, outcome)
    treatments = tuple(code for t in study.formulary.treatments for code in t.codes)
    history = with_formula_events(history_of(ordered, subjects, profile.codes, treatments), profile)
    best = _dose_class(outcome, study)
    rewards = np.array(study.reward.table, dtype=np.float32)[best]
    count = len(subjects)
    return Cohort(
        study=study,
        profile=profile,
        history=history,
        subject=np.arange(count, dtype=np.int64),
        last_step=_last_visible(history, time_zero),
        treatment=best,
        dose=outcome.astype(np.float32),
        outcome=outcome.astype(np.float32),
        effective=np.ones(count, np.float32),
        reward=rewards[np.arange(count), best],
        complete=np.ones(count, dtype=bool),
        best=best,
        rewards=rewards,
        logged=np.full(count, np.nan, np.float32),
        split=parts,
        site=np.array([site[int(s)] if site else -1 for s in subjects], dtype=np.int32),
    )


def _decisions(events: Stream, study: Study) -> tuple[np.ndarray, np.ndarray]:
    """The first decision of each subject that has one, and its time in days."""
    marks = having(events, study.decision.codes) & ~np.isnan(events.time)
    subjects, first = np.unique(events.subject_id[marks], return_index=True)
    return subjects, events.time[marks][first]


def _outcomes(
    events: Stream, study: Study, subjects: np.ndarray, time_zero: np.ndarray
) -> np.ndarray:
    """The first outcome within the window after time zero, NaN where there is none."""
    marks = having(events, study.outcome.codes) & ~np.isnan(events.value)
    row = np.searchsorted(subjects, events.subject_id[marks])
    row = np.minimum(row, max(len(subjects) - 1, 0))
    since = events.time[marks] - time_zero[row]
    same = subjects[row] == events.subject_id[marks]
    inside_window = same & (since > 0) & (since <= study.outcome.within_days)
    found = np.full(len(subjects), np.nan)
    # Written last to first, so that the earliest outcome stays.
    found[row[inside_window][::-1]] = events.value[marks][inside_window][::-1]
    return found


def _dose_class(dose: np.ndarray, study: Study) -> np.ndarray:
    """The option whose dose range holds the dose; the highest where it lies above them all."""
    best = np.full(len(dose), len(study.formulary.treatments) - 1, dtype=np.int32)
    for row, treatment in reversed(list(enumerate(study.formulary.treatments))):
        if treatment.dose is not None:
            best[inside(dose, treatment.dose)] = row
    return best


def _last_visible(history, time_zero: np.ndarray) -> np.ndarray:
    """The last step of each subject at or before time zero: the static one at least."""
    owner = np.repeat(np.arange(len(time_zero)), np.diff(history.step_offsets))
    visible = np.isnan(history.time) | (history.time <= time_zero[owner])
    return history.step_offsets[:-1] + np.bincount(owner[visible], minlength=len(time_zero)) - 1
