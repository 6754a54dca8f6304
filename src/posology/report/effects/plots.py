"""Figures of the report on effects."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from posology.evaluation.effects.abstention import AbstentionPoint
from posology.evaluation.effects.benefit import BenefitCalibration, NetBenefit
from posology.evaluation.effects.overlap import Balance
from posology.evaluation.intervals import Difference, Interval
from posology.report.svg import GRID, MUTED, SERIES
from posology.report.table1.plots import legend, named, short

MOST_COVARIATES = 25
"""Of a balance figure; the least balanced first."""


def forest_figure(rows: Sequence[tuple[str, Difference | Interval]], what: str) -> Figure:
    """Estimates with 95 % intervals, one line each; the line at 0 is no difference."""
    figure = Figure(figsize=(5.6, 0.9 + 0.34 * max(len(rows), 1)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=MUTED, linewidth=1)
    for y, (_, span) in enumerate(reversed(rows)):
        away = [[max(span.value - span.low, 0.0)], [max(span.high - span.value, 0.0)]]
        clear = span.low > 0 or span.high < 0
        axes.errorbar(
            span.value, y, xerr=away, fmt="D" if clear else "o",
            color=SERIES[0] if clear else MUTED, markersize=6, elinewidth=1.8,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [short(name) for name, _ in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    named(axes, what, "")
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    return figure


def benefit_figure(found: BenefitCalibration, factor: float, what: str) -> Figure:
    """Observed against predicted benefit, in groups of equal size."""
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    x = factor * np.array([group.predicted for group in found.groups])
    spans = factor * np.array(
        [[g.observed.value, g.observed.low, g.observed.high] for g in found.groups]
    )
    ends = [float(x.min()), float(x.max())]
    axes.plot(ends, ends, color=MUTED, linewidth=1, label="perfect")
    axes.axhline(0, color=GRID, linewidth=1)
    away = np.abs(spans[:, 1:].T - spans[:, 0])
    axes.errorbar(x, spans[:, 0], away, fmt="o", color=SERIES[0], markersize=5, elinewidth=1.4,
                  label="groups of patients")  # fmt: skip
    named(axes, f"Predicted benefit ({what})", f"Observed benefit ({what})")
    legend(axes, "best", None)
    return figure


def decision_figure(curve: Sequence[NetBenefit], factor: float, what: str) -> Figure:
    """Net benefit by the benefit asked of a treatment, with the interval of the model's."""
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    at = factor * np.array([point.threshold for point in curve])
    model = factor * np.array([[p.model.value, p.model.low, p.model.high] for p in curve])
    everybody = factor * np.array([p.treat_all.value for p in curve])
    axes.axhline(0, color=MUTED, linewidth=1, label="nobody")
    axes.plot(at, everybody, "--", color=SERIES[1], label="everybody")
    axes.plot(at, model[:, 0], "-", color=SERIES[0], label="by the model")
    axes.fill_between(at, model[:, 1], model[:, 2], color=SERIES[0], alpha=0.13, linewidth=0)
    named(axes, f"Benefit asked of it ({what})", f"Net benefit ({what})")
    legend(axes, "best", None)
    return figure


def abstention_figure(curve: Sequence[AbstentionPoint], factor: float, what: str) -> Figure:
    """Mean outcome by the share of patients, the least sure first, left to clinicians."""
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    left = [100 * point.abstained_share for point in curve]
    value = factor * np.array([[p.value.value, p.value.low, p.value.high] for p in curve])
    axes.fill_between(left, value[:, 1], value[:, 2], color=SERIES[0], alpha=0.13, linewidth=0)
    axes.plot(left, value[:, 0], "-o", color=SERIES[0], markersize=4, label="the rule for the rest")
    axes.axhline(value[-1, 0], color=MUTED, linewidth=1, linestyle="--", label="usual care")
    named(axes, "Patients left to clinicians (%)", f"Mean outcome ({what})")
    legend(axes, "best", None)
    return figure


def balance_figure(rows: Sequence[Balance]) -> Figure:
    """Largest standardised mean difference of each covariate, before and after weighting."""
    worst: dict[str, list[float]] = {}
    for row in rows:
        both = worst.setdefault(row.covariate, [0.0, 0.0])
        both[0] = max(both[0], abs(np.nan_to_num(row.before)))
        both[1] = max(both[1], abs(np.nan_to_num(row.after)))
    shown = sorted(worst.items(), key=lambda item: -max(item[1]))[:MOST_COVARIATES][::-1]
    figure = Figure(figsize=(5.6, 1.0 + 0.24 * max(len(shown), 1)), layout="constrained")
    axes = figure.add_subplot()
    y = range(len(shown))
    axes.axvline(0.1, color=MUTED, linewidth=1, linestyle="--")
    axes.plot([b for _, (b, _) in shown], y, "o", color=SERIES[1], mfc="none", label="before")
    axes.plot([a for _, (_, a) in shown], y, "o", color=SERIES[0], label="after weighting")
    axes.set_yticks(y, [short(name) for name, _ in shown])
    axes.set_xlim(left=0)
    named(axes, "Largest standardised mean difference", "")
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    legend(axes, "best", None)
    return figure
