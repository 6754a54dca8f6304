"""The table of decisions of whole subjects: treatment, outcome, follow-up and split of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int32, Int64

from posology.cohorts.decisions.coverage import Coverage, count_coverage, merge_coverage
from posology.cohorts.decisions.earlier_use import EarlierUse, count_earlier_use
from posology.cohorts.decisions.eligibility import select_decisions
from posology.cohorts.decisions.exclusions import Exclusion, Kept, exclude, exclude_in_turn
from posology.cohorts.decisions.follow_up import FollowUp, end_follow_up, follow_up
from posology.cohorts.decisions.landmark import free_at_landmark, label_windows
from posology.cohorts.decisions.outcomes import Outcomes, label_outcomes
from posology.cohorts.decisions.split import assign_splits, split_end
from posology.cohorts.decisions.treatment_given import (
    TreatmentGiven,
    extract_treatments,
    subset_treatments,
)
from posology.cohorts.decisions.treatment_leaks import (
    StepCode,
    count_step_codes,
    merge_step_codes,
)
from posology.cohorts.events.stream import EventStream, has_any_code, subject_runs
from posology.cohorts.events.visible import event_facts
from posology.cohorts.events.windows import DecisionTimes
from posology.domain.safety_rules.check import check_safety, safety_rules
from posology.domain.study import Study

SubjectMap = Mapping[int, int]
"""A subject's split, or its site."""


@dataclass(frozen=True, slots=True, eq=False)
class DecisionTable:
    """Decisions ordered by subject and time; columns of the same name are as in the Cohort."""

    subject_id: Int64[np.ndarray, " decision"]
    time: Float64[np.ndarray, " decision"]
    """Time zero, in days since 1970-01-01."""
    treatment: Int32[np.ndarray, " decision"]
    dose: Float32[np.ndarray, " decision"]
    outcome: Float32[np.ndarray, " decision"]
    target_distance: Float32[np.ndarray, " decision"]
    effective: Float32[np.ndarray, " decision"]
    reward: Float32[np.ndarray, " decision"]
    outcome_observed: Bool[np.ndarray, " decision"]
    resolved_days: Float32[np.ndarray, " decision"]
    resolved_by: Int8[np.ndarray, " decision"]
    trajectory_ended: Bool[np.ndarray, " decision"]
    cost: Float32[np.ndarray, " decision"]
    cost_days: Float32[np.ndarray, " decision"]
    cost_resolved_by: Int8[np.ndarray, " decision"]
    harm: Float32[np.ndarray, "decision budget"]
    harm_days: Float32[np.ndarray, "decision budget"]
    diagnosis: Float32[np.ndarray, "decision condition"]
    diagnosis_days: Float32[np.ndarray, "decision condition"]
    diagnosis_resolved_by: Int8[np.ndarray, "decision condition"]
    progression: Float32[np.ndarray, "decision progression"]
    event_time: Float32[np.ndarray, "decision time_to_event"]
    event_observed: Bool[np.ndarray, "decision time_to_event"]
    split: Int8[np.ndarray, " decision"]
    site: Int32[np.ndarray, " decision"]
    days_followed: Float32[np.ndarray, " decision"]
    """Days from time zero to the end of follow-up."""
    covariate: Float32[np.ndarray, "decision covariate"]
    """Covariates of censoring (`follow_up.weighted_by`): the last number; 1 where the code is
    present without a number; NaN where it is absent."""
    allowed: Bool[np.ndarray, "decision treatment"]
    dose_limits: Float32[np.ndarray, "decision treatment 2"]
    rule_status: Int8[np.ndarray, "decision rule"]
    """Of each safety rule: CLEAR, MET or UNKNOWN."""

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class PatientFlow:
    """Counts from the subjects in the records to the study's decisions (CONSORT 2010, item 13)."""

    subjects: int
    subjects_with_decision: int
    """Subjects with at least one candidate decision."""
    candidates: int
    """Decisions before any exclusion."""
    exclusions: tuple[Exclusion, ...]
    earlier_use: EarlierUse
    """Of the decisions left; so are the others below."""
    coverage: Coverage
    step_codes: tuple[StepCode, ...]


def extract_decisions(
    events: EventStream,
    study: Study,
    split: SubjectMap | None = None,
    site: SubjectMap | None = None,
) -> tuple[DecisionTable, PatientFlow]:
    """The decisions of whole subjects.

    split, site: of each subject; by the study's rule if None. Subjects without a split are
    excluded, unless the study splits by file.
    """
    subjects, subject = subject_runs(events)
    followed = follow_up(events, subject, len(subjects), study)
    selected = select_decisions(followed, study)
    at, exclusions = selected.at, list(selected.exclusions)
    by_file = study.split.by == "file"
    if split is not None and not by_file:
        keep = np.array([int(subjects[s]) in split for s in at.subject], dtype=bool)
        at = exclude(at, keep, "subject without a split", exclusions)
    treatments = extract_treatments(events, subject, at, study)
    steps = [*free_at_landmark(followed, at, study), *_treatment_known(treatments, study)]
    keep = exclude_in_turn(at, steps, exclusions)
    at = DecisionTimes(at.subject[keep], at.time[keep])
    treatments = subset_treatments(treatments, keep)
    if safety_rules(study):
        keep = _safety_columns(events, subject, at, study)["allowed"].any(axis=1)
        at = exclude(at, keep, "every option contraindicated", exclusions)
        treatments = subset_treatments(treatments, keep)
    sites = _sites(events, subject, len(subjects), study)
    chosen = _splits(subjects, at, sites, study, (split, site))
    if study.split.by == "time" and split is None:
        followed, keep = _end_with_split(followed, at, chosen, study)
        at = exclude(at, keep, "after the next split begins", exclusions)
        treatments, chosen = subset_treatments(treatments, keep), chosen[keep]
    outcomes = label_outcomes(followed, at, label_windows(study))
    if study.outcome.kind == "dose_class":
        keep = ~np.isnan(outcomes.outcome)
        reason = f"no outcome within {study.outcome.within_days:g} days"
        at, treatments = exclude(at, keep, reason, exclusions), subset_treatments(treatments, keep)
        outcomes, chosen = label_outcomes(followed, at, label_windows(study)), chosen[keep]
    return DecisionTable(
        subject_id=subjects[at.subject],
        time=at.time,
        treatment=treatments.option,
        dose=treatments.dose,
        split=chosen,
        site=_decision_sites(subjects, at, sites, site).astype(np.int32),
        days_followed=whole_days(followed.end_of(at) - at.time, study).astype(np.float32),
        covariate=_censoring_covariates(events, subject, at, study),
        **_outcome_columns(outcomes, study),
        **_safety_columns(events, subject, at, study),
    ), PatientFlow(
        selected.subjects,
        selected.subjects_with_decision,
        selected.candidates,
        tuple(exclusions),
        count_earlier_use(events, subject, (at, treatments.option), study),
        count_coverage(followed, at, treatments.start, (outcomes, label_windows(study))),
        count_step_codes(events, subject, (at, treatments.option), study),
    )


def _splits(
    subjects: np.ndarray,
    at: DecisionTimes,
    sites: np.ndarray,
    study: Study,
    given: tuple[SubjectMap | None, SubjectMap | None],
) -> Int8[np.ndarray, " decision"]:
    """The split of each decision. given: split and site of each subject, or None."""
    split, site = given
    if split is None or study.split.by == "file":
        decision_site = _decision_sites(subjects, at, sites, site)
        return assign_splits(subjects, at, decision_site, study.split, split)
    return _lookup(split, subjects[at.subject]).astype(np.int8)


def _decision_sites(
    subjects: np.ndarray, at: DecisionTimes, sites: np.ndarray, site: SubjectMap | None
) -> np.ndarray:
    return sites[at.subject] if site is None else _lookup(site, subjects[at.subject])


def _end_with_split(
    followed: FollowUp, at: DecisionTimes, chosen: Int8[np.ndarray, " decision"], study: Study
) -> tuple[FollowUp, Bool[np.ndarray, " decision"]]:
    """Follow-up until the next split begins, and whether each decision lies before."""
    ends = split_end(chosen, study.split)
    end = np.full(len(followed.end), np.inf)
    end[at.subject] = ends
    return end_follow_up(followed, end), at.time < ends


def _outcome_columns(outcomes: Outcomes, study: Study) -> dict[str, Any]:
    """The outcomes' columns; days are whole where times have no hours."""
    columns = {f.name: getattr(outcomes, f.name) for f in fields(outcomes)}
    days = ["resolved_days", "cost_days", "harm_days", "diagnosis_days", "event_time"]
    if study.outcome.kind == "time_to_event":
        days.append("outcome")
    return columns | {name: whole_days(columns[name], study) for name in days}


def _safety_columns(
    events: EventStream, subject: np.ndarray, at: DecisionTimes, study: Study
) -> dict[str, Any]:
    checked = check_safety(study, event_facts(events, subject, at, study))
    return {
        "allowed": ~checked.forbidden,
        "dose_limits": checked.limits.astype(np.float32),
        "rule_status": checked.status,
    }


def whole_days(days: np.ndarray, study: Study) -> np.ndarray:
    """Days without the place within a day, if the study's times have no hours."""
    return np.floor(days) if study.clock.slack else days


def _treatment_known(treatments: TreatmentGiven, study: Study) -> Iterator[Kept]:
    """Each condition of knowing the option that was given; nothing if no option has codes."""
    if not any(t.codes for t in study.formulary.treatments):
        return
    if study.assignment.switch == "exclude":
        yield ~treatments.switched, "several options given in the grace window"
    days = study.assignment.grace_days
    yield treatments.option >= 0, f"no option given within {days:g} days"


def _lookup(values: SubjectMap, subject_id: np.ndarray) -> np.ndarray:
    return np.array([values[int(s)] for s in subject_id], dtype=np.int32)


def _sites(events: EventStream, subject: np.ndarray, subjects: int, study: Study) -> np.ndarray:
    """The first number of each subject under the study's site codes; -1 where there is none."""
    site = np.full(subjects, -1, dtype=np.int64)
    is_site = has_any_code(events, study.split.site) & ~np.isnan(events.value)
    rows = np.flatnonzero(is_site)[::-1]  # the first one is written last
    site[subject[rows]] = events.value[rows].astype(np.int64)
    return site


def _censoring_covariates(
    events: EventStream, subject: np.ndarray, at: DecisionTimes, study: Study
) -> Float32[np.ndarray, "decision covariate"]:
    facts = event_facts(events, subject, at, study)
    covariates = np.full((len(at), len(study.follow_up.weighted_by)), np.nan, np.float32)
    for column, code in enumerate(study.follow_up.weighted_by):
        covariates[facts.has_code((code,)), column] = 1.0
        value = facts.latest_value((code,))
        has_number = ~np.isnan(value)
        covariates[has_number, column] = value[has_number]
    return covariates


def merge_flows(flows: list[PatientFlow]) -> PatientFlow:
    """The flow of several chunks of the same records."""
    exclusions = [
        Exclusion(step[0].reason, sum(x.decisions for x in step), sum(x.subjects for x in step))
        for step in zip(*(f.exclusions for f in flows), strict=True)
    ]
    return PatientFlow(
        sum(f.subjects for f in flows),
        sum(f.subjects_with_decision for f in flows),
        sum(f.candidates for f in flows),
        tuple(exclusions),
        EarlierUse(
            sum(f.earlier_use.decisions for f in flows),
            sum(f.earlier_use.continued for f in flows),
        ),
        merge_coverage([f.coverage for f in flows]),
        merge_step_codes([f.step_codes for f in flows]),
    )


def concatenate_decisions(tables: list[DecisionTable]) -> DecisionTable:
    """The decisions of several chunks, one after the other."""
    names = [f.name for f in fields(DecisionTable)]
    return DecisionTable(**{n: np.concatenate([getattr(t, n) for t in tables]) for n in names})
