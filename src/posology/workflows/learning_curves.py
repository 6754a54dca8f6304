"""Learning curves as a saved policy stores them and a report shows them."""

from collections.abc import Mapping
from typing import Any

from posology.learners.network.checkpoint import Epoch

LearningCurves = tuple[tuple[str, list[dict[str, float]]], ...]
"""(phase, one dict an epoch): `epoch`, and each loss as `train_x` and `validation_x`."""


def to_learning_curves(phases: Mapping[str, list[Epoch]]) -> LearningCurves:
    """The epochs of each phase as plain numbers."""
    return tuple((phase, [_losses(epoch) for epoch in epochs]) for phase, epochs in phases.items())


def stored_learning_curves(evidence: Mapping[str, Any]) -> LearningCurves:
    """The learning curves in a saved policy's evidence; empty if it has none."""
    return tuple((phase, epochs) for phase, epochs in evidence.get("learning", ()))


def _losses(epoch: Epoch) -> dict[str, float]:
    return (
        {"epoch": float(epoch.number)}
        | {f"train_{name}": value for name, value in epoch.train.items()}
        | {f"validation_{name}": value for name, value in epoch.validation.items()}
    )
