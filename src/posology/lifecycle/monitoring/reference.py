"""Monitors and their reference, measured when a model is fitted.

What does not depend on the policy is compared with the training patients; what does, with the
validation patients, whom it was not fitted on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.lifecycle.monitoring.monitor import (
    BEHAVIOUR,
    CALIBRATION,
    INPUTS,
    MISSINGNESS,
    OUTCOME_TOLERANCE,
    OUTCOMES,
    RANK_VARIANCE,
    RESIDUAL_VARIANCE,
    VALUE,
    Monitor,
)
from posology.lifecycle.monitoring.observations import Observations
from posology.lifecycle.monitoring.scores import (
    AGREEMENT,
    CONFIDENCE,
    EFFECTIVE,
    EFFECTIVE_IF_FOLLOWED,
    FIRST,
    GIVEN,
    LEVEL,
    RECORDED,
    RESIDUAL,
    RESIDUAL_BINS,
    SPREAD,
    Score,
    find_scored,
)

EVIDENCE = "monitoring"
"""Key of a saved policy's evidence that holds a Reference."""
BINS = 20
"""Bins of a number, each with as many reference patients."""
MIN_PATIENTS = 50
"""Reference patients that a score needs: of fewer, its limits would allow nearly everything."""
MIN_RECORDED = 20
"""Reference patients with a fact, for its share to be watched."""
MOST_FACTS = 150
"""Facts that are watched, those that most patients have; our choice, for time and memory."""
SPREAD_VALUES = 5
"""Different numbers from which a fact's spread is watched beside its level."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a model's months are compared with."""

    monitors: tuple[Monitor, ...]
    options: tuple[str, ...]


def measure_reference(
    train: Observations, validation: Observations, titles: Mapping[str, str]
) -> Reference:
    """The monitors of a model.

    Args:
        titles: of each fact's code and each option, its name in words.
    """
    monitors = [
        *_fact_monitors(train, titles),
        *_care_monitors(train, titles),
        *_policy_monitors(validation, titles),
    ]
    return Reference(tuple(monitors), train.options)


def settle(reference: Reference, months: Observations) -> Reference:
    """The same, with what depends on the policy's use compared with these first months instead.

    A model in use changes what clinicians choose, and so who has which outcome: usual care before
    it is no reference for that.
    """
    use = {m.score: m for m in (*_care_monitors(months, {}), *_policy_monitors(months, {}))}
    settled = []
    for monitor in reference.monitors:
        if monitor.kind in (INPUTS, MISSINGNESS):
            settled.append(monitor)
        elif monitor.score in use:
            own = use[monitor.score]
            settled.append(replace(monitor, counts=own.counts, patients=own.patients))
    return replace(reference, monitors=tuple(settled))


def _fact_monitors(of: Observations, titles: Mapping[str, str]) -> Iterator[Monitor]:
    patients = len(np.unique(of.patient))
    if patients < MIN_PATIENTS:
        return
    share = of.recorded.mean(axis=0)
    for column in np.sort(np.argsort(-share, kind="stable")[:MOST_FACTS]):
        code = of.facts[column]
        rows = of.recorded[:, column]
        if len(np.unique(of.patient[rows])) < MIN_RECORDED:
            continue
        name, numbers = titles.get(code, code), of.number[rows, column]
        numbers = numbers[~np.isnan(numbers)]
        is_number = 2 * len(numbers) > np.count_nonzero(rows)
        kind, word = (MISSINGNESS, ": recorded") if is_number else (INPUTS, "")
        yield _monitor(f"{name}{word}", kind, Score(RECORDED, code), of)
        if is_number and len(numbers) >= MIN_PATIENTS:
            for score in _number_scores(code, numbers):
                kept = _monitor(f"{name}: {score.what}", INPUTS, score, of)
                if kept.patients >= MIN_PATIENTS:
                    yield replace(kept, variance=RANK_VARIANCE)


def _number_scores(code: str, numbers: Float64[np.ndarray, " number"]) -> Iterator[Score]:
    """Level and spread of a number: ranks in bins with about as many patients each."""
    distinct = np.unique(numbers)
    if len(distinct) < 2:
        return
    cuts = np.unique(np.quantile(numbers, np.arange(1, BINS) / BINS, method="lower"))
    if len(distinct) <= BINS:
        cuts = distinct[1:]  # each number is its own bin
    counts = np.bincount(np.searchsorted(cuts, numbers, side="right"), minlength=len(cuts) + 1)
    rank = (np.cumsum(counts) - counts / 2) / counts.sum()
    own = tuple(float(cut) for cut in cuts)
    yield Score(LEVEL, code, own, tuple(float(x) for x in rank))
    if len(distinct) >= SPREAD_VALUES:
        yield Score(SPREAD, code, own, tuple(float(x) for x in abs(2 * rank - 1)))


def _care_monitors(of: Observations, titles: Mapping[str, str]) -> Iterator[Monitor]:
    """What was given, and how often it was effective."""
    yield from _enough(_by_option(BEHAVIOUR, GIVEN, of, titles))
    found = [_monitor("effective", OUTCOMES, Score(EFFECTIVE), of)]
    found += _by_option(OUTCOMES, EFFECTIVE, of, titles)
    yield from _enough(replace(monitor, tolerance=OUTCOME_TOLERANCE) for monitor in found)


def _policy_monitors(of: Observations, titles: Mapping[str, str]) -> Iterator[Monitor]:
    """What the model advises, whether that is given, its calibration and its value."""
    yield from _enough(_by_option(BEHAVIOUR, FIRST, of, titles))
    yield from _enough([_monitor("given as advised", BEHAVIOUR, Score(AGREEMENT), of)])
    middle = tuple(float(x) for x in (np.arange(RESIDUAL_BINS) + 0.5) / RESIDUAL_BINS)
    for name, what in (
        ("outcome minus prediction", RESIDUAL),
        ("confidence of predictions", CONFIDENCE),
    ):
        found = _monitor(name, CALIBRATION, Score(what, values=middle), of)
        found = replace(found, variance=RESIDUAL_VARIANCE, tolerance=OUTCOME_TOLERANCE)
        yield from _enough([found])
    value = _monitor("effective if given as advised", VALUE, Score(EFFECTIVE_IF_FOLLOWED), of)
    yield from _enough([replace(value, tolerance=OUTCOME_TOLERANCE, is_only_lower=True)])


def _by_option(
    kind: str, what: str, of: Observations, titles: Mapping[str, str]
) -> Iterator[Monitor]:
    for option in of.options:
        name = f"{titles.get(option, option)}: {_OF_OPTION[what]}"
        yield _monitor(name, kind, Score(what, option), of)


def _enough(monitors: Iterable[Monitor]) -> Iterator[Monitor]:
    return (monitor for monitor in monitors if monitor.patients >= MIN_PATIENTS)


_OF_OPTION = {FIRST: "advised first", GIVEN: "given", EFFECTIVE: "effective"}


def _monitor(name: str, kind: str, score: Score, of: Observations) -> Monitor:
    """The monitor of a share; a patient counts once a month, as in use."""
    scored = find_scored(score, of)
    counts = np.bincount(scored.value, minlength=len(score.values))
    patients = len(np.unique(of.patient[scored.row]))
    return Monitor(name, kind, score, tuple(int(n) for n in counts), patients)
