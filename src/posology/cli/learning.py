"""How a network learned, as an artifact keeps it and a report shows it."""

from collections.abc import Mapping

from posology.learners.network.checkpoint import Epoch

Learning = tuple[tuple[str, list[dict[str, float]]], ...]
"""(phase, one dict an epoch): `epoch`, and each loss as `train_x` and `validation_x`."""


def learned(curves: Mapping[str, list[Epoch]]) -> Learning:
    """What a report shows of the epochs of each phase."""
    return tuple((phase, [_told(epoch) for epoch in epochs]) for phase, epochs in curves.items())


def kept(evidence: Mapping) -> Learning:
    """The same of a saved policy's evidence; nothing where it was saved without."""
    return tuple((phase, epochs) for phase, epochs in evidence.get("learning", ()))


def _told(epoch: Epoch) -> dict[str, float]:
    return (
        {"epoch": float(epoch.number)}
        | {f"train_{name}": value for name, value in epoch.train.items()}
        | {f"validation_{name}": value for name, value in epoch.validation.items()}
    )
