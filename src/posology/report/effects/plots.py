"""The figures of the effect page."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from posology.evaluation.effects.abstention import AbstentionPoint
from posology.evaluation.effects.benefit import BenefitCalibration, NetBenefit
from posology.evaluation.effects.overlap import Balance
from posology.evaluation.intervals import Difference, Interval
from posology.report.plots import add_legend, label_axes, label_rows
from posology.report.svg import GRID, MUTED, SERIES

MAX_COVARIATES = 25
"""Of a balance figure, the least balanced ones."""


def plot_forest(rows: Sequence[tuple[str, Difference | Interval]], label: str) -> Figure:
    """Forest plot of estimates with 95 % intervals; diamonds: the interval excludes 0."""
    figure = Figure(figsize=(5.6, 0.9 + 0.34 * max(len(rows), 1)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=MUTED, linewidth=1)
    for y, (_, estimate) in enumerate(reversed(rows)):
        value, low, high = estimate.value, estimate.low, estimate.high
        arms = [[max(value - low, 0.0)], [max(high - value, 0.0)]]
        is_significant = low > 0 or high < 0
        axes.errorbar(
            value,
            y,
            xerr=arms,
            fmt="D" if is_significant else "o",
            color=SERIES[0] if is_significant else MUTED,
            markersize=6,
            elinewidth=1.8,
        )
    label_rows(axes, [name for name, _ in rows], 0.34)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    label_axes(axes, label, "")
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    return figure


def plot_benefit(calibration: BenefitCalibration, factor: float, unit: str) -> Figure:
    """Observed against predicted benefit, in groups of equal size."""
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    x = factor * np.array([group.predicted for group in calibration.groups])
    observed = factor * np.array(
        [[g.observed.value, g.observed.low, g.observed.high] for g in calibration.groups]
    )
    ends = [float(x.min()), float(x.max())]
    axes.plot(ends, ends, color=MUTED, linewidth=1, label="perfect")
    axes.axhline(0, color=GRID, linewidth=1)
    arms = np.abs(observed[:, 1:].T - observed[:, 0])
    axes.errorbar(
        x,
        observed[:, 0],
        arms,
        fmt="o",
        color=SERIES[0],
        markersize=5,
        elinewidth=1.4,
        label="groups of patients",
    )
    label_axes(axes, f"Predicted benefit ({unit})", f"Observed benefit ({unit})")
    add_legend(axes, "best", None)
    return figure


def plot_decision_curve(curve: Sequence[NetBenefit], factor: float, unit: str) -> Figure:
    """Net benefit by the smallest benefit that justifies treatment, with 95 % intervals."""
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    at = factor * np.array([point.threshold for point in curve])
    model = factor * np.array([[p.model.value, p.model.low, p.model.high] for p in curve])
    treat_all = factor * np.array([p.treat_all.value for p in curve])
    axes.axhline(0, color=MUTED, linewidth=1, label="treat none")
    axes.plot(at, treat_all, "--", color=SERIES[1], label="treat all")
    axes.plot(at, model[:, 0], "-", color=SERIES[0], label="treat by the model")
    axes.fill_between(at, model[:, 1], model[:, 2], color=SERIES[0], alpha=0.13, linewidth=0)
    label_axes(axes, f"Required benefit ({unit})", f"Net benefit ({unit})")
    add_legend(axes, "best", None)
    return figure


def plot_abstention(curve: Sequence[AbstentionPoint], factor: float, unit: str) -> Figure:
    """Mean outcome by the share of the least certain patients that is left to clinicians."""
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    left = [100 * point.abstained_share for point in curve]
    value = factor * np.array([[p.value.value, p.value.low, p.value.high] for p in curve])
    axes.fill_between(left, value[:, 1], value[:, 2], color=SERIES[0], alpha=0.13, linewidth=0)
    axes.plot(left, value[:, 0], "-o", color=SERIES[0], markersize=4, label="rule for the others")
    axes.axhline(value[-1, 0], color=MUTED, linewidth=1, linestyle="--", label="usual care")
    label_axes(axes, "Patients left to clinicians (%)", f"Mean outcome ({unit})")
    add_legend(axes, "best", None)
    return figure


def plot_balance(rows: Sequence[Balance]) -> Figure:
    """Largest difference of each covariate between two options, before and after weighting."""
    worst: dict[str, list[float]] = {}
    for row in rows:
        both = worst.setdefault(row.covariate, [0.0, 0.0])
        both[0] = max(both[0], abs(np.nan_to_num(row.before)))
        both[1] = max(both[1], abs(np.nan_to_num(row.after)))
    shown = sorted(worst.items(), key=lambda item: -max(item[1]))[:MAX_COVARIATES][::-1]
    figure = Figure(figsize=(5.6, 1.0 + 0.24 * max(len(shown), 1)), layout="constrained")
    axes = figure.add_subplot()
    y = range(len(shown))
    axes.axvline(0.1, color=MUTED, linewidth=1, linestyle="--")
    axes.plot([b for _, (b, _) in shown], y, "o", color=SERIES[1], mfc="none", label="before")
    axes.plot([a for _, (_, a) in shown], y, "o", color=SERIES[0], label="after weighting")
    label_rows(axes, [name for name, _ in reversed(shown)], 0.24)
    axes.set_xlim(left=0)
    label_axes(axes, "Largest standardised mean difference", "")
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    add_legend(axes, "best", None)
    return figure
