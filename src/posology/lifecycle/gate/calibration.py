"""How much worse calibrated a challenger is than the champion, on the same patients."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from posology.lifecycle.gate.evidence import Column, Predicted

GROUPS = 10
"""Groups of equal size by each model's own prediction."""
_REPLICATES = 100
"""Resamples of patients for a standard error. Our choice."""


@dataclass(frozen=True, slots=True)
class CalibrationChange:
    """Mean squared calibration errors, challenger less champion."""

    value: float
    error: float
    """Standard error of `value` over patients."""
    champion: float
    """Root mean square calibration error, noise included."""
    challenger: float


def calibration_change(predicted: Predicted, rng: np.random.Generator) -> CalibrationChange:
    """The change of the mean over ten groups of (mean predicted - observed)^2.

    Both have the same number of groups and patients, so that the noise of the groups' means, which
    inflates each square, cancels in the difference. NaN where no outcome is known.
    """
    keep = predicted.weight > 0
    if not keep.any():
        nan = float("nan")
        return CalibrationChange(nan, nan, nan, nan)
    patient = np.unique(predicted.subject[keep], return_inverse=True)[1]
    patients = int(patient.max()) + 1
    weight, effective = predicted.weight[keep], predicted.effective[keep]
    models = [
        (_groups(prediction), prediction - effective)
        for prediction in (predicted.champion[keep], predicted.challenger[keep])
    ]
    drawn = rng.multinomial(patients, np.full(patients, 1 / patients), _REPLICATES)
    squares = np.array(
        [
            [_mean_square(group, error, weight * count[patient]) for group, error in models]
            for count in (np.ones(patients, np.int64), *drawn)
        ]
    )
    change = squares[:, 1] - squares[:, 0]
    champion, challenger = np.sqrt(squares[0]).tolist()
    return CalibrationChange(float(change[0]), float(change[1:].std()), champion, challenger)


def _groups(prediction: Column) -> Int64[np.ndarray, " decision"]:
    """Tenths by rank; equal predictions stay together."""
    order = np.searchsorted(np.sort(prediction), prediction)
    return np.minimum(order * GROUPS // len(prediction), GROUPS - 1)


def _mean_square(group: Int64[np.ndarray, " decision"], error: Column, weight: Column) -> float:
    """Mean over groups, by their weight, of the squared mean error."""
    total = np.bincount(group, weight, GROUPS)
    mean = np.bincount(group, weight * error, GROUPS) / np.maximum(total, 1e-12)
    return float((total * mean**2).sum() / total.sum())
