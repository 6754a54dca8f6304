"""A model in use, as the counts of its monitors: a reference drawn once, then month after month.

Counts are drawn from their exact distributions given the reference, so that 20,000 months of
100,000 patients take seconds. The bins of a number hold equal parts of the reference; what they
hold in the population is then Dirichlet, whatever the number's distribution.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from posology.lifecycle.monitoring.detector import Detector, make_detector, stack_counts
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
from posology.lifecycle.monitoring.scores import (
    CONFIDENCE,
    EFFECTIVE,
    EFFECTIVE_IF_FOLLOWED,
    GIVEN,
    LEVEL,
    RECORDED,
    RESIDUAL,
    RESIDUAL_BINS,
    SPREAD,
    Score,
)

BINS, NUMBERS = 20, 20
SHARES = tuple(np.geomspace(0.01, 0.95, 20))
RECORDED_SHARES = tuple(np.linspace(0.5, 1.0, NUMBERS))
OPTIONS = (0.35, 0.25, 0.2, 0.15, 0.05)
OUTCOME = 0.65
STUDY = 5000
TRAIN_SHARE, VALIDATION_SHARE = 0.7, 0.15
_RANKS = tuple((np.arange(BINS) + 0.5) / BINS)
_SPREADS = tuple(abs(2 * rank - 1) for rank in _RANKS)
_MIDDLES = tuple((np.arange(RESIDUAL_BINS) + 0.5) / RESIDUAL_BINS)


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """What a month draws: of each monitor the probabilities of its values, and of how many."""

    detector: Detector
    probability: tuple[np.ndarray, ...]
    part: tuple[float, ...]
    """Share of a month's patients of whom the score is known."""


def draw_stream(
    rng: np.random.Generator, residuals: dict[str, np.ndarray], study: int = STUDY
) -> Stream:
    """A reference and the population that it was drawn from.

    study: patients of the study, of whom 70 % train and 15 % validate.
    """
    monitors, probability, part = [], [], []
    train, validation = round(TRAIN_SHARE * study), round(VALIDATION_SHARE * study)

    def add(monitor: Monitor, p: np.ndarray, known: float) -> None:
        monitors.append(monitor)
        probability.append(p)
        part.append(known)

    def add_share(name: str, kind: str, score: Score, p: float, known: tuple[int, float]) -> None:
        """known: patients of the reference, and the share of a month's of whom it is known."""
        patients, share = known
        yes = int(rng.binomial(patients, p))
        monitor = Monitor(name, kind, score, (patients - yes, yes), patients)
        if kind in (OUTCOMES, VALUE):
            monitor = replace(monitor, tolerance=OUTCOME_TOLERANCE, is_only_lower=kind == VALUE)
        add(monitor, np.array([1 - p, p]), share)

    for k in range(NUMBERS):
        n = round(train * RECORDED_SHARES[k])
        p = rng.dirichlet(np.full(BINS, n / BINS))
        for what, values in ((LEVEL, _RANKS), (SPREAD, _SPREADS)):
            score = Score(what, f"number {k}", (), values)
            counts = (n // BINS,) * BINS
            monitor = Monitor(f"number {k}: {what}", INPUTS, score, counts, n, RANK_VARIANCE)
            add(monitor, p, RECORDED_SHARES[k])
        share = RECORDED_SHARES[k]
        add_share(f"number {k}", MISSINGNESS, Score(RECORDED, f"n{k}"), share, (train, 1.0))
    for k, share in enumerate(SHARES):
        add_share(f"share {k}", INPUTS, Score(RECORDED, f"s{k}"), share, (train, 1.0))
    for k, share in enumerate(OPTIONS):
        add_share(f"given {k}", BEHAVIOUR, Score(GIVEN, f"o{k}"), share, (train, 1.0))
        known = (round(train * share), share)
        if known[0] >= 50:
            add_share(f"effective {k}", OUTCOMES, Score(EFFECTIVE, f"o{k}"), OUTCOME, known)
    add_share("agreement", BEHAVIOUR, Score("agreement"), 0.45, (validation, 1.0))
    add_share("effective", OUTCOMES, Score(EFFECTIVE), OUTCOME, (train, 1.0))
    followed = (round(validation * 0.45), 0.45)
    add_share("value", VALUE, Score(EFFECTIVE_IF_FOLLOWED), OUTCOME, followed)
    for what in (RESIDUAL, CONFIDENCE):
        counts = tuple(int(n) for n in rng.multinomial(validation, residuals[what]))
        monitor = Monitor(what, CALIBRATION, Score(what, values=_MIDDLES), counts, validation)
        monitor = replace(monitor, variance=RESIDUAL_VARIANCE, tolerance=OUTCOME_TOLERANCE)
        add(monitor, residuals[what], 1.0)
    return Stream(make_detector(monitors), tuple(probability), tuple(part))


def draw_months(rng: np.random.Generator, stream: Stream, patients: int, months: int) -> np.ndarray:
    """Counts of each month, monitor and value. Monitors are drawn apart: dependence between them
    changes nothing of the expected number of alarms."""
    drawn = [
        rng.multinomial(rng.binomial(patients, part, months), p)
        for p, part in zip(stream.probability, stream.part, strict=True)
    ]
    return stack_counts(stream.detector, list(zip(*drawn, strict=True)))


def residual_probabilities(
    rng: np.random.Generator, optimism: float = 0.0, draws: int = 1_000_000
) -> dict[str, np.ndarray]:
    """Probabilities of the residual scores of predictions that are too high by `optimism`."""
    predicted = rng.beta(5.2, 2.8, draws)
    effective = rng.random(draws) < np.clip(predicted - optimism, 0, 1)
    residual = effective - predicted
    found = {}
    for what, value in ((RESIDUAL, residual), (CONFIDENCE, residual * (2 * predicted - 1))):
        row = np.minimum(((value + 1) / 2 * RESIDUAL_BINS).astype(int), RESIDUAL_BINS - 1)
        found[what] = np.bincount(row, minlength=RESIDUAL_BINS) / draws
    return found


Change = Callable[[Stream], Stream]


def _changed(stream: Stream, name: str, p: Callable[[np.ndarray], np.ndarray]) -> Stream:
    names = [monitor.name for monitor in stream.detector.monitors]
    rows = {names.index(name)} if name in names else set()
    probability = tuple(p(x) if row in rows else x for row, x in enumerate(stream.probability))
    return replace(stream, probability=probability)


def shift_number(stream: Stream, deviations: float) -> Stream:
    """The mean of one normal number shifts by so many standard deviations."""

    def shifted(p: np.ndarray) -> np.ndarray:
        cuts = norm.ppf(np.cumsum(p)[:-1])
        return np.diff(np.r_[0.0, norm.cdf(cuts - deviations), 1.0])

    k = NUMBERS - 1  # recorded of all
    stream = _changed(stream, f"number {k}: {LEVEL}", shifted)
    return _changed(stream, f"number {k}: {SPREAD}", shifted)


def set_share(stream: Stream, name: str, share: float) -> Stream:
    """A share becomes another."""
    return _changed(stream, name, lambda _: np.array([1 - share, share]))


def changes(rng: np.random.Generator) -> dict[str, Change]:
    """The changes whose detection is timed."""
    optimistic = residual_probabilities(rng, optimism=0.1)

    def worse(stream: Stream) -> Stream:
        for name in ("effective", *(f"effective {k}" for k in range(len(OPTIONS)))):
            stream = set_share(stream, name, OUTCOME - 0.1)
        return stream

    def optimism(stream: Stream) -> Stream:
        for what, p in optimistic.items():
            stream = _changed(stream, what, lambda _, p=p: p)
        return stream

    return {
        "input_half_sd": lambda s: shift_number(s, 0.5),
        "input_quarter_sd": lambda s: shift_number(s, 0.25),
        "missing_5_to_20": lambda s: set_share(s, f"number {NUMBERS - 3}", 0.80),
        "agreement_45_to_30": lambda s: set_share(s, "agreement", 0.30),
        "outcomes_65_to_55": worse,
        "optimism_10": optimism,
        "value_65_to_50": lambda s: set_share(s, "value", 0.50),
    }


def to_edge(stream: Stream) -> Stream:
    """Every mean exactly at its upper limit (of value: the lower): the worst that is allowed."""
    moved = []
    monitors, limits = stream.detector.monitors, stream.detector.limits
    for monitor, limit, p in zip(monitors, limits, stream.probability, strict=True):
        goal = limit.low if monitor.is_only_lower or limit.high >= 1 else limit.high
        moved.append(_tilt(p, np.array(monitor.score.values), goal))
    return replace(stream, probability=tuple(moved))


def _tilt(p: np.ndarray, values: np.ndarray, goal: float) -> np.ndarray:
    """The distribution of this mean that is nearest to p (exponential tilting)."""
    if len(values) == 2:
        return np.array([1 - goal, goal])
    low, high = -50.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        tilted = p * np.exp(middle * (values - 0.5))
        tilted /= tilted.sum()
        low, high = (middle, high) if tilted @ values < goal else (low, middle)
    return tilted
