"""The figures of the effect page."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from posology.evaluation.effects.abstention import AbstentionPoint
from posology.evaluation.effects.benefit import BenefitCalibration, NetBenefit
from posology.report.plots import add_legend, label_axes
from posology.report.svg import GRID, MUTED, SERIES


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
