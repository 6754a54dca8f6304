"""Which options can be judged, and in which patients.

Options are compared in patients who might have been given any of them. One option that hardly
anyone in a group could have been given, or that few were given at all, would empty that population:
it is left out, so that the others can still be compared, and its reason is stated.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from posology.causal.trial import Mask, Matrix, Trial
from posology.evaluation.off_policy.support import effective_sample_size

MIN_PROPENSITY = 0.05
"""Patients with a lower propensity of a judged option are excluded (Crump 2009,
doi:10.1093/biomet/asn055, advise 0.1; reviewers ask for the share outside .05 to .95)."""
MIN_EFFECTIVE_SAMPLE_SIZE = 50.0
"""An option with a smaller effective sample size is not judged; our choice."""
MIN_INCLUDED_SHARE = 0.20
"""If a smaller share of decisions is included, no option is judged; our choice."""

TOO_FEW, NO_OVERLAP, NO_OTHER = "too few patients", "no overlap", "no other option"
"""Why an option cannot be judged: it was given to too few patients; it was almost never given to
patients like many of those who were given the others; or no other option can be judged."""

Options = Bool[np.ndarray, " treatment"]
Sizes = Float64[np.ndarray, " treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class JudgedOptions:
    """The options that can be compared, and the decisions at which they can."""

    is_judged: Options
    reasons: tuple[str, ...]
    """Of each option: TOO_FEW, NO_OVERLAP or NO_OTHER; empty if it is judged."""
    population: Mask
    """Decisions at which every judged option has a propensity of at least 5 % and one of them is
    allowed; if no option is judged, the same of all options."""


def judge_options(
    trial: Trial, probability: Matrix, allowed: Bool[np.ndarray, "decision treatment"] | None = None
) -> JudgedOptions:
    """Leave out one option at a time until every other one can be judged.

    Left out is the option without which the fewest others fail, then the one without which most
    decisions are included. Of covariates, treatments and propensities only: no outcome is used.

    Args:
        trial: the decisions.
        probability: propensities.
        allowed: the options that safety rules permit at each decision; by default all of them.
    """
    can_be_given = np.ones(probability.shape, dtype=bool) if allowed is None else allowed
    given = np.array([_patients(trial, trial.treatment == k) for k in range(trial.n_options)])
    judged = given >= MIN_EFFECTIVE_SAMPLE_SIZE

    def failures(options: Options) -> tuple[int, float]:
        included = analysis_population(probability, options, can_be_given)
        sizes = effective_sizes(trial, probability, included)
        failed = int((sizes[options] < MIN_EFFECTIVE_SAMPLE_SIZE).sum())
        is_small = included.mean() < MIN_INCLUDED_SHARE
        return (int(options.sum()) if is_small else failed), -float(included.mean())

    while judged.sum() > 1 and failures(judged)[0]:
        judged = min((_without(judged, k) for k in np.flatnonzero(judged).tolist()), key=failures)
    # One left out early may be judged without a later one.
    for k in np.flatnonzero(~judged).tolist():
        if judged.sum() > 1 and not failures(judged | _only(k, judged))[0]:
            judged = judged | _only(k, judged)
    if judged.sum() < 2:
        judged = np.zeros(trial.n_options, dtype=bool)
    options = judged if judged.any() else ~judged
    population = analysis_population(probability, options, can_be_given)
    reasons = [
        "" if judged[k] else _reason(trial, probability, k, options) for k in range(len(judged))
    ]
    if not judged.any() and population.mean() >= MIN_INCLUDED_SHARE:
        sizes = effective_sizes(trial, probability, population)
        is_enough = sizes >= MIN_EFFECTIVE_SAMPLE_SIZE
        reasons = [NO_OTHER if is_enough[k] else reasons[k] for k in range(len(judged))]
    return JudgedOptions(judged, tuple(reasons), population)


def analysis_population(
    probability: Matrix, options: Options, allowed: Bool[np.ndarray, "decision treatment"]
) -> Mask:
    """Decisions at which all these options were possible, and one of them is allowed."""
    possible = (probability[:, options] >= MIN_PROPENSITY).all(axis=1)
    return np.logical_and(possible, allowed[:, options].any(axis=1))


def effective_sizes(trial: Trial, probability: Matrix, population: Mask) -> Sizes:
    """Effective sample size of each option's patients in the population, in patients."""
    sizes = np.zeros(trial.n_options)
    for k in range(trial.n_options):
        counted = population & (trial.treatment == k)
        sizes[k] = effective_sample_size(1 / probability[counted, k], trial.subject[counted])
    return sizes


def _patients(trial: Trial, rows: Mask) -> int:
    return len(np.unique(trial.subject[rows]))


def _only(option: int, like: Options) -> Options:
    return np.arange(len(like)) == option


def _without(judged: Options, option: int) -> Options:
    return np.logical_and(judged, ~_only(option, judged))


def _reason(trial: Trial, probability: Matrix, option: int, compared: Options) -> str:
    """TOO_FEW if it could be judged with `compared`, had it been given as often as the average.

    The odds of the option are multiplied by one factor at all decisions, so that its mean
    propensity becomes 1 / options: what the choice depends on stays, the option's rarity goes.
    """
    given = trial.treatment == option
    if _patients(trial, given) < MIN_EFFECTIVE_SAMPLE_SIZE:
        return TOO_FEW
    share, fair = float(given.mean()), 1 / trial.n_options
    if share >= fair:
        return NO_OVERLAP
    own = probability[:, option]
    scaled = _scale_odds(own, fair)
    others = probability * ((1 - scaled) / np.maximum(1 - own, 1e-9))[:, None]
    possible = others[:, compared & ~_only(option, compared)] >= MIN_PROPENSITY
    included = (scaled >= MIN_PROPENSITY) & possible.all(axis=1)
    rows = included & given
    size = effective_sample_size(1 / scaled[rows], trial.subject[rows]) * fair / share
    is_enough = included.mean() >= MIN_INCLUDED_SHARE and size >= MIN_EFFECTIVE_SAMPLE_SIZE
    return TOO_FEW if is_enough else NO_OVERLAP


def _scale_odds(
    probability: Float64[np.ndarray, " decision"], mean: float
) -> Float64[np.ndarray, " decision"]:
    """Propensities with their odds times one factor, so that their mean is `mean`; bisection."""
    odds = probability / np.maximum(1 - probability, 1e-9)
    low, high = 1e-9, 1e9
    for _ in range(80):
        factor = np.sqrt(low * high)
        too_low = (factor * odds / (1 + factor * odds)).mean() < mean
        low, high = (factor, high) if too_low else (low, factor)
    return high * odds / (1 + high * odds)
