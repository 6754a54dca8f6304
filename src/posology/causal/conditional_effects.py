"""How far what is said of one patient's effect may be from the effect of patients like this one.

A Bayesian regression of the outcome's surprise on the treatment's (the R-learner's equation, Nie
and Wager 2021, doi:10.1093/biomet/asaa076, eq. 4), effects being a Gaussian process: lines and
hinges of each covariate, and, in a share that is learned too, products and random cosines (Rahimi
and Recht 2007) for what covariates do together. How much effects vary, and that share, are
integrated over by marginal likelihood, so that a constant effect has a narrow interval and one that
hides in few patients a wide one. Such intervals hold the truth for 95 % of patients on average, not
for each (Nychka 1988, doi:10.1080/01621459.1988.10478711); benchmarks/calibration_of_claims.py asks
whether they do. Where patients do not show an effect at all, neither do they.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.spline_basis import expand_basis, fit_basis
from posology.causal.trial import FOLDS, Column, Mask, Matrix

SHARES = (0.0, 0.3, 0.6, 0.9)
"""Of the effects' variance that may be of covariates together; our choice."""
SPREADS = np.linspace(0.02, 2.0, 40)
"""Standard deviations of effects tried, in those of the outcome's noise; our choice."""
COSINES = 100
WIDEST = 240
"""Columns of either kind, all options together: the time is cubic in them. What the columns left
out may hold counts as not known; our choice."""
_TINY = 1e-3  # a setting with less weight changes nothing

Design = Float64[np.ndarray, "decision column"]
Options = Float64[np.ndarray, "treatment column"]


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """What effects may depend on; of each kind a decision's squares add up to 1 on average."""

    alone: Float64[np.ndarray, "decision hinge"]
    together: Float64[np.ndarray, "decision wave"]
    lost: Float64[np.ndarray, "decision two"]
    """What the columns left out would have added to it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Products of design and target over decisions; a level of each option but the first leads."""

    gram: Float64[np.ndarray, "column column"]
    side: Float64[np.ndarray, " column"]
    square: float
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class _Freed:
    """The same once the levels have taken what they can."""

    level: Float64[np.ndarray, " treatment"]
    inverse: Float64[np.ndarray, "level level"]
    """Of the levels' own products: their covariance, but for the noise."""
    gram: Float64[np.ndarray, "column column"]
    side: Float64[np.ndarray, " column"]
    square: float
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class _Setting:
    """What is known of effects if so much of their variance is of covariates together."""

    likely: float
    """Logarithm of the marginal likelihood."""
    share: float
    variance: float
    mean: Options
    direction: Float64[np.ndarray, "treatment column direction"]
    """In which coefficients are independent of each other; shared by all spreads."""
    root: Float64[np.ndarray, " direction"]
    """Their standard deviations."""


def conditional_effect_errors(
    nuisance: Nuisance, predicted_effects: Matrix, single: int, rng: np.random.Generator
) -> Matrix:
    """Root of the expected squared error of each effect over `single`, known from other folds.

    Args:
        said: each option's effect; what all options of a decision share does not matter.
        single: the option that the others are held against; its own column is 0.
    """
    columns = _columns(nuisance, rng)
    sums = [_sums(nuisance, columns, nuisance.fold == f) for f in range(FOLDS)]
    square = np.zeros(predicted_effects.shape)
    for f in range(FOLDS):
        at = nuisance.fold == f
        rest = _added([s for g, s in enumerate(sums) if g != f])
        here = _Columns(columns.alone[at], columns.together[at], columns.lost[at])
        square[at] = _square(
            rest, here, predicted_effects[at] - predicted_effects[at][:, [single]], single
        )
    return np.sqrt(square * _design_effect(nuisance))


def _columns(nuisance: Nuisance, rng: np.random.Generator) -> _Columns:
    X, most = nuisance.trial.covariates, max(WIDEST // nuisance.trial.n_options, 1)
    lines = expand_basis(fit_basis(X, hinges=False, products=False), X)
    wave = rng.normal(size=(lines.shape[1], COSINES)) / np.sqrt(max(lines.shape[1], 1))
    cosines = np.cos(lines @ wave + rng.uniform(0, 2 * np.pi, COSINES))
    products = expand_basis(fit_basis(X, hinges=False, products=True), X)[:, lines.shape[1] :]
    alone, lost = _narrow(_unit(expand_basis(fit_basis(X, hinges=True, products=False), X)), most)
    together = np.hstack([_unit(cosines), _unit(products)])
    together, gone = _narrow(_unit(together), most)
    return _Columns(alone, together, np.column_stack([lost, gone]))


def _unit(columns: Design) -> Design:
    centered = columns - columns.mean(axis=0)
    return centered / max(float(np.sqrt((centered**2).sum(axis=1).mean())), 1e-9)


def _narrow(columns: Design, most: int) -> tuple[Float64[np.ndarray, "decision direction"], Column]:
    """The directions of the largest variance, and what the others held of each decision."""
    if columns.shape[1] <= most:
        return columns, np.zeros(len(columns))
    kept = columns @ np.linalg.eigh(columns.T @ columns)[1][:, -most:]
    return kept, np.maximum((columns**2).sum(axis=1) - (kept**2).sum(axis=1), 0.0)


def _sums(nuisance: Nuisance, columns: _Columns, at: Mask) -> _Sums:
    surprise, y = nuisance.treatment_residual[at], nuisance.outcome_residual[at]
    both = np.hstack([columns.alone[at], columns.together[at]])
    design = np.hstack([surprise[:, 1:], *(both * s[:, None] for s in surprise.T)])
    return _Sums(design.T @ design, design.T @ y, float(y @ y), len(y))


def _added(sums: list[_Sums]) -> _Sums:
    gram, side = np.sum([s.gram for s in sums], axis=0), np.sum([s.side for s in sums], axis=0)
    return _Sums(gram, side, sum(s.square for s in sums), sum(s.count for s in sums))


def _square(sums: _Sums, columns: _Columns, told: Matrix, single: int) -> Matrix:
    """Expected squared error, over all settings, the levels' own error included."""
    options = told.shape[1]
    freed = _freed(sums, options - 1)
    level = freed.level - freed.level[single]
    settings = [s for share in SHARES for s in _settings(freed, columns, share, options)]
    best = max(s.likely for s in settings)
    settings = [s for s in settings if s.likely > best + np.log(_TINY)]
    weight = np.exp([s.likely - best for s in settings])
    both = np.hstack([columns.alone, columns.together])
    square = np.zeros(told.shape)
    for w, s in zip(weight / weight.sum(), settings, strict=True):
        lost = columns.lost @ [1 - s.share, s.share]
        for k in range(options):
            if k != single:
                effect = level[k] + both @ (s.mean[k] - s.mean[single])
                apart = (s.direction[k] - s.direction[single]) * s.root
                spread = ((both @ apart) ** 2).sum(axis=1)
                square[:, k] += w * ((told[:, k] - effect) ** 2 + spread + 2 * s.variance * lost)
    return square + freed.square / freed.count * _of_contrast(freed.inverse, single)


def _freed(sums: _Sums, free: int) -> _Freed:
    inverse = np.linalg.pinv(sums.gram[:free, :free])
    level = inverse @ sums.side[:free]
    return _Freed(
        np.append(0.0, level),
        inverse,
        sums.gram[free:, free:] - sums.gram[free:, :free] @ inverse @ sums.gram[:free, free:],
        sums.side[free:] - sums.gram[free:, :free] @ level,
        sums.square - float(sums.side[:free] @ level),
        sums.count,
    )


def _of_contrast(inverse: np.ndarray, single: int) -> Float64[np.ndarray, " treatment"]:
    """Variance of each level less that of `single`; the first option's is 0 by convention."""
    whole = np.pad(inverse, ((1, 0), (1, 0)))
    return np.diag(whole) + whole[single, single] - 2 * whole[single]


def _settings(freed: _Freed, columns: _Columns, share: float, options: int) -> list[_Setting]:
    """One a spread of the effects, all from one decomposition."""
    scale = np.tile(np.sqrt(np.append(
        np.full(columns.alone.shape[1], 1 - share), np.full(columns.together.shape[1], share)
    )), options)  # fmt: skip
    value, vector = np.linalg.eigh(freed.gram * scale * scale[:, None])
    value, seen = np.maximum(value, 0.0), vector.T @ (scale * freed.side)
    square = freed.square
    back, found = (scale[:, None] * vector).reshape(options, -1, len(value)), []
    for ratio in SPREADS**2:
        shrunk = ratio / (1 + ratio * value)
        noise = max((square - float(seen**2 @ shrunk)) / freed.count, 1e-12 * max(square, 1e-300))
        likely = -0.5 * (freed.count * np.log(noise) + np.log1p(ratio * value).sum())
        mean, root = back @ (seen * shrunk), np.sqrt(noise * shrunk)
        found.append(_Setting(float(likely), share, float(ratio * noise), mean, back, root))
    return found


def _design_effect(nuisance: Nuisance) -> float:
    """How much decisions of one patient go together: 1 where each has one."""
    off = nuisance.outcome_residual * np.abs(nuisance.treatment_residual).sum(axis=1)
    row = np.unique(nuisance.trial.subject, return_inverse=True)[1]
    return max(float((np.bincount(row, off) ** 2).sum() / max((off**2).sum(), 1e-300)), 1.0)
