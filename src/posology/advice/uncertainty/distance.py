"""How unlike the training patients a patient is: Mahalanobis distance with a shrunk covariance."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.advice.uncertainty.facts import (
    LEAST_COUNT,
    FactTable,
    count_patients,
    fact_codes,
    read_facts,
)
from posology.domain.codes import has_prefix, vocabulary_rows
from posology.domain.cohort import Cohort
from posology.domain.history import History, StepIndex, has_code
from posology.domain.profile import Profile

MAX_COLUMNS = 60
"""Facts that enter the distance: those that vary most between patients; our choice."""
MAX_DECISIONS = 20_000
NEARLY_ALL = 0.95
"""Share of training patients with a fact from which on one without it is unusual. Our choice."""
_RAREST = 0.02
"""Share of decisions with a fact, or without it, below which the fact has no column."""
SHARES = (*np.round(np.arange(0.0, 0.99, 0.01), 2).tolist(), 0.99, 0.995, 0.999)


@dataclass(frozen=True, slots=True)
class Distance:
    """Moments of the training patients' facts, and the distribution of their own distances."""

    codes: tuple[str, ...]
    is_number: tuple[bool, ...]
    """Whether the column is the code's last number; else whether the code is recorded."""
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    """Inverse of the shrunk correlation matrix of the standardised columns."""
    quantiles: tuple[float, ...]
    """Distances of the training decisions at SHARES."""

    def __hash__(self) -> int:
        """By the quantiles: hashing every number of the matrix takes longer than an answer may."""
        return hash(self.quantiles)


def fit_distance(train: Cohort, rng: np.random.Generator) -> Distance | None:
    """The distance from a cohort's decisions; None if no fact varies in enough patients."""
    rows = np.arange(len(train))
    if len(rows) > MAX_DECISIONS:
        rows = np.sort(rng.choice(rows, MAX_DECISIONS, replace=False))
    codes = fact_codes(train.profile)
    facts = read_facts(train.history, train.last_step[rows], codes)
    chosen = _varying(facts, train.subject[rows])
    if not chosen:
        return None
    raw = np.column_stack([_column(facts, column, is_number) for column, is_number in chosen])
    mean, deviation = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    rows_of = _standardised(raw, mean, deviation)
    precision = np.linalg.inv(_shrunk_correlation(rows_of))
    own = _squared(rows_of, precision)
    return Distance(
        codes=tuple(train.profile.codes[codes[column]] for column, _ in chosen),
        is_number=tuple(is_number for _, is_number in chosen),
        mean=rounded(mean),
        deviation=rounded(deviation),
        precision=tuple(rounded(row) for row in precision),
        quantiles=rounded(np.quantile(own, SHARES)),
    )


def share_less_unusual(
    distance: Distance,
    profile: Profile,
    history: History,
    decisions: StepIndex,
    usual: tuple[str, ...] = (),
) -> Float64[np.ndarray, " decision"]:
    """Share of training patients that are less unusual than each decision's patient.

    usual: prefixes of codes of which each patient is taken to have what is usual.
    """
    rows = _rows(distance, profile, history, decisions)
    if usual:
        rows[:, [any(has_prefix(code, p) for p in usual) for code in distance.codes]] = 0.0
    known = _arrays(distance)
    own = _squared(rows, known.precision)
    return share_below(own, known.quantiles)


def share_below(
    values: Float64[np.ndarray, " decision"], quantiles: Float64[np.ndarray, " quantile"]
) -> Float64[np.ndarray, " decision"]:
    """Share of training decisions below each value; as many digits as are kept are no difference.

    Where facts are few, many decisions are equal, and none of them is more unusual than the others.
    """
    return np.interp(values * (1 - 1e-5), quantiles, np.array(SHARES))


def unusual_codes(
    distance: Distance, profile: Profile, history: History, decision: StepIndex, most: int = 3
) -> tuple[str, ...]:
    """Codes of the facts that make one patient unusual, the largest part of the distance first."""
    row = _rows(distance, profile, history, decision)[0]
    part = row * (_arrays(distance).precision @ row)
    order = np.argsort(-part, kind="stable")[:most]
    return tuple(distance.codes[column] for column in order if part[column] > 1.0)


def lacking_families(
    distance: Distance, profile: Profile, history: History, decision: StepIndex
) -> tuple[str, ...]:
    """Prefixes of choices that nearly all training patients had, and one patient has none of."""
    return tuple(
        family
        for family in usual_families(distance)
        if not has_code(history, decision, profile.rows((family,)))[0]
    )


def usual_families(distance: Distance) -> tuple[str, ...]:
    """Prefixes of choices that nearly all training patients had."""
    shares: dict[str, float] = {}
    for code, is_number, mean in zip(
        distance.codes, distance.is_number, distance.mean, strict=True
    ):
        family = code.rpartition("//")[0]
        if family and not is_number:
            shares[family] = shares.get(family, 0.0) + mean
    return tuple(f for f, share in shares.items() if NEARLY_ALL <= share <= 1.0 + 1e-9)


def _rows(
    distance: Distance, profile: Profile, history: History, decisions: StepIndex
) -> Float64[np.ndarray, "decision column"]:
    codes, column = _columns(distance, profile)
    facts, known = read_facts(history, decisions, codes), _arrays(distance)
    raw = np.where(known.is_number, facts.number[:, column], facts.recorded[:, column])
    return _standardised(raw, known.mean, known.deviation)


@lru_cache(maxsize=8)
def _columns(
    distance: Distance, profile: Profile
) -> tuple[Int64[np.ndarray, " code"], Int64[np.ndarray, " column"]]:
    """Rows of the codes in the vocabulary, ascending, and which of them each column is of."""
    row_of = vocabulary_rows(profile.codes)
    codes, column = np.unique([row_of[code] for code in distance.codes], return_inverse=True)
    return codes.astype(np.int64), column


@dataclass(frozen=True, slots=True, eq=False)
class _Arrays:
    """The numbers of a Distance."""

    is_number: Bool[np.ndarray, " column"]
    mean: Float64[np.ndarray, " column"]
    deviation: Float64[np.ndarray, " column"]
    precision: Float64[np.ndarray, "column column"]
    quantiles: Float64[np.ndarray, " quantile"]


@lru_cache(maxsize=8)
def _arrays(distance: Distance) -> _Arrays:
    """Made once for all answers of a saved policy."""
    parts = (distance.mean, distance.deviation, distance.precision, distance.quantiles)
    numbers = (np.array(part, dtype=np.float64) for part in parts)
    return _Arrays(np.array(distance.is_number, dtype=bool), *numbers)


def _varying(facts: FactTable, subject: Int64[np.ndarray, " decision"]) -> list[tuple[int, bool]]:
    """Columns with numbers, then those recorded for some decisions only; most common first.

    A number of fewer than LEAST_COUNT patients has no column, nor a fact that so few have or lack:
    what is kept of a column would be their own values.
    """
    share = facts.recorded.mean(axis=0)
    both = (facts.recorded, ~facts.recorded)
    has, lacks = (count_patients(side, subject) >= LEAST_COUNT for side in both)
    missing = np.isnan(facts.number)
    known = (~missing).mean(axis=0)
    least = np.where(missing, np.inf, facts.number).min(axis=0)
    varies = np.where(missing, -np.inf, facts.number).max(axis=0) > least
    varies &= count_patients(~missing, subject) >= LEAST_COUNT
    numbers = [(c, True) for c in np.flatnonzero((known >= _RAREST) & varies)]
    numbers.sort(key=lambda pair: -known[pair[0]])
    differs = (share >= _RAREST) & (share <= 1 - _RAREST) & has & lacks
    flags = [(c, False) for c in np.flatnonzero(differs)]
    flags.sort(key=lambda pair: abs(share[pair[0]] - 0.5))
    chosen = [(int(c), is_number) for c, is_number in numbers[: MAX_COLUMNS // 2]]
    return chosen + [(int(c), flag) for c, flag in flags[: MAX_COLUMNS - len(chosen)]]


def _column(facts: FactTable, column: int, is_number: bool) -> Float64[np.ndarray, " decision"]:
    return facts.number[:, column] if is_number else facts.recorded[:, column].astype(np.float64)


def _standardised(raw: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """0 where a number is missing: it makes nobody unusual."""
    return np.nan_to_num((raw - mean) / np.where(deviation > 0, deviation, 1.0))


def _shrunk_correlation(rows: np.ndarray) -> np.ndarray:
    """Shrunk to the identity (Ledoit and Wolf 2004, doi:10.1016/S0047-259X(03)00096-4)."""
    n, p = rows.shape
    sample = rows.T @ rows / n
    scale = np.trace(sample) / p
    distance = ((sample - scale * np.eye(p)) ** 2).sum()
    noise = ((rows**2).T @ (rows**2) / n - sample**2).sum() / n
    shrink = 1.0 if distance == 0 else float(np.clip(noise / distance, 0.01, 1.0))
    return (1 - shrink) * sample + shrink * scale * np.eye(p)


def _squared(rows: np.ndarray, precision: np.ndarray) -> Float64[np.ndarray, " decision"]:
    return np.einsum("ij,jk,ik->i", rows, precision, rows)


def rounded(values: np.ndarray) -> tuple[float, ...]:
    """Six digits: enough for a distance, and half the size in JSON."""
    return tuple(float(f"{value:.6g}") for value in values)
