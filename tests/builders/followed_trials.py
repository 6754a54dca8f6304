"""Trials by lot whose patients leave, with the outcomes that nobody saw."""

import numpy as np

from posology.causal.trial import FollowUp, Trial

WINDOW = 365.0


def rate(share: tuple[float, float], arm: np.ndarray) -> np.ndarray:
    """Mean days to an event that so many have in a year, by arm."""
    return (-WINDOW / np.log1p(-np.array(share)))[arm]


def stopped_early(n: int, seed: int) -> tuple[Trial, np.ndarray]:
    """A stop settles the outcome early; both options are alike, but 60 % leave a and 10 % leave b.

    Also the full outcomes.
    """
    rng = np.random.default_rng(seed)
    arm, x = rng.integers(0, 2, n), rng.normal(size=n)
    stop = rng.exponential(rate((0.3, 0.3), arm))
    leave = rng.exponential(rate((0.6, 0.1), arm))
    measured = rng.uniform(300, 365, n)
    truth = np.where(stop <= measured, 0.0, rng.random(n) < 0.6)
    settled = np.minimum(stop, measured)
    known = settled <= leave
    return _trial(x, arm, truth, np.minimum(settled, leave), known, known), truth


def left_by_the_ill(n: int, seed: int) -> tuple[Trial, np.ndarray]:
    """Days to an event, of 365: the ill have it sooner, and leave b (only) before it."""
    rng = np.random.default_rng(seed)
    x, arm = rng.normal(size=n), rng.integers(0, 2, n)
    event = rng.exponential(WINDOW / np.exp(1.2 * x))
    leave = np.maximum(rng.exponential(np.where(arm == 1, 250 / np.exp(1.5 * x), 600.0)), 1.0)
    truth = np.minimum(event, WINDOW)
    known = truth < leave
    return _trial(x, arm, truth, np.minimum(truth, leave), known, known), truth


def rarely_measured(n: int, seed: int) -> tuple[Trial, np.ndarray]:
    """A number between days 0 and 365, measured more often in the well; some stop; many leave b.

    Who stops first would have had no number, and has outcome 0.
    """
    rng = np.random.default_rng(seed)
    x, arm = rng.normal(size=n), rng.integers(0, 2, n)
    stop = rng.exponential(rate((0.3, 0.3), arm))
    leave = rng.exponential(rate((0.1, 0.6), arm))
    visit = rng.uniform(0, WINDOW, n)
    good = rng.random(n) < 1 / (1 + np.exp(-x))
    truth = np.where(stop < visit, 0.0, good)
    is_measured = rng.random(n) < 1 / (1 + np.exp(-0.5 - x + arm))
    settled = np.minimum(stop, np.where(is_measured, visit, WINDOW))
    resolved = settled <= leave
    by_stop = stop <= settled
    known = resolved & (is_measured | by_stop)
    days = np.minimum(settled, leave)
    seen = np.where(by_stop, 0.0, good)
    return _trial(x, arm, seen, days, resolved, known, ~by_stop & resolved), truth


def _trial(
    x: np.ndarray,
    arm: np.ndarray,
    seen: np.ndarray,
    days: np.ndarray,
    resolved: np.ndarray,
    known: np.ndarray,
    needs_measurement: np.ndarray | None = None,
) -> Trial:
    is_number = needs_measurement is not None
    follow_up = FollowUp(
        days,
        resolved,
        known,
        needs_measurement if is_number else np.zeros(len(x), dtype=bool),
        0.0 if is_number else np.inf,
    )
    hidden = np.where(known, seen, 9e9)  # nobody may read it
    return Trial(x[:, None], arm, hidden, np.arange(len(x)), 2, ("a", "b"), follow_up)
