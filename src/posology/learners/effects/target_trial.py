"""A cohort as one target trial: what was known, what was given, and an outcome for everybody."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int64

from posology.causal.missing_outcomes import adjust_missing_outcomes
from posology.causal.restricted_mean import pseudo_values
from posology.causal.trial import Column, Trial
from posology.domain.codes import matching_rows
from posology.domain.cohort import Cohort
from posology.errors import UserError
from posology.learners.features.tabular import (
    COUNT,
    DAYS_SINCE,
    LAST_VALUE,
    PRESENT,
    FeatureSpec,
    build_feature_spec,
    extract_features,
)

_POINTS = "percentage points, of patients for whom the option is effective"
_AGE = ("MEDS_BIRTH",)
_SAID = {PRESENT: "", COUNT: ", how often", LAST_VALUE: ", last number", DAYS_SINCE: ", time since"}


@dataclass(frozen=True, slots=True, eq=False)
class StudyTrial:
    """A trial and how to read it."""

    trial: Trial
    row: Int64[np.ndarray, " decision"]
    """Row of each decision in the cohort."""
    covariates: tuple[str, ...]
    unit: str
    """Of the outcome, for the sentences."""
    is_binary: bool
    """Whether the outcome is a chance."""
    is_followed_up: Bool[np.ndarray, " decision"]
    """Whose outcome is known; the others' is made good (causal/missing_outcomes.py,
    censoring.py)."""


def build_study_trial(
    cohort: Cohort,
    max_decisions: int,
    rng: np.random.Generator,
    always_included: Bool[np.ndarray, " decision"] | None = None,
) -> StudyTrial:
    """The decisions of a cohort whose treatment is known, at most so many, drawn by subject; those
    that are `always` wanted come on top.

    Where the study asks for the time to an event the outcome is the mean time without it up to the
    end of the window, else the chance that the option is effective.
    """
    if cohort.study.outcome.kind == "dose_class":
        raise UserError(
            f"study {cohort.study.name}: its outcome is the dose that proved right, so no "
            "treatment ever failed; effects need an outcome that may be good or bad"
        )
    wanted = np.zeros(len(cohort), dtype=bool) if always_included is None else always_included
    given = cohort.treatment >= 0
    others = _drawn(np.flatnonzero(given & ~wanted), cohort.subject, max_decisions, rng)
    row = np.union1d(others, np.flatnonzero(given & wanted))
    spec = _columns(cohort)
    X = extract_features(spec, cohort.history, np.asarray(cohort.last_step[row])).astype(np.float64)
    varies = np.array([len(np.unique(x)) > 1 for x in X.T], dtype=bool)  # NaN counts as a value
    options = len(cohort.study.formulary.treatments)
    effective = cohort.effective[row].astype(np.float64)
    known = cohort.outcome_observed[row] & ~np.isnan(effective)
    if not known.any():
        raise UserError(
            f"study {cohort.study.name}: no decision has both a treatment and an outcome that was "
            "followed up; effects cannot be judged"
        )
    trial = Trial(
        X[:, varies],
        cohort.treatment[row].astype(np.int64),
        np.where(known, effective, 0.0),
        cohort.subject[row].astype(np.int64),
        options,
        tuple(t.title for t in cohort.study.formulary.treatments),
    )
    names = tuple(
        f"{cohort.profile.codes[code]}{_SAID[int(kind)]}"
        for code, kind in zip(spec.code[varies], spec.kind[varies], strict=True)
    )
    window = cohort.study.outcome.within_days
    if cohort.study.outcome.kind == "time_to_event":
        time, horizon = cohort.outcome[row].astype(np.float64), float(np.float32(window))
        outcome = pseudo_values(time, known & (effective == 0), horizon, trial.treatment)
        unit = f"days without the event, of {window:g}"
    else:
        outcome, unit = adjust_missing_outcomes(trial, known, rng), _POINTS
    binary = cohort.study.outcome.kind != "time_to_event"
    return StudyTrial(replace(trial, outcome=outcome), row, names, unit, binary, known)


def build_secondary_trials(
    cohort: Cohort, asked: StudyTrial, rng: np.random.Generator
) -> dict[str, Trial]:
    """Harms and costs, each a trial of its own with the same rows: diagnoses that came after the
    decision, and what the study says its harms cost."""
    columns: dict[str, Column] = {}
    if cohort.diagnosis is not None:
        for at, target in enumerate(cohort.study.diagnosis):
            columns[target.name] = cohort.diagnosis[asked.row, at].astype(np.float64)
    if cohort.study.reward.costs:
        worth = cohort.effective[asked.row].astype(np.float64) * cohort.study.reward.effective
        columns["cost of harms, in the reward's unit"] = worth - cohort.reward[asked.row]
    found = {}
    for name, column in columns.items():
        known = ~np.isnan(column)
        if known.mean() > 0.2 and len(np.unique(column[known])) > 1:
            trial = replace(asked.trial, outcome=np.where(known, column, 0.0))
            found[name] = replace(trial, outcome=adjust_missing_outcomes(trial, known, rng))
    return found


def _drawn(
    row: Int64[np.ndarray, " decision"],
    subject: np.ndarray,
    most: int,
    rng: np.random.Generator,
) -> Int64[np.ndarray, " drawn"]:
    """All rows, or those of as many subjects, drawn at random, as make up `most`."""
    if len(row) <= most:
        return row
    order = rng.permutation(int(subject.max()) + 1)
    sizes = np.bincount(subject[row], minlength=len(order))[order]
    kept = np.zeros(len(order), dtype=bool)
    kept[order[np.cumsum(sizes) <= most]] = True
    return row[kept[subject[row]]]


def _columns(cohort: Cohort) -> FeatureSpec:
    """What is there, how often, the last number, and the age: no slopes, no times since."""
    spec = build_feature_spec(cohort)
    birth = np.isin(spec.code, list(matching_rows(cohort.profile.codes, _AGE)))
    keep = np.isin(spec.kind, (PRESENT, COUNT, LAST_VALUE)) | ((spec.kind == DAYS_SINCE) & birth)
    return FeatureSpec(spec.code[keep], spec.kind[keep])
