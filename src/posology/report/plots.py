"""What the figures of several pages share: axes, legends, learning curves."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import FuncFormatter, MaxNLocator, ScalarFormatter

from posology.report.axis import tick_label
from posology.report.inline_figure import InlineFigure
from posology.report.svg import GRID, INK, MUTED, SERIES, inline_figure

MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", "-.", ":")

_MAX_LINE = 36
_LINE = 0.165
"""Height of a line of a label, in inches."""
_AXES_WIDTH, _CHARACTER = 3.4, 0.075
"""Least width of the axes beside the names of rows, and the width of a character, in inches."""
_Epochs = Sequence[Mapping[str, int | float]]
_Corner = Literal["lower right", "upper left", "best"]


def wrap_label(text: str) -> str:
    """The whole label, in lines of at most 36 characters."""
    return "\n".join(wrap(text, _MAX_LINE)) or text


def label_rows(axes: Axes, names: Sequence[str], row: float) -> None:
    """Name the rows of a forest plot from the top down; its figure grows with them.

    Args:
        axes: the only ones of their figure.
        names: of the rows.
        row: height of a row of one line, in inches.
    """
    labels = [wrap_label(name) for name in reversed(names)]
    lines = max((label.count("\n") + 1 for label in labels), default=1)
    axes.set_yticks(range(len(labels)), labels)
    if isinstance(axes.figure, Figure):
        height = 0.9 + max(row, _LINE * lines + 0.04) * max(len(labels), 1)
        longest = max((len(line) for label in labels for line in label.split("\n")), default=0)
        width = max(axes.figure.get_figwidth(), _AXES_WIDTH + _CHARACTER * longest)
        axes.figure.set_size_inches(width, height)


def label_axes(axes: Axes, x: str, y: str) -> None:
    """Set the labels of axes that have their data, and write and colour them as the page does."""
    axes.set_xlabel(wrap_label(x), color=INK)
    axes.set_ylabel(wrap_label(y), color=INK)
    axes.tick_params(colors=MUTED, labelcolor=INK, length=3)
    _mark_thousands(axes.xaxis)
    _mark_thousands(axes.yaxis)
    for side, spine in axes.spines.items():
        spine.set_color(GRID)
        spine.set_visible(side in ("left", "bottom"))
    axes.set_facecolor("none")


def _mark_thousands(axis: Axis) -> None:
    is_large = max(map(abs, axis.get_view_interval())) >= 1000
    if is_large and isinstance(axis.get_major_formatter(), ScalarFormatter):
        axis.set_major_formatter(FuncFormatter(lambda tick, _: tick_label(tick)))


def add_legend(axes: Axes, corner: _Corner, title: str | None) -> None:
    """Add a legend in the page's colours."""
    small = FontProperties(size=9)
    legend = axes.legend(
        loc=corner,
        title=title,
        frameon=False,
        labelcolor=INK,
        prop=small,
        title_fontproperties=small,
    )
    legend.get_title().set_color(INK)


def learning_figures(phases: Sequence[tuple[str, _Epochs]]) -> tuple[InlineFigure, ...]:
    """The learning curves of each training phase that has an epoch.

    Args:
        phases: name and epochs; an epoch has `epoch`, and `train_x`, `validation_x` of metrics x.
    """
    return tuple(
        inline_figure(plot_learning(epochs), f"learning-{at}", _describe(phase, epochs), phase)
        for at, (phase, epochs) in enumerate(phases)
        if epochs
    )


def plot_learning(epochs: _Epochs) -> Figure:
    """One panel for each metric, with its training and validation curves."""
    keys = [k for k in dict.fromkeys(k for e in epochs for k in e) if k != "epoch"]
    panels: dict[str, list[str]] = {}
    for key in keys:
        panels.setdefault(_metric(key), []).append(key)
    panels = panels or {"nothing recorded": []}
    columns = min(len(panels), 3)
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(1.0 + 3.0 * columns, 2.5 * lines), layout="constrained")
    for at, (metric, members) in enumerate(panels.items()):
        axes = figure.add_subplot(lines, columns, at + 1)
        for color, key in enumerate(members):
            points = [(e.get("epoch", i + 1), e[key]) for i, e in enumerate(epochs) if key in e]
            x, y = zip(*points, strict=True)
            label = wrap_label(key.removesuffix(metric).strip("_") or metric)
            axes.plot(
                x, y, LINES[color % len(LINES)], color=SERIES[color % len(SERIES)], label=label
            )
        axes.set_title(wrap_label(metric.replace("_", " ")), fontsize=10, color=INK, loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        label_axes(axes, "epoch", "")
        axes.grid(axis="y", color=GRID, linewidth=0.6)
        if len(members) > 1:
            add_legend(axes, "best", None)
    return figure


def _metric(key: str) -> str:
    for prefix in ("train_", "validation_", "valid_"):
        if key.startswith(prefix):
            return key[len(prefix) :]
    return key


def _describe(phase: str, epochs: _Epochs) -> str:
    """First and last value of each curve, for readers who cannot see the figure."""
    first, last = epochs[0], epochs[-1]
    ends = [
        f"{name.replace('_', ' ')} {first[name]:.3g} to {last[name]:.3g}"
        for name in first
        if name != "epoch" and name in last
    ]
    return f"Learning curves, {phase}, {len(epochs)} epochs: " + "; ".join(ends)
