"""What others alarm about by default, on the same kind of stream.

Evidently's default rule is implemented from its documentation (docs-old.evidentlyai.com/reference/
data-drift-algorithm, release notes of 0.1.50; 79 packages were not worth it). With more than 1,000
reference rows: the Wasserstein distance over the reference's standard deviation for numbers, the
Jensen-Shannon distance for categories, drift from 0.1. With fewer: Kolmogorov-Smirnov and z tests
at 5 %. A data set drifts if half of its columns do. MAPIE's RiskMonitoring is the library's own.
"""

import numpy as np
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, norm, wasserstein_distance

from benchmarks.monitoring_world import NUMBERS, SHARES

LARGE = 1000
"""Reference rows above which Evidently takes distances instead of tests."""


def draw_columns(
    rng: np.random.Generator, patients: int, deviations: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Normal numbers and categories; the first number shifts."""
    numbers = rng.standard_normal((patients, NUMBERS))
    numbers[:, 0] += deviations
    return numbers, rng.random((patients, len(SHARES))) < np.array(SHARES)


def drifted_columns(
    reference: tuple[np.ndarray, np.ndarray], current: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Whether each column drifts by Evidently's default rule."""
    is_large = len(reference[0]) > LARGE
    found = []
    for old, new in zip(reference[0].T, current[0].T, strict=True):
        if is_large:
            found.append(wasserstein_distance(old, new) / max(old.std(), 0.001) >= 0.1)
        else:
            found.append(ks_2samp(old, new, method="asymp").pvalue < 0.05)
    for old, new in zip(reference[1].T, current[1].T, strict=True):
        p, q, n, m = old.mean(), new.mean(), len(old), len(new)
        if is_large:
            found.append(jensenshannon([1 - p, p], [1 - q, q]) >= 0.1)
        else:
            both = (old.sum() + new.sum()) / (n + m)
            error = np.sqrt(both * (1 - both) * (1 / n + 1 / m))
            found.append(error > 0 and 2 * norm.sf(abs(p - q) / error) < 0.05)
    return np.array(found, dtype=bool)


def ks_alarm(reference: np.ndarray, current: np.ndarray) -> bool:
    """Whether any number drifts by Kolmogorov-Smirnov tests with Bonferroni's correction at 5 %."""
    p = [
        ks_2samp(old, new, method="asymp").pvalue
        for old, new in zip(reference.T, current.T, strict=True)
    ]
    return min(p) < 0.05 / len(p)


def mapie_months(
    rng: np.random.Generator, plan: tuple[int, int, int], rates: tuple[float, float], level: float
) -> np.ndarray:
    """Whether MAPIE's monitor of accuracy alarms at the end of each month.

    Args:
        plan: reference patients, patients of a month, months; the change is after a third of them.
        rates: share of correct predictions before and after the change.
    """
    from mapie.exchangeability_testing import RiskMonitoring

    reference, patients, months = plan
    monitor = RiskMonitoring("accuracy", test_level=level, warn=False)
    truth = np.ones(reference, int)
    monitor.compute_threshold(truth, (rng.random(reference) < rates[0]).astype(int))
    before = (months // 3) * patients
    rate = np.where(np.arange(months * patients) < before, *rates)
    correct = (rng.random(months * patients) < rate).astype(int)
    monitor.update(np.ones(len(correct), int), correct)
    bounds = monitor.online_risk_lower_bound_sequence_history
    assert monitor.threshold is not None
    return bounds[patients - 1 :: patients] > monitor.threshold
