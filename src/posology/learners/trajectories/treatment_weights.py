"""Stabilised inverse-probability weights of logged treatments (Robins, Hernán and Brumback 2000).

The numerator knows earlier treatments, the denominator also the outcomes before the step; each
component is a logistic regression over all steps.
"""

import numpy as np
from jaxtyping import Float64
from sklearn.linear_model import LogisticRegression

from posology.domain.outcome_trajectories import OutcomeTrajectories
from posology.learners.trajectories.step_features import (
    StepSpec,
    logged_levels,
    outcome_feature,
)

TRUNCATED = (0.1, 10.0)
MOST_STEPS = 100_000


def treatment_weights(
    spec: StepSpec, trajectories: OutcomeTrajectories, rng: np.random.Generator
) -> Float64[np.ndarray, "subject step"]:
    """Weight of each step: P(treatment | treatments) / P(treatment | treatments, outcomes)."""
    t = trajectories
    observed = t.is_observed
    levels = logged_levels(spec, t)[:, :-1]
    outcome = np.nan_to_num(t.outcome[:, :-1])
    size = outcome_feature(spec, outcome)
    visits = np.arange(1, size.shape[1] + 1)
    root = np.cbrt(outcome) / max(float(np.cbrt(np.nanmax(t.outcome))), 1e-12)
    seen = [size, root, np.cumsum(root, 1) / visits, np.cumsum(size, 1) / visits]
    past = [levels[observed], (np.cumsum(t.treatment, 1) - t.treatment)[observed] / 10]
    numerator = np.concatenate(past, axis=1)
    denominator = np.concatenate([numerator, np.stack(seen, axis=2)[observed]], axis=1)
    ratio = np.ones(len(numerator))
    few = rng.permutation(len(ratio))[:MOST_STEPS]
    for component in range(t.treatment.shape[2]):
        given = (t.treatment[:, :, component] > 0)[observed]
        if len(np.unique(given[few])) < 2:
            continue
        chance = []
        for x in (numerator, denominator):
            model = LogisticRegression(max_iter=200).fit(x[few], given[few])
            p = model.predict_proba(x)[:, 1]
            chance.append(np.where(given, p, 1 - p))
        ratio *= chance[0] / np.maximum(chance[1], 1e-3)
    weights = np.ones(observed.shape)
    weights[observed] = np.clip(ratio, *TRUNCATED)
    return weights
