"""The same intervals and sets as MAPIE and crepes find, where these are installed."""

import numpy as np
import pytest

from posology.advice.uncertainty.option_sets import fit_option_sets, option_sets
from posology.advice.uncertainty.thresholds import conformal_quantile, fit_thresholds

RNG = np.random.default_rng(7)
PREDICTED = RNG.uniform(10, 60, 203)
RIGHT = PREDICTED * np.exp(RNG.normal(0, 0.3, 203))
ERROR = np.abs(RIGHT - PREDICTED)


def test_the_split_interval_is_that_of_mapie() -> None:
    regression = pytest.importorskip(
        "mapie.regression", reason="pip install mapie, of the dependency group `oracles`"
    )

    class Identity:
        """Predicts its only feature."""

        fitted_ = True

        def fit(self, X: np.ndarray, y: np.ndarray) -> "Identity":  # noqa: N803
            return self

        def predict(self, X: np.ndarray) -> np.ndarray:  # noqa: N803
            return X[:, 0]

    oracle = regression.SplitConformalRegressor(Identity(), confidence_level=0.8, prefit=True)
    oracle.conformalize(PREDICTED[:, None], RIGHT)
    bounds = oracle.predict_interval(np.array([[30.0]]))[1][0, :, 0]
    quantile = conformal_quantile(ERROR, 0.8)
    assert quantile is not None
    np.testing.assert_allclose(bounds, [30.0 - quantile, 30.0 + quantile])


def test_the_thresholds_of_parts_are_the_mondrian_intervals_of_crepes() -> None:
    crepes = pytest.importorskip(
        "crepes", reason="pip install crepes, of the dependency group `oracles`"
    )
    part = np.searchsorted([25.0, 45.0], PREDICTED)
    oracle = crepes.ConformalRegressor().fit(RIGHT - PREDICTED, bins=part)
    bounds = oracle.predict_int(np.full(3, 30.0), bins=np.arange(3), confidence=0.8)
    found = fit_thresholds(ERROR, part, 3, 0.8)
    np.testing.assert_allclose(bounds[:, 1] - 30.0, found.parts)


def test_the_sets_are_the_class_conditional_sets_of_crepes() -> None:
    crepes = pytest.importorskip(
        "crepes", reason="pip install crepes, of the dependency group `oracles`"
    )
    probability = RNG.dirichlet(np.ones(3), 400)
    right = (probability.cumsum(axis=1) > RNG.random((400, 1))).argmax(axis=1)
    fitted = fit_option_sets(probability[:300], right[:300])
    assert fitted is not None
    found = option_sets(fitted, probability[300:])
    theirs = np.zeros_like(found)
    for option in range(3):
        own = 1.0 - probability[:300, option][right[:300] == option]
        oracle = crepes.ConformalClassifier().fit(own)
        new = 1.0 - probability[300:, [option]]
        is_in = oracle.predict_set(new, confidence=0.8, smoothing=False)[:, 0].astype(bool)
        theirs[:, option] = is_in
    least = np.where(theirs, probability[300:], np.inf).min(axis=1, keepdims=True)
    filled = theirs | (probability[300:] >= least)  # with every option more probable than one
    some = theirs.any(axis=1)  # else ours is the most probable option alone
    assert some.sum() > 80
    np.testing.assert_array_equal(found[some], filled[some])
