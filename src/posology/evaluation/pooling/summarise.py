"""Estimates that may leave a hospital: values, effects and their covariances, no patient.

An estimate is shared only where the counts behind it are published: the patients given the option,
those of them with the outcome and those without. A rule is shared only if it treats no patient, or
enough of them, differently from each other row, as a difference would be one patient's outcome.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Mask, Matrix
from posology.domain.statistics.study_summary import (
    MAIN,
    OBSERVED,
    OPTION,
    SharedEffect,
    SharedOutcome,
    SharedValue,
)
from posology.evaluation.effects.policy_values import one_hot_probabilities
from posology.evaluation.pooling.counts import (
    ALL,
    Counted,
    Published,
    people,
    with_event,
    without_event,
)
from posology.evaluation.table1.subgroups import MIN_SUBGROUP_SIZE, Subgroup

_DIGITS = 4
"""Significant digits of a standard error; its estimate has as many decimals."""
_Columns = Float64[np.ndarray, "decision column"]


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """A rule that is followed: a guideline, a policy, the rule learned here."""

    name: str
    kind: str
    title: str
    probability: Matrix
    reason: str = ""
    """Why its value is not stated."""
    standard_error: float = 0.0
    """Of its effect, where noise that folds share makes it larger than over patients."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimated:
    """An outcome with its models."""

    name: str
    role: str
    unit: str
    is_binary: bool
    nuisance: Nuisance


@dataclass(frozen=True, slots=True, eq=False)
class ShareSource:
    """What is summarised."""

    counted: Counted
    judged: tuple[int, ...]
    options: tuple[tuple[str, str], ...]
    """Name and title of each option."""
    reference: int | None
    """Index of the control; None: treatment as observed."""
    observed: str
    """Name of treatment as observed."""
    rules: Sequence[Followed]
    least: int
    """Smallest count that may be published."""


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    value: SharedValue
    column: Float64[np.ndarray, " decision"]
    probability: Matrix | None = None
    standard_error: float = 0.0


def summarise_outcome(
    source: ShareSource, outcome: Estimated, stratum: Subgroup, published: Published
) -> SharedOutcome:
    """One outcome of all analysed patients, or of one group."""
    members = source.counted.members(stratum)
    rows = _rows(source, outcome, stratum, published)
    if len(np.unique(outcome.nuisance.trial.subject[members])) < MIN_SUBGROUP_SIZE:
        rows = [_withhold(row, f"fewer than {MIN_SUBGROUP_SIZE} patients") for row in rows]
    shared = SharedOutcome(
        name=outcome.name,
        role=outcome.role,
        unit=outcome.unit,
        is_binary=outcome.is_binary,
        family=stratum.family,
        group=stratum.name,
        patients=published[people(stratum)],
        values=(),
        effects=(),
        covariance=(),
    )
    known = [row for row in rows if not row.value.reason]
    if known:
        columns = np.column_stack([row.column[members] for row in known])
        shared = _estimate(shared, known, columns, outcome.nuisance.trial.subject[members])
    stated = {row.value.name: row.value for row in rows} | {v.name: v for v in shared.values}
    shared = replace(shared, values=tuple(stated.values()))
    return _with_effects(shared, known, source, (outcome.nuisance, members))


def _rows(
    source: ShareSource, outcome: Estimated, stratum: Subgroup, published: Published
) -> list[_Row]:
    """Each judged option, treatment as observed and, of all patients, each rule."""
    nuisance, n = outcome.nuisance, len(outcome.nuisance.trial)
    scores, options = nuisance.scores, nuisance.trial.n_options
    rows = []
    for k in source.judged:
        everyone = one_hot_probabilities(np.full(n, k), options)
        value = _counted_value(*source.options[k], OPTION, (outcome.name, stratum, k), published)
        rows.append(_Row(value, scores[:, k], everyone))
    value = _counted_value(
        source.observed, source.observed, OBSERVED, (outcome.name, stratum, None), published
    )
    rows.append(_Row(value, nuisance.trial.outcome))
    if stratum is not ALL:
        return rows
    for rule in source.rules:
        value = SharedValue(rule.name, rule.kind, rule.title, None, None, None, None, rule.reason)
        followed = (rule.probability * scores).sum(axis=1)
        error = rule.standard_error if outcome.role == MAIN else 0.0
        row = _Row(value, followed, rule.probability, error)
        rows.append(_unless_too_alike(row, rows, source))
    return rows


def _counted_value(
    name: str,
    title: str,
    kind: str,
    cell: tuple[str, Subgroup, int | None],
    published: Published,
) -> SharedValue:
    """The row of an option, without its value yet; with the reason if its counts are suppressed."""
    outcome, stratum, option = cell
    patients, events = (
        published[people(stratum, option)],
        published[with_event(outcome, stratum, option)],
    )
    others = published[without_event(outcome, stratum, option)]
    is_known = None not in (patients, events, others)
    reason = "" if is_known else "too few patients with or without the outcome"
    return SharedValue(name, kind, title, patients, events, None, None, reason)


def _unless_too_alike(row: _Row, others: Sequence[_Row], source: ShareSource) -> _Row:
    """The row; withheld if it differs from another shared one for too few patients."""
    subject, population = source.counted.trial.subject, source.counted.population
    for other in others:
        if other.probability is None or row.probability is None or other.value.reason:
            continue
        differs = population & (np.abs(row.probability - other.probability).max(axis=1) > 0)
        if 0 < len(np.unique(subject[differs])) < source.least:
            return _withhold(row, f"too few patients are treated differently by {other.value.name}")
    return row


def _withhold(row: _Row, reason: str) -> _Row:
    value = replace(row.value, reason=row.value.reason or reason)
    return replace(row, value=value)


def _estimate(
    shared: SharedOutcome, rows: Sequence[_Row], columns: _Columns, subject: np.ndarray
) -> SharedOutcome:
    """With the mean of each column and its standard error."""
    error = np.sqrt(np.diag(clustered_covariance(columns, subject)))
    return replace(
        shared,
        values=tuple(
            replace(
                row.value,
                value=_rounded(float(mean), float(e)),
                standard_error=_rounded(float(e), float(e)),
            )
            for row, mean, e in zip(rows, columns.mean(axis=0), error, strict=True)
        ),
    )


def _with_effects(
    shared: SharedOutcome,
    rows: Sequence[_Row],
    source: ShareSource,
    data: tuple[Nuisance, Mask],
) -> SharedOutcome:
    """With the difference of each row to the reference; none if the reference is withheld."""
    nuisance, members = data
    name = source.observed if source.reference is None else source.options[source.reference][0]
    reference = next((row for row in rows if row.value.name == name), None)
    if reference is None:
        return shared
    others = [row for row in rows if row is not reference]
    if not others:
        return shared
    columns = np.column_stack([(row.column - reference.column)[members] for row in others])
    covariance = clustered_covariance(columns, nuisance.trial.subject[members])
    error = np.sqrt(np.diag(covariance))
    factor = np.array(
        [
            max(1.0, row.standard_error / e) if e > 0 else 1.0
            for row, e in zip(others, error, strict=True)
        ]
    )
    error, covariance = factor * error, covariance * np.outer(factor, factor)
    keep = np.flatnonzero(error > 0)  # a rule that always does as the reference has no error
    return replace(
        shared,
        effects=tuple(
            SharedEffect(
                others[at].value.name,
                others[at].value.kind,
                _rounded(float(columns[:, at].mean()), float(error[at])),
                _rounded(float(error[at]), float(error[at])),
            )
            for at in keep
        ),
        covariance=_rounded_matrix(covariance[np.ix_(keep, keep)]),
    )


def clustered_covariance(
    columns: _Columns, subject: np.ndarray
) -> Float64[np.ndarray, "column column"]:
    """Covariance of the columns' means; all decisions of a patient count as one (Liang, Zeger)."""
    patients, row = np.unique(subject, return_inverse=True)
    centred = columns - columns.mean(axis=0)
    sums = np.column_stack([np.bincount(row, column) for column in centred.T])
    return sums.T @ sums / len(columns) ** 2 * len(patients) / max(len(patients) - 1, 1)


def _rounded(number: float, error: float) -> float:
    """To the decimals that its standard error supports: exact fractions would reveal counts."""
    return number if not error > 0 else float(round(number, _decimals(error)))


def _decimals(error: float) -> int:
    return _DIGITS - 1 - int(np.floor(np.log10(error)))


def _rounded_matrix(covariance: np.ndarray) -> tuple[tuple[float, ...], ...]:
    error = np.sqrt(np.diag(covariance))
    rounded = covariance.copy()
    for i, j in itertools.product(range(len(error)), repeat=2):
        rounded[i, j] = _rounded(float(covariance[i, j]), float(error[i] * error[j]))
    return tuple(tuple(float(number) for number in row) for row in rounded)
