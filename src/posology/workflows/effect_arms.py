"""What the effect page shows before any adjustment: the flow, Table 1 and outcomes by arm."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from posology.domain.codes import display_names
from posology.domain.cohort import Cohort
from posology.domain.statistics.estimand import estimand_sentence
from posology.domain.study import Study
from posology.evaluation.arms.baseline import describe_arms
from posology.evaluation.arms.event_curves import EventCurves, describe_event_times
from posology.evaluation.arms.raw_outcomes import RawOutcome, describe_outcome
from posology.evaluation.effects.overlap import Overlap, with_date
from posology.learners.effects.target_trial import StudyTrial
from posology.report.effects.content import FlowStep, RawData

_Column = Float64[np.ndarray, " decision"]


def describe_estimand(study: Study) -> str:
    """What is estimated, in one sentence."""

    names = tuple((code, name.partition(",")[0]) for code, name in study.names)  # without units
    sentence = estimand_sentence(replace(study, names=names))
    if study.outcome.kind == "time_to_event":
        days = f"mean days without the event, of {study.outcome.within_days:,g}"
        return f"{sentence} Effects are differences in restricted mean survival time: {days}."
    return sentence


def describe_raw_data(
    cohort: Cohort, trial: StudyTrial, overlap: Overlap, comparator: int
) -> RawData:
    """The analysis population by arm.

    Args:
        cohort: the cohort that the trial's decisions come from.
        trial: the decisions of the estimates.
        overlap: which of them are analysed.
        comparator: index of the option that the others are compared with.
    """
    kept, treatment = overlap.population, trial.trial.treatment[overlap.population]
    subject = trial.trial.subject[kept]
    rows = trial.row[kept]
    options = [option.name for option in overlap.options]

    def by_arm(name: str, column: _Column) -> RawOutcome:
        return describe_outcome(name, column, (treatment, subject), options, comparator)

    is_time = cohort.study.outcome.kind == "time_to_event"
    readable = replace(trial.trial, covariates=trial.readable_covariates)
    columns, names = with_date(readable, trial.covariates)
    number = _measured_number(cohort, rows)
    name = display_names(cohort.study.outcome.codes, cohort.study.names)
    measured = f"change of {name}" if cohort.study.outcome.kind == "change" else name
    return RawData(
        decisions=len(rows),
        patients=len(np.unique(subject)),
        baseline=describe_arms(columns[kept], tuple(names), treatment, len(options)),
        outcome=None if is_time else by_arm(name, _good_outcome(cohort, rows)),
        number=None if number is None else by_arm(measured, number),
        curves=_curves(cohort, rows, treatment, (options, comparator)) if is_time else None,
        harms={
            target.name: by_arm(target.name, _diagnosed(cohort, rows, at))
            for at, target in enumerate(cohort.study.diagnosis)
            if cohort.diagnosis is not None
        },
    )


def _good_outcome(cohort: Cohort, rows: np.ndarray) -> _Column:
    """1 where the outcome was good, 0 where not, NaN where it is unknown or counts for nothing."""
    good = cohort.effective[rows].astype(np.float64)
    good[~cohort.outcome_observed[rows]] = np.nan
    return _in_reach(good, cohort.censoring_weight, rows)


def _diagnosed(cohort: Cohort, rows: np.ndarray, at: int) -> _Column:
    """1 where the diagnosis was made, 0 where not, NaN where unknown or counting for nothing."""
    assert cohort.diagnosis is not None
    weight = None if cohort.diagnosis_weight is None else cohort.diagnosis_weight[:, at]
    return _in_reach(cohort.diagnosis[rows, at].astype(np.float64), weight, rows)


def _in_reach(known: _Column, weight: np.ndarray | None, rows: np.ndarray) -> _Column:
    """NaN where only events could become known (weight 0): their share would be 100 %."""
    return known if weight is None else np.where(weight[rows] > 0, known, np.nan)


def _measured_number(cohort: Cohort, rows: np.ndarray) -> _Column | None:
    """The number, or its change, that decides whether the outcome is good, if one does."""
    if cohort.study.outcome.kind not in ("value_in_range", "change"):
        return None
    number = cohort.outcome[rows].astype(np.float64)
    return None if np.isnan(number).all() else number


def _curves(
    cohort: Cohort, rows: np.ndarray, treatment: np.ndarray, arms: tuple[list[str], int]
) -> EventCurves:
    options, comparator = arms
    horizon = float(np.float32(cohort.study.outcome.within_days))
    effective = cohort.effective[rows]
    event = cohort.outcome_observed[rows] & (effective == 0)
    days = cohort.outcome[rows].astype(np.float64)
    return describe_event_times(days, event, treatment, options, (horizon, comparator))


def describe_flow(
    cohort: Cohort,
    trial: StudyTrial,
    overlap: Overlap,
    records: Mapping[str, Any] | None = None,
    is_saved_policy: bool = False,
) -> tuple[FlowStep, ...]:
    """From the records to the analysis; from the cohort on, if it does not know its records.

    Args:
        cohort: the cohort that the trial's decisions come from.
        trial: the decisions of the estimates.
        overlap: which of them are analysed.
        records: the flow of a cohort folder (cohorts/decisions/flow_diagram.py).
        is_saved_policy: whether only the test split is evaluated.
    """
    steps = _from_records(records) if records else []
    counted = "patients" if len(cohort) == len(np.unique(cohort.subject)) else "decisions"
    steps.append(FlowStep(f"{counted} in the cohort", f"{len(cohort):,}"))
    if len(trial.row) < len(cohort):
        why = _why_fewer(cohort, is_saved_policy)
        steps.append(FlowStep(why, f"{len(cohort) - len(trial.row):,}", True))
    outside = overlap.total.decisions - overlap.included.decisions
    if outside:
        text = "not every option that is judged had a propensity of at least 5 %"
        steps.append(FlowStep(text, f"{outside:,}", True))
    kept = overlap.population
    known = int(trial.is_followed_up[kept].sum())
    people = ""
    if counted == "decisions":
        people = f" of {overlap.included.patients:,} patients"
    unknown = overlap.included.decisions - known
    corrected = f"; outcome unknown, corrected for: {unknown:,}" if unknown else ""
    late = _too_late(cohort, trial.row[kept])
    apart = f" ({late:,} of them too late in the records for raw shares)" if late else ""
    text = f"{counted}{people} in the analysis; outcome known: {known:,}{apart}{corrected}"
    steps.append(FlowStep(text, f"{overlap.included.decisions:,}"))
    for k, option in enumerate(overlap.options):
        given = int((trial.trial.treatment[kept] == k).sum())
        steps.append(FlowStep(f"given {option.name}", f"{given:,}", True))
    return tuple(steps)


def _too_late(cohort: Cohort, rows: np.ndarray) -> int:
    """How many known outcomes count for nothing, since only events could become known."""
    if cohort.censoring_weight is None:
        return 0
    return int((cohort.outcome_observed & (cohort.censoring_weight == 0))[rows].sum())


def _from_records(records: Mapping[str, Any]) -> list[FlowStep]:
    flow = records["flow"]
    points = f"decision points of {flow['subjects_with_a_decision_point']:,} patients"
    return [
        FlowStep("patients in the records", f"{flow['subjects']:,}"),
        FlowStep(points, f"{flow['decision_points']:,}"),
        *(
            FlowStep(f"left out: {loss['reason']}", f"{loss['decisions']:,}", True)
            for loss in flow["left_out"]
            if loss["decisions"]
        ),
    ]


def _why_fewer(cohort: Cohort, is_saved_policy: bool) -> str:
    """Why decisions of the cohort are not evaluated."""
    reasons = []
    if (unknown := int((cohort.treatment < 0).sum())) > 0:
        reasons.append(f"no option given ({unknown:,})")
    reasons.append("not in the test split" if is_saved_policy else "not in the random sample")
    return f"left out: {' or '.join(reasons)}"
