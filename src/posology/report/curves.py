"""Learning curves: training and validation loss an epoch, one figure a phase."""

from collections.abc import Mapping, Sequence

from posology.report.svg import svg
from posology.report.table1.plots import learning_figure


def drawn_learning(
    phases: Sequence[tuple[str, Sequence[Mapping[str, int | float]]]],
) -> list[dict[str, str]]:
    """Each phase's figure and its name; a phase without an epoch has none."""
    return [
        {"svg": svg(learning_figure(epochs), f"learning-{at}", _said(phase, epochs)),
         "caption": phase}
        for at, (phase, epochs) in enumerate(phases) if epochs
    ]  # fmt: skip


def _said(phase: str, epochs: Sequence[Mapping[str, int | float]]) -> str:
    """What a reader who does not see the curves is told: where each began and ended."""
    first, last = epochs[0], epochs[-1]
    ends = [
        f"{name.replace('_', ' ')} {first[name]:.3g} to {last[name]:.3g}"
        for name in first
        if name != "epoch" and name in last
    ]
    return f"Learning curves, {phase}, {len(epochs)} epochs: " + "; ".join(ends)
