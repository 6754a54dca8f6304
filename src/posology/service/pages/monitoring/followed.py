"""The section on outcomes: predicted against observed, and how far doses were off."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from posology.advice.amounts import span
from posology.domain.recommendation.evidence import DoseEvidence, ProbabilityBin
from posology.domain.recommendation.option import Estimate
from posology.evaluation.intervals import clustered_wilson_interval
from posology.language.catalogue import tr
from posology.language.numbers import number
from posology.report.patient.sections import MIN_CELL
from posology.report.patient.words import count_words, value_words
from posology.service.followed_outcomes import DoseError, Followed, Prediction
from posology.service.pages.model.calibration import Calibration, calibration
from posology.service.pages.monitoring.checks import few

BIN_PATIENTS, MOST_BINS = 20, 5
_Z_95 = 1.96


@dataclass(frozen=True, slots=True)
class FollowedPart:
    """The variables of the section."""

    verdict: str
    calibration: Calibration | None
    doses: tuple[tuple[str, str, str], ...]
    """What is measured, its value since it is in use, and its value when it was fitted."""
    note: str


def followed_part(followed: Followed, evidence: DoseEvidence | None) -> FollowedPart:
    """The section; with fewer than five patients only how many are still needed."""
    patients = len({p.patient for p in (*followed.predictions, *followed.doses)})
    unlinked = ""
    if followed.unlinked:
        unlinked = tr("Of {count} more patients the answer did not predict the outcome.")
        unlinked = unlinked.format(count=few(followed.unlinked))
    if patients < MIN_CELL:
        verdict = tr("Outcomes of under 5 patients are known: nothing is shown yet.")
        return FollowedPart(verdict, None, (), unlinked)
    bins = probability_bins(followed.predictions)
    note = tr(
        "{count} patients with a known outcome, the newest answer before it. Across: predicted, "
        "of 100; up: observed, with 95 % intervals. Bins of fewer than 5 patients are not shown."
    ).format(count=few(patients))
    return FollowedPart(
        _verdict(bins),
        calibration(bins, ""),
        _doses(followed, evidence),
        f"{note} {unlinked}".strip(),
    )


def probability_bins(predictions: Sequence[Prediction]) -> tuple[ProbabilityBin, ...]:
    """Observed against predicted in bins of about as many patients each."""
    if not predictions:
        return ()
    probability = np.array([p.probability for p in predictions])
    came_true = np.array([p.came_true for p in predictions])
    _, owner = np.unique([p.patient for p in predictions], return_inverse=True)
    count = int(np.clip(len(predictions) // BIN_PATIENTS, 1, MOST_BINS))
    edges = np.quantile(probability, np.arange(1, count) / count)
    row = np.searchsorted(edges, probability, side="right")
    bins = []
    for at in (row == place for place in range(count)):
        patients = len(np.unique(owner[at]))
        if patients < MIN_CELL:
            continue
        low, high = clustered_wilson_interval(came_true[at], owner[at])
        share = Estimate(100 * float(came_true[at].mean()), 100 * low, 100 * high)
        bins.append(ProbabilityBin(float(probability[at].mean()), share, patients))
    return tuple(bins)


def _verdict(bins: Sequence[ProbabilityBin]) -> str:
    if not bins:
        return tr("No probability was followed by an outcome yet.")
    off = [b for b in bins if not b.observed.low <= 100 * b.predicted <= b.observed.high]
    if not off:
        return tr("What was predicted agrees with what happened, within the intervals.")
    first = off[0]
    return tr(
        "In {count} of {all} bins what happened differs from what was predicted; first: predicted "
        "{predicted} of 100, observed {observed}."
    ).format(
        count=len(off),
        all=len(bins),
        predicted=count_words(100 * first.predicted),
        observed=count_words(first.observed.value),
    )


def _doses(followed: Followed, evidence: DoseEvidence | None) -> tuple[tuple[str, str, str], ...]:
    found = followed.doses
    if len(found) < MIN_CELL:
        return ()
    error = np.array([d.advised - d.right for d in found])
    then, unit = "", "" if evidence is None else evidence.unit
    if evidence is not None and evidence.error is not None:
        e = evidence.error
        then = _with_interval(e.value, e.low, e.high)
    leaning = tr("Too high (+) or too low (\u2212) on average")
    if unit:
        leaning = tr("Too high (+) or too low (\u2212) on average, {unit}").format(unit=unit)
    off = tr("Off on average, {unit}").format(unit=unit or tr("in the unit of the dose"))
    return (
        (tr("Patients with a right dose"), number(f"{len(found):,}"), ""),
        (off, _mean_words(np.abs(error)), then),
        (leaning, _mean_words(error), ""),
        *_planned(found),
    )


def _planned(found: Sequence[DoseError]) -> list[tuple[str, str, str]]:
    known = [d.planned for d in found if d.planned is not None]
    if len(known) < MIN_CELL:
        return []
    inside = count_words(100 * sum(known) / len(known))
    return [(tr("Right dose in the interval to plan for, of 100"), inside, "")]


def _mean_words(values: np.ndarray) -> str:
    """The mean with its 95 % interval (normal; from 5 patients on)."""
    mean = float(values.mean())
    half = _Z_95 * float(values.std(ddof=1)) / np.sqrt(len(values))
    return _with_interval(mean, mean - half, mean + half)


def _with_interval(value: float, low: float, high: float) -> str:
    """`8.0 (6.1 to 9.9)`."""
    words = [value_words(float(x), "x") for x in (value, low, high)]
    return f"{words[0]} ({span(*words[1:])})"
