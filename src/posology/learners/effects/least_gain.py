"""A personal rule that departs from the best single option only where the predicted gain counts.

Where two options hardly differ for a patient the choice follows noise: it adds little to the value
of the rule and much to the error of its gain, because such a patient counts with the scores of both
options. A patient is therefore treated otherwise than by the best single option only where the
predicted gain is large enough (docs/decisions/interval-of-the-gain.md).
"""

import numpy as np
from jaxtyping import Bool, Int64

from posology.causal.trial import Matrix

LEAST_GAIN = 0.25
"""In standard deviations, between patients, of the predicted effects over the best single option;
our choice, by simulation."""


def choose_where_it_counts(
    effects: Matrix,
    best_single: Int64[np.ndarray, " decision"],
    allowed: Bool[np.ndarray, "decision treatment"],
) -> Int64[np.ndarray, " decision"]:
    """The allowed option of the largest effect if its lead counts, else the best single option.

    Args:
        effects: predicted effect of each option, up to a constant per decision.
        best_single: the best single option that is allowed.
        allowed: the options to choose from.
    """
    rows = np.arange(len(effects))
    lead = effects - effects[rows, best_single][:, None]
    is_other = allowed & (np.arange(effects.shape[1]) != best_single[:, None])
    variances = [lead[at, k].var() for k, at in enumerate(is_other.T) if at.any()]
    least = LEAST_GAIN * float(np.sqrt(np.mean(variances))) if variances else 0.0
    counting = np.where(is_other & (lead > least), lead, -np.inf)
    return np.where(np.isfinite(counting).any(axis=1), counting.argmax(axis=1), best_single)
