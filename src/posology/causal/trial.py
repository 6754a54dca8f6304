"""A target trial as arrays: covariates, treatment and outcome of each decision."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.errors import UserError

Matrix = Float64[np.ndarray, "decision treatment"]
Column = Float64[np.ndarray, " decision"]
Fold = Int64[np.ndarray, " decision"]
Mask = Bool[np.ndarray, " decision"]


@dataclass(frozen=True, slots=True, eq=False)
class FollowUp:
    """How long each decision was followed, and whether its outcome became known."""

    days: Column
    """Days from time zero until the outcome was resolved; until the end of follow-up where it was
    not. It is resolved by the first of the outcome, of an event that settles it (the option was
    stopped, death) and of the window's end."""
    is_resolved: Mask
    """False where follow-up ended before (censoring)."""
    is_known: Mask
    """Whether the outcome is known; of the resolved ones, False where no number was measured."""
    needs_measurement: Mask
    """Decisions whose outcome is a number, unlike those that were stopped before."""
    measured_from: float = np.inf
    """Day from which numbers count; infinity where the outcome is no number."""


@dataclass(frozen=True, slots=True, eq=False)
class Completed:
    """Outcomes corrected for what is unknown, by models fitted without each fold
    (missing_outcomes.py)."""

    outcome: Float64[np.ndarray, "fold decision"]
    """A number whose mean is that of the full outcome."""
    expected: Float64[np.ndarray, "fold decision treatment"]
    """Expected outcome under each option, by boosted trees of the known ones, weighted."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One row per decision; only `outcome` is observed after the decision."""

    covariates: Float64[np.ndarray, "decision feature"]
    """NaN where a value is unknown."""
    treatment: Int64[np.ndarray, " decision"]
    """Index of the option given, 0 to n_options - 1."""
    outcome: Column
    """Higher is better: a number, 0 or 1, or days without an event, at most the window. Not read
    where `follow_up` says that it is unknown."""
    subject: Int64[np.ndarray, " decision"]
    n_options: int
    option_names: tuple[str, ...] = ()
    """Names of the options in sentences; if empty, their indices."""
    follow_up: FollowUp | None = None
    """None where every outcome is known; otherwise unknown ones are corrected for where the trial
    is analysed (missing_outcomes.py)."""
    calendar: Float64[np.ndarray, "decision column"] | None = None
    """When the decision was made (calendar.py); None where nobody knows, or it does not vary. It
    moves what is given and how outcomes turn out, and is adjusted for; no effect depends on it."""
    has_closed_windows: bool = True
    """Whether the outcome's window of every decision was over when the records ended. Else the date
    tells of whom only early events could become known, and models of outcomes must not see it."""

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def confounders(self) -> Float64[np.ndarray, "decision confounder"]:
        """What propensities depend on: the covariates, then the calendar."""
        return _beside(self.covariates, self.calendar)

    @property
    def outcome_calendar(self) -> Float64[np.ndarray, "decision column"] | None:
        """The calendar, where models of outcomes may see it."""
        return self.calendar if self.has_closed_windows else None

    @property
    def outcome_confounders(self) -> Float64[np.ndarray, "decision confounder"]:
        """What outcomes depend on."""
        return _beside(self.covariates, self.outcome_calendar)


def _beside(
    covariates: Float64[np.ndarray, "decision feature"],
    calendar: Float64[np.ndarray, "decision column"] | None,
) -> Float64[np.ndarray, "decision confounder"]:
    return covariates if calendar is None else np.hstack([covariates, calendar])


MIN_GIVEN = 10
"""Decisions, two in each fold, with which an option can be learned about; our choice."""


def validate_trial(trial: Trial) -> Trial:
    """The same trial; UserError if an outcome is missing or no two options have enough patients.

    An option given more rarely than the others is not an error: it is not judged.
    """
    unknown = np.flatnonzero(~np.isfinite(trial.outcome))
    if len(unknown):
        raise UserError(
            f"row {unknown[0]}: outcome is {trial.outcome[unknown[0]]}, as in {len(unknown)} of "
            f"{len(trial)} rows; leave out decisions without follow-up, or give `follow_up`"
        )
    rare = rare_options(trial)
    if trial.n_options - len(rare) < 2:
        raise UserError(
            f"fewer than two options were given at least {MIN_GIVEN} times, so that there is "
            f"nothing to compare: {_how_often(trial, rare)}"
        )
    return trial


def rare_options(trial: Trial) -> list[int]:
    """Options given less than MIN_GIVEN times."""
    counts = np.bincount(trial.treatment, minlength=trial.n_options)
    return np.flatnonzero(counts < MIN_GIVEN).tolist()


def _how_often(trial: Trial, options: list[int]) -> str:
    counts = np.bincount(trial.treatment, minlength=trial.n_options)
    each = (f"option {option_name(trial, k)!r} was given {counts[k]} times" for k in options)
    return ", ".join(each)


def option_name(trial: Trial, option: int) -> str:
    """Name of an option."""
    return trial.option_names[option] if trial.option_names else str(option)


def select_rows(trial: Trial, rows: Mask) -> Trial:
    """The trial with some of its rows."""
    return Trial(
        trial.covariates[rows],
        trial.treatment[rows],
        trial.outcome[rows],
        trial.subject[rows],
        trial.n_options,
        trial.option_names,
        None if trial.follow_up is None else _select_follow_up(trial.follow_up, rows),
        None if trial.calendar is None else trial.calendar[rows],
        trial.has_closed_windows,
    )


def _select_follow_up(follow_up: FollowUp, rows: Mask) -> FollowUp:
    return FollowUp(
        follow_up.days[rows],
        follow_up.is_resolved[rows],
        follow_up.is_known[rows],
        follow_up.needs_measurement[rows],
        follow_up.measured_from,
    )


FOLDS = 5
"""Number of cross-fitting folds; the usual choice (Chernozhukov 2018, doi:10.1111/ectj.12097)."""


def assign_folds(trial: Trial, rng: np.random.Generator) -> Fold:
    """Fold of each decision; a subject is in one fold, and options are balanced over the folds."""
    subjects, first, row = np.unique(trial.subject, return_index=True, return_inverse=True)
    order = np.lexsort((rng.random(len(subjects)), trial.treatment[first]))
    fold = np.empty(len(subjects), np.int64)
    fold[order] = np.arange(len(subjects)) % FOLDS
    return fold[row]
