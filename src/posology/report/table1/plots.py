"""The figures of the Table 1 page, as matplotlib Figures without global state."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from posology.evaluation.classification import RocCurve
from posology.evaluation.table1.calibration import Calibration
from posology.evaluation.table1.comparison import Table1
from posology.evaluation.table1.dose_error import TOLERANCE, has_both_doses
from posology.evaluation.table1.metrics import LOWER_IS_BETTER
from posology.evaluation.table1.subgroups import SubgroupRow
from posology.report.plots import LINES, MARKERS, add_legend, label_axes, label_rows, wrap_label
from posology.report.svg import GRID, INK, MUTED, SERIES
from posology.report.table1 import text

_MAX_RELATIVE_DIFFERENCE = 3.0
"""A difference larger than this many medians is written at the edge; our choice."""


def plot_roc(curves: Sequence[RocCurve], names: Sequence[str]) -> Figure:
    """The ROC curve of each option against the rest."""
    figure, axes = _square_figure()
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=1)
    for c in curves:
        axes.plot(
            c.false_positive_rate,
            c.true_positive_rate,
            LINES[c.treatment % len(LINES)],
            linewidth=1.8,
            color=SERIES[c.treatment % len(SERIES)],
            label=f"{wrap_label(names[c.treatment])}: {c.auc:.3f}",
        )
    _limit_to_unit_square(axes, "False positives (1 - specificity)", "True positives (sensitivity)")
    add_legend(axes, "lower right", "Area under the curve")
    return figure


def plot_calibration(calibrations: Sequence[Calibration], names: Sequence[str]) -> Figure:
    """Observed frequency against predicted probability, with Wilson intervals."""
    figure, axes = _square_figure()
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=1)
    for c in calibrations:
        color = SERIES[c.treatment % len(SERIES)]
        x = np.array([b.predicted for b in c.bins])
        y = np.array([b.observed for b in c.bins])
        arms = np.array([[b.observed - b.low, b.high - b.observed] for b in c.bins]).T
        axes.errorbar(
            x,
            y,
            np.maximum(arms, 0),
            color=color,
            linestyle=LINES[c.treatment % len(LINES)],
            marker=MARKERS[c.treatment % len(MARKERS)],
            markersize=4.5,
            linewidth=1.4,
            elinewidth=0.9,
            label=wrap_label(names[c.treatment]),
        )
    _limit_to_unit_square(axes, "Predicted probability", "Observed frequency")
    add_legend(axes, "upper left", None)
    return figure


def plot_doses(
    predicted: Float64[np.ndarray, " decision"],
    correct: Float64[np.ndarray, " decision"],
    unit: str,
) -> Figure:
    """Predicted against correct dose, with a band of 20 %; both axes have the same scale.

    The axes end at the 99.5th percentile; points beyond it are drawn at the edge.
    """
    figure, axes = _square_figure()
    known = has_both_doses(predicted, correct)
    x, y = correct[known], predicted[known]
    edge = _round_up(float(np.quantile(np.maximum(x, y), 0.995))) if len(x) else 1.0
    line = np.array([0.0, edge])
    axes.fill_between(
        line,
        (1 - TOLERANCE) * line,
        (1 + TOLERANCE) * line,
        color=SERIES[0],
        alpha=0.13,
        linewidth=0,
        label="within 20 %",
    )
    axes.plot(line, line, color=MUTED, linewidth=1)
    beyond = (x > edge) | (y > edge)
    axes.plot(x[~beyond], y[~beyond], "o", color=SERIES[0], alpha=0.4, markersize=3, mew=0)
    if beyond.any():
        axes.plot(
            np.minimum(x[beyond], edge),
            np.minimum(y[beyond], edge),
            ">",
            color=SERIES[1],
            markersize=5,
            mew=0,
            clip_on=False,
            label=f"{int(beyond.sum())} beyond the axes",
        )
    axes.set(xlim=(0, edge), ylim=(0, edge))
    axes.set_aspect("equal")
    label_axes(axes, f"Correct dose ({unit})", f"Predicted dose ({unit})")
    add_legend(axes, "upper left", None)
    return figure


def plot_contrasts(table: Table1, metric: str) -> Figure:
    """Forest plot of the reference minus each baseline, with 95 % intervals.

    A triangle is a significant difference after Holm's correction. An arrow at the edge is a
    difference too large for the axis, with its value and interval written next to it.
    """
    tests = text.baseline_tests(table, metric)
    figure = Figure(figsize=(5.6, 0.9 + 0.34 * max(len(tests), 1)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=MUTED, linewidth=1)
    colors = {"better": SERIES[2], "worse": SERIES[1], "tie": MUTED}
    marks = {"better": "^", "worse": "v", "tie": "o"}
    median = float(np.median([abs(t.difference) for t in tests])) if tests else 0.0
    edge = _MAX_RELATIVE_DIFFERENCE * median
    for y, t in enumerate(reversed(tests)):
        color = colors[t.verdict]
        if edge and abs(t.difference) > edge:  # one large difference must not squeeze the others
            at, side = np.copysign(edge, t.difference), "<" if t.difference < 0 else ">"
            axes.plot(at, y, side, color=color, markersize=7)
            inward = 1 if at < 0 else -1
            interval = text.format_interval(metric, t.low, t.high)
            label = f"{text.format_difference(metric, t.difference)} ({interval})"
            axes.annotate(
                label,
                (at, y),
                (8 * inward, 0),
                va="center",
                textcoords="offset points",
                ha="left" if at < 0 else "right",
                color=INK,
                fontsize=9,
            )
            continue
        arms = [[max(t.difference - t.low, 0.0)], [max(t.high - t.difference, 0.0)]]
        axes.errorbar(
            t.difference,
            y,
            xerr=arms,
            fmt=marks[t.verdict],
            color=color,
            markersize=6.5,
            elinewidth=1.8,
        )
    label_rows(axes, [text.model_name(t.model) for t in tests], 0.34)
    axes.set_ylim(-0.6, len(tests) - 0.4)
    better = "left" if metric in LOWER_IS_BETTER else "right"
    unit = f", {table.dose_unit}" if metric == "mae" else ""
    title = f"{text.METRIC_TITLES[metric]}{unit}"
    label_axes(axes, f"{title}: difference of {table.reference} (better to the {better})", "")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    return figure


def plot_groups(rows: Sequence[SubgroupRow], overall: float, label: str) -> Figure:
    """One metric by group with 95 % intervals; the line is the value of all patients."""
    estimated = [r for r in rows if r.is_estimated]
    figure = Figure(figsize=(5.6, 0.9 + 0.3 * max(len(estimated), 1)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(overall, color=MUTED, linewidth=1, linestyle="--")
    families = list(dict.fromkeys(r.family for r in estimated))
    for y, r in enumerate(reversed(estimated)):
        arms = [[max(r.value - r.low, 0.0)], [max(r.high - r.value, 0.0)]]
        at = families.index(r.family)
        axes.errorbar(
            r.value,
            y,
            xerr=arms,
            fmt=MARKERS[at % len(MARKERS)],
            color=SERIES[at % len(SERIES)],
            markersize=5.5,
            elinewidth=1.6,
        )
    label_rows(axes, [f"{r.family}: {r.group} (n = {r.n:,})" for r in estimated], 0.3)
    axes.set_ylim(-0.6, len(estimated) - 0.4)
    label_axes(axes, label, "")
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    return figure


def _square_figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    return figure, figure.add_subplot()


def _limit_to_unit_square(axes: Axes, x: str, y: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_aspect("equal")
    label_axes(axes, x, y)


def _round_up(value: float) -> float:
    step = 10.0 ** np.floor(np.log10(value)) / 10
    return float(np.ceil(value / step) * step)
