"""Patients at one decision as arrays: what was known, what was done, what came of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.errors import UserError

Matrix = Float64[np.ndarray, "decision treatment"]
Column = Float64[np.ndarray, " decision"]
Fold = Int64[np.ndarray, " decision"]
Mask = Bool[np.ndarray, " decision"]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A target trial's rows; nothing here came after the decision but `outcome`."""

    covariates: Float64[np.ndarray, "decision feature"]
    """NaN where a number is not known."""
    treatment: Int64[np.ndarray, " decision"]
    """0 to options - 1."""
    outcome: Column
    """Higher is better: a number, 0 or 1, or a pseudo-value of the restricted mean (censoring.py).
    """
    subject: Int64[np.ndarray, " decision"]
    n_options: int
    option_names: tuple[str, ...] = ()
    """Of the options, for the sentences; numbers where empty."""

    def __len__(self) -> int:
        return len(self.outcome)


def validate_trial(trial: Trial) -> Trial:
    """The same trial; UserError where it cannot be learned from."""
    bad = np.flatnonzero(~np.isfinite(trial.outcome))
    if len(bad):
        raise UserError(
            f"row {bad[0]}: outcome is {trial.outcome[bad[0]]}, as in {len(bad)} of {len(trial)} "
            "rows; leave out what was not followed up, or turn it into pseudo-values"
        )
    counts = np.bincount(trial.treatment, minlength=trial.n_options)
    for option in np.flatnonzero(counts < 2 * FOLDS):
        raise UserError(
            f"option {option_name(trial, int(option))!r} was given {counts[option]} times; at "
            f"least {2 * FOLDS} are needed to learn from: leave the option out of the study"
        )
    return trial


def option_name(trial: Trial, option: int) -> str:
    """What an option is called."""
    return trial.option_names[option] if trial.option_names else str(option)


def select_rows(trial: Trial, rows: Mask) -> Trial:
    """The rows kept."""
    return Trial(
        trial.covariates[rows], trial.treatment[rows], trial.outcome[rows], trial.subject[rows],
        trial.n_options, trial.option_names,
    )  # fmt: skip


FOLDS = 5
"""Folds of every cross-fitting; the usual choice (Chernozhukov 2018, doi:10.1111/ectj.12097)."""


def assign_folds(trial: Trial, rng: np.random.Generator) -> Fold:
    """A fold for each decision, by subject, each option spread evenly over the folds."""
    subjects, first, row = np.unique(trial.subject, return_index=True, return_inverse=True)
    order = np.lexsort((rng.random(len(subjects)), trial.treatment[first]))
    fold = np.empty(len(subjects), np.int64)
    fold[order] = np.arange(len(subjects)) % FOLDS
    return fold[row]
