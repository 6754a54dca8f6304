"""Two numbers that are each usual and together are not: 200 cm with 30 kg.

A distance over all facts hides them: each further fact that is usual makes the whole patient usual.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64

from posology.advice.uncertainty.distance import MAX_DECISIONS, SHARES, rounded, share_below
from posology.advice.uncertainty.facts import LEAST_COUNT, count_patients, fact_codes, read_facts
from posology.domain.codes import vocabulary_rows
from posology.domain.cohort import Cohort
from posology.domain.history import History, StepIndex
from posology.domain.profile import Profile

MOST_NUMBERS = 8
"""Numbers of which pairs are looked at: those that most patients have. Our choice."""
LEAST_BOTH = 100
"""Training decisions with both numbers that a pair needs. Our choice."""
_SCALE_AT = 0.99
"""Share of a pair's own distances at its scale: pairs with longer tails get a longer scale."""
Score = Float64[np.ndarray, "decision pair"]


@dataclass(frozen=True, slots=True)
class NumberPair:
    """Two columns of NumberPairs.codes."""

    first: int
    second: int
    correlation: float
    scale: float
    """Squared distance that one of 100 training decisions exceeds."""


@dataclass(frozen=True, slots=True)
class NumberPairs:
    """How numbers of training patients go together, pair by pair."""

    codes: tuple[str, ...]
    is_log: tuple[bool, ...]
    """Whether all were above 0: they are compared in logarithms then."""
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    pairs: tuple[NumberPair, ...]
    quantiles: tuple[float, ...]
    """At SHARES, the training decisions' largest distance over all pairs, each in its scale: one
    threshold, however many pairs there are."""


@dataclass(frozen=True, slots=True)
class OddPair:
    """The pair of one patient that is most unusual."""

    share: float
    """Share of training patients whose own oddest pair is less unusual."""
    codes: tuple[str, str]


def fit_number_pairs(train: Cohort, rng: np.random.Generator) -> NumberPairs | None:
    """The pairs of a cohort's decisions; None if no two numbers are often known together."""
    rows = np.arange(len(train))
    if len(rows) > MAX_DECISIONS:
        rows = np.sort(rng.choice(rows, MAX_DECISIONS, replace=False))
    codes = fact_codes(train.profile)
    raw = read_facts(train.history, train.last_step[rows], codes).number
    known = (~np.isnan(raw)).sum(axis=0)
    known[count_patients(~np.isnan(raw), train.subject[rows]) < LEAST_COUNT] = 0
    most = [int(c) for c in np.argsort(-known, kind="stable") if known[c] >= LEAST_BOTH]
    chosen = [c for c in most if np.nanstd(raw[:, c]) > 0][:MOST_NUMBERS]
    raw = raw[:, chosen]
    is_log = tuple(bool(np.nanmin(column) > 0) for column in raw.T)
    rows_of = _in_logs(raw, is_log)
    mean, deviation = np.nanmean(rows_of, axis=0), np.nanstd(rows_of, axis=0)
    rows_of = (rows_of - mean) / deviation
    pairs = tuple(_pairs(rows_of))
    if not pairs:
        return None
    largest = np.nan_to_num(_scores(pairs, rows_of)).max(axis=1)
    return NumberPairs(
        codes=tuple(train.profile.codes[codes[c]] for c in chosen),
        is_log=is_log,
        mean=rounded(mean),
        deviation=rounded(deviation),
        pairs=pairs,
        quantiles=rounded(np.quantile(largest, SHARES)),
    )


def oddest_pair(
    found: NumberPairs, profile: Profile, history: History, decision: StepIndex
) -> OddPair | None:
    """The pair of one patient that is most unusual; None if no two of the numbers are known."""
    row_of = vocabulary_rows(profile.codes)
    rows = np.array([row_of[code] for code in found.codes], dtype=np.int64)
    codes = np.unique(rows)
    raw = read_facts(history, decision, codes).number[:, np.searchsorted(codes, rows)]
    values = _in_logs(raw, found.is_log)
    score = _scores(found.pairs, (values - np.array(found.mean)) / np.array(found.deviation))[0]
    if np.isnan(score).all():
        return None
    at = int(np.nanargmax(score))
    share = float(share_below(score[[at]], np.array(found.quantiles))[0])
    pair = found.pairs[at]
    return OddPair(share, (found.codes[pair.first], found.codes[pair.second]))


def _pairs(rows: np.ndarray) -> Iterator[NumberPair]:
    for first, second in combinations(range(rows.shape[1]), 2):
        both = rows[~np.isnan(rows[:, first] + rows[:, second])][:, (first, second)]
        if len(both) < LEAST_BOTH or (both.std(axis=0) == 0).any():
            continue
        correlation = float(np.clip(np.corrcoef(both.T)[0, 1], -0.99, 0.99))
        scale = float(np.quantile(_squared(both[:, 0], both[:, 1], correlation), _SCALE_AT))
        if scale > 0:
            yield NumberPair(first, second, float(f"{correlation:.6g}"), float(f"{scale:.6g}"))


def _scores(pairs: tuple[NumberPair, ...], rows: np.ndarray) -> Score:
    """Squared distance of each pair in its scale; NaN where one number is not known."""
    first, second = [p.first for p in pairs], [p.second for p in pairs]
    correlation, scale = (
        np.array([getattr(p, x) for p in pairs]) for x in ("correlation", "scale")
    )
    return _squared(rows[:, first], rows[:, second], correlation) / scale


def _squared(first: np.ndarray, second: np.ndarray, correlation: float | np.ndarray) -> np.ndarray:
    """Mahalanobis distance of two standardised numbers, squared."""
    return (first**2 + second**2 - 2 * correlation * first * second) / (1 - correlation**2)


def _in_logs(raw: np.ndarray, is_log: tuple[bool, ...]) -> np.ndarray:
    """A number at or below 0, of which all were above, is not compared."""
    rows = raw.astype(np.float64)
    for column, in_log in enumerate(is_log):
        if in_log:
            values = np.where(rows[:, column] > 0, rows[:, column], np.nan)
            rows[:, column] = np.log(values)
    return rows
