"""Where the true effect of another hospital lies, when few hospitals tell how far they differ.

The form of Nagashima, Noma and Furukawa (2019, doi:10.1177/0962280218773520). That of Higgins,
Thompson and Spiegelhalter takes the estimate of tau for the truth; with eight hospitals it is often
too small, and the interval too narrow. Here tau has its confidence distribution: a value is as
likely as Cochran's Q says. Given tau, the mean has the distribution of Hartung and Knapp's
interval, never narrower than with known variances, and the other hospital's effect is a draw around
it. 95 % of such draws are the interval.
"""

import numpy as np
from jaxtyping import Float64

from posology.evaluation.intervals import LEVEL, Interval

_DRAWS = 10_000
"""Their error moves a limit by some hundredths of the interval's half-width."""
_SEED = 20_190_501
"""The same hospitals give the same interval."""
_GRID = 48
"""Values of tau squared between which Q, which is nearly linear in it, is interpolated."""
_Column = Float64[np.ndarray, " hospital"]


def predict_another(effect: _Column, variance: _Column) -> Interval:
    """The interval that another hospital's true effect lies in, in 95 %.

    Args:
        effect: of at least three hospitals.
        variance: of each estimate, above 0.
    """
    rng = np.random.default_rng(_SEED)
    tau2 = draw_tau2(effect, variance, rng)
    weight = 1 / (variance + tau2[:, None])
    total = weight.sum(axis=1)
    mean = weight @ effect / total
    spread = (weight * (effect - mean[:, None]) ** 2).sum(axis=1) / (len(effect) - 1)
    error = np.sqrt(np.maximum(spread, 1.0) / total)
    off = rng.standard_t(len(effect) - 1, _DRAWS) * error
    another = mean - off + np.sqrt(tau2) * rng.standard_normal(_DRAWS)
    low, high = np.quantile(another, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    centre = float(np.median(another))
    return Interval(centre, low, high)


def draw_tau2(
    effect: _Column, variance: _Column, rng: np.random.Generator
) -> Float64[np.ndarray, " draw"]:
    """Draws of tau squared from its confidence distribution, P(Q at tau squared > Q observed).

    Q is a sum of squared normals, and grows with tau squared at each draw of these: where it
    reaches the observed Q is that draw's tau squared, or 0 if it is above it already.
    """
    weight = 1 / variance
    mean = weight @ effect / weight.sum()
    observed = float(weight @ (effect - mean) ** 2)
    scale = float(np.var(effect) + variance.mean())
    grid = np.concatenate([[0.0], np.geomspace(1e-4, 1e5, _GRID) * scale])
    centring = np.diag(weight) - np.outer(weight, weight) / weight.sum()
    root = np.sqrt(variance + grid[:, None])
    scales = np.linalg.eigvalsh(root[:, :, None] * centring * root[:, None, :])[:, 1:]
    q = rng.chisquare(1, (_DRAWS, len(effect) - 1)) @ scales.T.clip(0.0)
    at = (q < observed).sum(axis=1)  # q grows along the grid
    after = np.clip(at, 1, _GRID)
    rows = np.arange(_DRAWS)
    first, second = q[rows, after - 1], q[rows, after]
    share = np.clip((observed - first) / (second - first), 0.0, 1.0)
    between = grid[after - 1] + share * (grid[after] - grid[after - 1])
    return np.where(at == 0, 0.0, between)
