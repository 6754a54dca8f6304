"""The scores that monitors watch, computed from observations."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from posology.lifecycle.monitoring.observations import UNKNOWN, Observations, first_of_month

RECORDED, LEVEL, SPREAD = "recorded", "level", "spread"
"""Of a fact: whether it is recorded; its rank in the reference; how far that is from the middle."""
FIRST, GIVEN, AGREEMENT = "first", "given", "agreement"
"""Whether the model puts an option first; whether it was given; whether both are the same."""
EFFECTIVE = "effective"
"""Whether the option given was effective; of one option, or of any ("")."""
RESIDUAL, CONFIDENCE = "residual", "confidence"
"""Outcome minus predicted probability, and the same times 2 p - 1: negative where predictions are
further from 50 % than outcomes. Both moved from [-1, 1] to [0, 1]."""
EFFECTIVE_IF_FOLLOWED = "effective if followed"
"""Whether the option given was effective, of those whose option the model puts first."""
OF_OUTCOMES = frozenset({EFFECTIVE, RESIDUAL, CONFIDENCE, EFFECTIVE_IF_FOLLOWED})
"""Scores that are known when the outcome is, and count in that month."""
RESIDUAL_BINS = 40


@dataclass(frozen=True, slots=True)
class Score:
    """How a decision is scored."""

    what: str
    """One of the names above."""
    about: str = ""
    """Code of the fact, or name of the option; "" of neither."""
    cuts: tuple[float, ...] = ()
    """Of LEVEL and SPREAD: numbers between the bins of the reference, ascending."""
    values: tuple[float, ...] = (0.0, 1.0)
    """The values that the score can take, from 0 to 1."""


def score_rows(score: Score, of: Observations) -> Int64[np.ndarray, " decision"]:
    """Row in `score.values` of each decision; UNKNOWN where the score is not known."""
    if score.what in (RECORDED, LEVEL, SPREAD):
        return _score_fact(score, of)
    if score.what in (FIRST, GIVEN, AGREEMENT):
        return _score_behaviour(score, of)
    known = ~np.isnan(of.effective)
    if score.what in (RESIDUAL, CONFIDENCE):
        known &= ~np.isnan(of.predicted)
        residual = of.effective - of.predicted
        value = residual if score.what == RESIDUAL else residual * (2 * of.predicted - 1)
        unit = np.where(known, (value + 1) / 2, 0.0)
        rows = np.minimum((unit * RESIDUAL_BINS).astype(np.int64), RESIDUAL_BINS - 1)
        return np.where(known, rows, UNKNOWN)
    if score.what == EFFECTIVE_IF_FOLLOWED:
        known &= (of.first >= 0) & (of.first == of.given)
    elif score.about:
        known &= of.given == of.options.index(score.about)
    return np.where(known, np.where(known, of.effective, 0).astype(np.int64), UNKNOWN)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """The decisions that count: those with a known score, the first of each patient and month."""

    row: Int64[np.ndarray, " decision"]
    """Row of the observations."""
    value: Int64[np.ndarray, " decision"]
    """Row in `score.values`."""
    month: Int64[np.ndarray, " decision"]


def find_scored(score: Score, of: Observations) -> Scored:
    """The decisions that count for a score."""
    rows = score_rows(score, of)
    month = of.followed if score.what in OF_OUTCOMES else of.decided
    keep = np.flatnonzero((rows >= 0) & (month >= 0))
    keep = keep[first_of_month(of.patient[keep], month[keep])]
    return Scored(keep, rows[keep], month[keep])


def count_scores(
    score: Score, of: Observations, first: int, months: int
) -> Int64[np.ndarray, "month score"]:
    """Decisions of each of so many months from the first, with each value of the score."""
    scored, size = find_scored(score, of), len(score.values)
    month = scored.month - first
    inside = (month >= 0) & (month < months)
    flat = month[inside] * size + scored.value[inside]
    return np.bincount(flat, minlength=months * size).reshape(months, size)


def _score_fact(score: Score, of: Observations) -> Int64[np.ndarray, " decision"]:
    column = of.facts.index(score.about)
    if score.what == RECORDED:
        return of.recorded[:, column].astype(np.int64)
    number = of.number[:, column]
    return np.where(np.isnan(number), UNKNOWN, np.searchsorted(score.cuts, number, side="right"))


def _score_behaviour(score: Score, of: Observations) -> Int64[np.ndarray, " decision"]:
    if score.what == AGREEMENT:
        known, is_true = (of.given >= 0) & (of.first >= 0), of.given == of.first
    else:
        option = of.first if score.what == FIRST else of.given
        known, is_true = option >= 0, option == of.options.index(score.about)
    return _shares(known, is_true)


def _shares(
    known: Bool[np.ndarray, " decision"], is_true: Bool[np.ndarray, " decision"]
) -> Int64[np.ndarray, " decision"]:
    return np.where(known, is_true.astype(np.int64), UNKNOWN)
