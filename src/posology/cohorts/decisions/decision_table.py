"""Whole subjects and a study become decisions: what was done, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int32, Int64

from posology.cohorts.decisions.contraindications import contraindicated
from posology.cohorts.decisions.eligibility import Exclusion, exclude, select_decisions
from posology.cohorts.decisions.outcomes import follow_up, label_outcomes
from posology.cohorts.decisions.split import assign_splits
from posology.cohorts.decisions.treatment_given import extract_treatments, subset_treatments
from posology.cohorts.events.stream import EventStream, has_any_code, subject_runs
from posology.cohorts.events.visible import has_visible_code, latest_visible_value, treatment_codes
from posology.cohorts.events.windows import DecisionTimes
from posology.domain.study import Study

SubjectMap = Mapping[int, int]
"""Subject to its split, or to its site."""


@dataclass(frozen=True, slots=True, eq=False)
class DecisionTable:
    """Decisions in order of subject and time; the columns are the Cohort's."""

    subject_id: Int64[np.ndarray, " decision"]
    time: Float64[np.ndarray, " decision"]
    """Days since 1970-01-01 of time zero."""
    treatment: Int32[np.ndarray, " decision"]
    dose: Float32[np.ndarray, " decision"]
    outcome: Float32[np.ndarray, " decision"]
    target_distance: Float32[np.ndarray, " decision"]
    effective: Float32[np.ndarray, " decision"]
    reward: Float32[np.ndarray, " decision"]
    outcome_observed: Bool[np.ndarray, " decision"]
    trajectory_ended: Bool[np.ndarray, " decision"]
    diagnosis: Float32[np.ndarray, "decision condition"]
    progression: Float32[np.ndarray, "decision progression"]
    event_time: Float32[np.ndarray, "decision time_to_event"]
    event_observed: Bool[np.ndarray, "decision time_to_event"]
    split: Int8[np.ndarray, " decision"]
    site: Int32[np.ndarray, " decision"]
    days_followed: Float32[np.ndarray, " decision"]
    """Days from time zero to the end of follow-up."""
    covariate: Float32[np.ndarray, "decision covariate"]
    """Last numbers of what the study says explains who is followed; 1 where present without a
    number, NaN where unknown."""

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class PatientFlow:
    """From the subjects of the records to the decisions of the study (CONSORT 2010, item 13)."""

    subjects: int
    marked: int
    """Subjects with a point of decision."""
    points: int
    losses: tuple[Exclusion, ...]


def extract_decisions(
    events: EventStream,
    study: Study,
    split: SubjectMap | None = None,
    site: SubjectMap | None = None,
) -> tuple[DecisionTable, PatientFlow]:
    """The decisions of whole subjects. split, site: as they are assigned; else by the study.

    Subjects without an assigned split are left out, but where the study splits by a file.
    """
    subjects, subject = subject_runs(events)
    watched = follow_up(events, subject, len(subjects), study)
    chosen = select_decisions(events, subject, watched.end, study)
    at, losses = chosen.at, list(chosen.losses)
    by_file = study.split.by == "file"
    if split is not None and not by_file:
        keep = np.array([int(subjects[s]) in split for s in at.subject], dtype=bool)
        at = exclude(at, keep, "not among the subjects asked", losses)
    given = extract_treatments(events, subject, at, study)
    if any(t.codes for t in study.formulary.treatments):
        if study.assignment.switch == "exclude":
            keep = ~given.switched
            at = exclude(at, keep, "several options given in the grace window", losses)
            given = subset_treatments(given, keep)
        keep, days = given.option >= 0, study.assignment.grace_days
        at = exclude(at, keep, f"no option given within {days:g} days", losses)
        given = subset_treatments(given, keep)
    if study.safety:
        keep = np.logical_not(contraindicated(events, subject, at, study).all(axis=1))
        at = exclude(at, keep, "every option contraindicated", losses)
        given = subset_treatments(given, keep)
    result = label_outcomes(watched, at, study)
    if study.outcome.kind == "dose_class":
        known = ~np.isnan(result.outcome)
        reason = f"no outcome within {study.outcome.within_days:g} days"
        at, given = exclude(at, known, reason, losses), subset_treatments(given, known)
        result = label_outcomes(watched, at, study)
    sites = _sites(events, subject, len(subjects), study)
    where = sites[at.subject] if site is None else _assigned(site, subjects[at.subject])
    return DecisionTable(
        subject_id=subjects[at.subject],
        time=at.time,
        treatment=given.option,
        dose=given.dose,
        split=assign_splits(subjects, at, where, study.split, split)
        if split is None or by_file
        else _assigned(split, subjects[at.subject]).astype(np.int8),
        site=where.astype(np.int32),
        days_followed=(watched.end[at.subject] - at.time).astype(np.float32),
        covariate=_covariates(events, subject, at, study),
        **{f.name: getattr(result, f.name) for f in fields(result)},
    ), PatientFlow(chosen.subjects, chosen.marked, chosen.points, tuple(losses))


def _assigned(to: SubjectMap, subject_id: np.ndarray) -> np.ndarray:
    return np.array([to[int(s)] for s in subject_id], dtype=np.int32)


def _sites(events: EventStream, subject: np.ndarray, subjects: int, study: Study) -> np.ndarray:
    """The first number of each subject under the study's site codes, -1 where there is none."""
    found = np.full(subjects, -1, dtype=np.int64)
    rows = np.flatnonzero(has_any_code(events, study.split.site) & ~np.isnan(events.value))[::-1]
    found[subject[rows]] = events.value[rows].astype(np.int64)
    return found


def _covariates(
    events: EventStream, subject: np.ndarray, at: DecisionTimes, study: Study
) -> Float32[np.ndarray, "decision covariate"]:
    treatments = treatment_codes(study)
    out = np.full((len(at), len(study.follow_up.weighted_by)), np.nan, np.float32)
    for column, code in enumerate(study.follow_up.weighted_by):
        out[has_visible_code(events, subject, at, (code,), treatments), column] = 1.0
        value = latest_visible_value(events, subject, at, (code,), treatments)
        numbers = ~np.isnan(value)
        out[numbers, column] = value[numbers]
    return out


def merge_flows(flows: list[PatientFlow]) -> PatientFlow:
    """The flow of several chunks of the same records."""
    losses = [
        Exclusion(same[0].reason, sum(x.decisions for x in same), sum(x.subjects for x in same))
        for same in zip(*(f.losses for f in flows), strict=True)
    ]
    return PatientFlow(
        sum(f.subjects for f in flows),
        sum(f.marked for f in flows),
        sum(f.points for f in flows),
        tuple(losses),
    )


def concatenate_decisions(parts: list[DecisionTable]) -> DecisionTable:
    """The decisions of several chunks, one after the other."""
    return DecisionTable(
        **{
            f.name: np.concatenate([getattr(p, f.name) for p in parts])
            for f in fields(DecisionTable)
        }
    )
