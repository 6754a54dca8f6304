"""A cohort as a target trial: covariates, treatment, and an outcome for every patient."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int32, Int64

from posology.causal.calendar import calendar_columns
from posology.causal.restricted_mean import restricted_times
from posology.causal.trial import Mask, Trial
from posology.domain.codes import matching_rows
from posology.domain.cohort import Cohort, windows_closed
from posology.domain.profile import Profile
from posology.errors import UserError
from posology.learners.effects.follow_up import outcome_follow_up
from posology.learners.features.tabular import (
    COUNT,
    DAYS_SINCE,
    LAST_VALUE,
    PRESENT,
    FeatureSpec,
    build_feature_spec,
    extract_features,
)

_POINTS = "percentage points of patients who reach the goal"
_AGE = ("MEDS_BIRTH",)
_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, slots=True, eq=False)
class StudyTrial:
    """A trial with the names and units of its columns."""

    trial: Trial
    row: Int64[np.ndarray, " decision"]
    """Row of each decision in the cohort."""
    covariates: tuple[str, ...]
    unit: str
    """Unit of the outcome, for texts."""
    is_binary: bool
    """Whether the outcome is a probability."""
    is_followed_up: Bool[np.ndarray, " decision"]
    """Whether the outcome is known; others are corrected for where the trial is analysed
    (causal/missing_outcomes.py)."""
    kinds: Int8[np.ndarray, " feature"]
    """Kind of each covariate, a row of FEATURE_KINDS (learners/features/tabular.py)."""
    codes: Int32[np.ndarray, " feature"]
    """Code of each covariate, a row of the profile's vocabulary."""

    @property
    def adjusted_for(self) -> tuple[str, ...]:
        """Names of the covariates, and of the calendar where it varies."""
        dated = () if self.trial.calendar is None else ("date of the decision (trend and season)",)
        return (*self.covariates, *dated)

    @property
    def readable_covariates(self) -> Float64[np.ndarray, "decision feature"]:
        """The covariates in the units of their names: ages in years, counts as counts."""
        X = self.trial.covariates.copy()
        is_log = np.isin(self.kinds, (COUNT, DAYS_SINCE))
        X[:, is_log] = np.expm1(X[:, is_log])
        X[:, self.kinds == DAYS_SINCE] /= _DAYS_PER_YEAR
        return X


def build_study_trial(
    cohort: Cohort,
    max_decisions: int,
    rng: np.random.Generator,
    always_included: Bool[np.ndarray, " decision"] | None = None,
) -> StudyTrial:
    """The decisions with a known treatment as a trial.

    Above `max_decisions`, subjects are sampled at random; `always_included` decisions are added to
    them. With a time-to-event outcome, the outcome is the restricted mean time without the event in
    the window; otherwise it is the probability that the option is effective.
    """
    if cohort.study.outcome.kind == "dose_class":
        raise UserError(
            f"study {cohort.study.name}: its outcome is the stable dose, so no "
            "treatment ever failed; effects need an outcome that can be good or bad"
        )
    always = np.zeros(len(cohort), dtype=bool) if always_included is None else always_included
    given = cohort.treatment >= 0
    others = _sample_subjects(np.flatnonzero(given & ~always), cohort.subject, max_decisions, rng)
    row = np.union1d(others, np.flatnonzero(given & always))
    spec = _columns(cohort)
    X = extract_features(spec, cohort.history, np.asarray(cohort.last_step[row])).astype(np.float64)
    varies = np.array([len(np.unique(x)) > 1 for x in X.T], dtype=bool)  # NaN counts as a value
    options = len(cohort.study.formulary.treatments)
    effective = cohort.effective[row].astype(np.float64)
    known = cohort.outcome_observed[row] & ~np.isnan(effective)
    if not known.any():
        raise UserError(
            f"study {cohort.study.name}: no decision has both a treatment and an outcome that was "
            "followed up; effects cannot be estimated"
        )
    trial = Trial(
        X[:, varies],
        cohort.treatment[row].astype(np.int64),
        np.where(known, effective, 0.0),
        cohort.subject[row].astype(np.int64),
        options,
        tuple(t.title for t in cohort.study.formulary.treatments),
        calendar=calendar_columns(None if cohort.time is None else cohort.time[row]),
        has_closed_windows=bool(windows_closed(cohort)[row].all()),
    )
    kinds = spec.kind[varies]
    names = _covariate_names(cohort.profile, spec.code[varies], kinds)
    trial, unit = _with_follow_up(trial, cohort, row, known)
    binary = cohort.study.outcome.kind != "time_to_event"
    return StudyTrial(trial, row, names, unit, binary, known, kinds, spec.code[varies])


def _with_follow_up(
    trial: Trial, cohort: Cohort, row: Int64[np.ndarray, " decision"], known: Mask
) -> tuple[Trial, str]:
    """The trial with its follow-up, and the outcome's unit."""
    window = cohort.study.outcome.within_days
    if cohort.study.outcome.kind != "time_to_event":
        return replace(trial, follow_up=outcome_follow_up(cohort, row)), _POINTS
    days, horizon = cohort.outcome[row].astype(np.float64), float(np.float32(window))
    days, follow_up = restricted_times(days, known, horizon, trial.treatment)
    return (
        replace(trial, outcome=days, follow_up=follow_up),
        f"days without the event, of {window:,g}",
    )


def _covariate_names(
    profile: Profile, codes: Int32[np.ndarray, " feature"], kinds: Int8[np.ndarray, " feature"]
) -> tuple[str, ...]:
    """Each covariate in words: `HbA1c`, `HbA1c, times recorded`, `age, years`."""
    has_value = set(codes[kinds == LAST_VALUE].tolist())

    def name(code: int, kind: int) -> str:
        text = profile.name(code)
        if kind == DAYS_SINCE:  # of births alone
            return "age, years"
        if kind == COUNT:
            return f"{text}, times recorded"
        return f"{text}: ever recorded" if kind == PRESENT and code in has_value else text

    return tuple(name(int(code), int(kind)) for code, kind in zip(codes, kinds, strict=True))


def _sample_subjects(
    row: Int64[np.ndarray, " decision"],
    subject: np.ndarray,
    max_decisions: int,
    rng: np.random.Generator,
) -> Int64[np.ndarray, " drawn"]:
    """All rows, or those of randomly sampled subjects, up to `max_decisions` rows."""
    if len(row) <= max_decisions:
        return row
    order = rng.permutation(int(subject.max()) + 1)
    sizes = np.bincount(subject[row], minlength=len(order))[order]
    kept = np.zeros(len(order), dtype=bool)
    kept[order[np.cumsum(sizes) <= max_decisions]] = True
    return row[kept[subject[row]]]


def _columns(cohort: Cohort) -> FeatureSpec:
    """Presence, count, last value and age; no slopes, no times since other codes."""
    spec = build_feature_spec(cohort)
    birth = np.isin(spec.code, list(matching_rows(cohort.profile.codes, _AGE)))
    keep = np.isin(spec.kind, (PRESENT, COUNT, LAST_VALUE)) | ((spec.kind == DAYS_SINCE) & birth)
    return FeatureSpec(spec.code[keep], spec.kind[keep])
