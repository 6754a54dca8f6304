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

    def __len__(self) -> int:
        return len(self.outcome)


def validate_trial(trial: Trial) -> Trial:
    """The same trial; UserError if an outcome is missing or an option has few patients."""
    unknown = np.flatnonzero(~np.isfinite(trial.outcome))
    if len(unknown):
        raise UserError(
            f"row {unknown[0]}: outcome is {trial.outcome[unknown[0]]}, as in {len(unknown)} of "
            f"{len(trial)} rows; leave out decisions without follow-up, or give `follow_up`"
        )
    counts = np.bincount(trial.treatment, minlength=trial.n_options)
    for option in np.flatnonzero(counts < 2 * FOLDS):
        raise UserError(
            f"option {option_name(trial, int(option))!r} was given {counts[option]} times; at "
            f"least {2 * FOLDS} are needed: leave the option out of the study"
        )
    return trial


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
