"""The report's figures, as matplotlib Figures without any global state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import MaxNLocator

from posology.evaluation.classification import RocCurve
from posology.evaluation.table1.calibration import Calibration
from posology.evaluation.table1.comparison import Table1
from posology.evaluation.table1.dose_error import TOLERANCE, has_both_doses
from posology.evaluation.table1.metrics import LOWER_IS_BETTER
from posology.evaluation.table1.subgroups import SubgroupRow
from posology.report.svg import GRID, INK, MUTED, SERIES
from posology.report.table1 import text as words

_MARKERS = ("o", "s", "^", "D", "v", "P")
_LINES = ("-", "--", "-.", ":")


_LONGEST = 36
_CUT = 3.0
"""A difference beyond three times the median one is written at the edge; our own choice."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a figure calls its axis and how it names the unit of a dose."""

    unit: str
    what: str = "dose"


def roc_figure(curves: Sequence[RocCurve], names: Sequence[str]) -> Figure:
    """Each option against the rest."""
    figure, axes = _square()
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=1)
    for c in curves:
        axes.plot(
            c.false_positive_rate, c.true_positive_rate, _LINES[c.treatment % len(_LINES)],
            linewidth=1.8,
            color=SERIES[c.treatment % len(SERIES)],
            label=f"{short(names[c.treatment])}: {c.auc:.3f}",
        )  # fmt: skip
    _unit_square(axes, "False positives (1 - specificity)", "True positives (sensitivity)")
    legend(axes, "lower right", "Area under the curve")
    return figure


def calibration_figure(found: Sequence[Calibration], names: Sequence[str]) -> Figure:
    """Observed share against stated probability, with Wilson intervals."""
    figure, axes = _square()
    axes.plot([0, 1], [0, 1], color=GRID, linewidth=1)
    for c in found:
        color = SERIES[c.treatment % len(SERIES)]
        x = np.array([b.predicted for b in c.bins])
        y = np.array([b.observed for b in c.bins])
        away = np.array([[b.observed - b.low, b.high - b.observed] for b in c.bins]).T
        axes.errorbar(
            x,
            y,
            np.maximum(away, 0),
            color=color,
            linestyle=_LINES[c.treatment % len(_LINES)],
            marker=_MARKERS[c.treatment % len(_MARKERS)],
            markersize=4.5,
            linewidth=1.4,
            elinewidth=0.9,
            label=short(names[c.treatment]),
        )
    _unit_square(axes, "Stated probability", "Observed share")
    legend(axes, "upper left", None)
    return figure


def dose_figure(
    dose: Float64[np.ndarray, " decision"], truth: Float64[np.ndarray, " decision"], unit: str
) -> Figure:
    """Predicted against true dose, with the band of 20 %; both axes share one scale.

    The axes end at the 99.5th percentile of the true doses; points beyond stand at the edge.
    """
    figure, axes = _square()
    known = has_both_doses(dose, truth)
    x, y = truth[known], dose[known]
    edge = _round_up(float(np.quantile(np.maximum(x, y), 0.995))) if len(x) else 1.0
    line = np.array([0.0, edge])
    axes.fill_between(
        line, (1 - TOLERANCE) * line, (1 + TOLERANCE) * line, color=SERIES[0], alpha=0.13,
        linewidth=0,
        label="within 20 %",
    )  # fmt: skip
    axes.plot(line, line, color=MUTED, linewidth=1)
    beyond = (x > edge) | (y > edge)
    axes.plot(x[~beyond], y[~beyond], "o", color=SERIES[0], alpha=0.4, markersize=3, mew=0)
    if beyond.any():
        axes.plot(
            np.minimum(x[beyond], edge), np.minimum(y[beyond], edge), ">", color=SERIES[1],
            markersize=5, mew=0, clip_on=False, label=f"{int(beyond.sum())} beyond the axes",
        )  # fmt: skip
    axes.set(xlim=(0, edge), ylim=(0, edge))
    axes.set_aspect("equal")
    named(axes, f"Dose that proved right ({unit})", f"Predicted dose ({unit})")
    legend(axes, "upper left", None)
    return figure


def contrast_figure(table: Table1, metric: str) -> Figure:
    """The reference minus each baseline, with intervals: a forest plot.

    A triangle is a verdict after Holm's correction; an arrow at the edge is a baseline too far off
    for the axis, with its difference and interval in figures.
    """
    tests = words.baseline_tests(table, metric)
    figure = Figure(figsize=(5.6, 0.9 + 0.34 * max(len(tests), 1)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=MUTED, linewidth=1)
    colors = {"better": SERIES[2], "worse": SERIES[1], "tie": MUTED}
    marks = {"better": "^", "worse": "v", "tie": "o"}
    edge = _CUT * float(np.median([abs(t.difference) for t in tests])) if tests else 0.0
    for y, t in enumerate(reversed(tests)):
        color = colors[t.verdict]
        if edge and abs(t.difference) > edge:  # one far model must not squeeze the close ones
            at, side = np.copysign(edge, t.difference), "<" if t.difference < 0 else ">"
            axes.plot(at, y, side, color=color, markersize=7)
            inward = 1 if at < 0 else -1
            label = f"{words.signed(metric, t.difference)} ({words.span(metric, t.low, t.high)})"
            axes.annotate(
                label, (at, y), (8 * inward, 0), va="center",
                textcoords="offset points", ha="left" if at < 0 else "right", color=INK, fontsize=9,
            )  # fmt: skip
            continue
        away = [[max(t.difference - t.low, 0.0)], [max(t.high - t.difference, 0.0)]]
        axes.errorbar(
            t.difference, y, xerr=away, fmt=marks[t.verdict], color=color, markersize=6.5,
            elinewidth=1.8,
        )  # fmt: skip
    axes.set_yticks(range(len(tests)), [short(words.model_name(t.model)) for t in reversed(tests)])
    axes.set_ylim(-0.6, len(tests) - 0.4)
    better = "left" if metric in LOWER_IS_BETTER else "right"
    unit = f", {table.dose_unit}" if metric == "mae" else ""
    label = f"{words.HEADS[metric]}{unit}: difference of {table.reference} (better to the {better})"
    named(axes, label, "")
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    return figure


def group_figure(rows: Sequence[SubgroupRow], whole: float, wording: Wording) -> Figure:
    """One metric by group with intervals; the line is the figure of all patients together."""
    judged = [r for r in rows if r.is_estimated]
    figure = Figure(figsize=(5.6, 0.9 + 0.3 * max(len(judged), 1)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(whole, color=MUTED, linewidth=1, linestyle="--")
    families = list(dict.fromkeys(r.family for r in judged))
    for y, r in enumerate(reversed(judged)):
        away = [[max(r.value - r.low, 0.0)], [max(r.high - r.value, 0.0)]]
        at = families.index(r.family)
        axes.errorbar(
            r.value, y, xerr=away, fmt=_MARKERS[at % len(_MARKERS)],
            color=SERIES[at % len(SERIES)], markersize=5.5, elinewidth=1.6,
        )  # fmt: skip
    axes.set_yticks(
        range(len(judged)),
        [f"{short(f'{r.family}: {r.group}')} (n = {r.n:,})" for r in reversed(judged)],
    )
    axes.set_ylim(-0.6, len(judged) - 0.4)
    named(axes, f"{wording.what} ({wording.unit})" if wording.unit else wording.what, "")
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    return figure


def learning_figure(epochs: Sequence[Mapping[str, int | float]]) -> Figure:
    """One panel a quantity, `train_x` and `validation_x` together; `epoch` is the axis."""
    keys = [k for k in dict.fromkeys(k for e in epochs for k in e) if k != "epoch"]
    panels: dict[str, list[str]] = {}
    for key in keys:
        panels.setdefault(_stem(key), []).append(key)
    panels = panels or {"nothing recorded": []}
    columns = min(len(panels), 3)
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(1.0 + 3.0 * columns, 2.5 * lines), layout="constrained")
    for at, (stem, members) in enumerate(panels.items()):
        axes = figure.add_subplot(lines, columns, at + 1)
        for color, key in enumerate(members):
            points = [(e.get("epoch", i + 1), e[key]) for i, e in enumerate(epochs) if key in e]
            x, y = zip(*points, strict=True)
            label = short(key.removesuffix(stem).strip("_") or stem)
            axes.plot(
                x, y, _LINES[color % len(_LINES)], color=SERIES[color % len(SERIES)], label=label
            )
        axes.set_title(short(stem.replace("_", " ")), fontsize=10, color=INK, loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        named(axes, "epoch", "")
        axes.grid(axis="y", color=GRID, linewidth=0.6)
        if len(members) > 1:
            legend(axes, "best", None)
    return figure


def short(text: str) -> str:
    """A label short enough to leave room for the figure; the tables have it whole."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _stem(key: str) -> str:
    for part in ("train_", "validation_", "valid_"):
        if key.startswith(part):
            return key[len(part) :]
    return key


def _square() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    return figure, figure.add_subplot()


def _unit_square(axes: Axes, x: str, y: str) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_aspect("equal")
    named(axes, x, y)


def named(axes: Axes, x: str, y: str) -> None:
    """Axes in the page's colours, with what they show."""
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.tick_params(colors=MUTED, labelcolor=INK, length=3)
    for side, spine in axes.spines.items():
        spine.set_color(GRID)
        spine.set_visible(side in ("left", "bottom"))
    axes.set_facecolor("none")


_Corner = Literal["lower right", "upper left", "best"]


def legend(axes: Axes, where: _Corner, title: str | None) -> None:
    """A legend in the page's colours."""
    small = FontProperties(size=9)
    drawn = axes.legend(
        loc=where,
        title=title,
        frameon=False,
        labelcolor=INK,
        prop=small,
        title_fontproperties=small,
    )
    drawn.get_title().set_color(INK)


def _round_up(value: float) -> float:
    step = 10.0 ** np.floor(np.log10(value)) / 10
    return float(np.ceil(value / step) * step)
