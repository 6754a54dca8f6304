"""Estimates with intervals as one small SVG per row of a table: nothing is cut at any width.

x is in per cent of the cell, y in pixels, so that marks and text keep their size. The shape carries
the meaning, the colour repeats it: a triangle up is better, one down is worse, a dot is no clear
difference, a hollow diamond is the reference.
"""

import math
from collections.abc import Callable, Sequence

from posology.evaluation.intervals import Difference, Interval
from posology.report.axis import axis_ticks, tick_label

BETTER, WORSE, SAME, REFERENCE = "good", "bad", "same", "reference"
"""Classes of a row; the style sheet gives them colours."""
_HEIGHT, _MIDDLE = 24, 12
_MARKS = {
    BETTER: '<path d="M0-6L6 5H-6Z"/>',
    WORSE: '<path d="M0 6L6-5H-6Z"/>',
    SAME: '<circle r="4.5"/>',
    REFERENCE: '<path class="hollow" d="M0-6L6 0L0 6L-6 0Z"/>',
}
_MARGIN = 0.06
"""Share of the width left free at either side."""
_EDGE = 5.0
"""Per cent of the width from an edge in which a label would be cut."""


def reading(estimate: Difference | Interval, higher_is_better: bool = True) -> str:
    """Class of a difference: whether its interval excludes 0, and on which side."""
    if estimate.low == estimate.high == 0:
        return REFERENCE
    if estimate.low > 0:
        return BETTER if higher_is_better else WORSE
    if estimate.high < 0:
        return WORSE if higher_is_better else BETTER
    return SAME


def forest_cells(
    rows: Sequence[Difference | Interval | None], higher_is_better: bool = True
) -> tuple[tuple[str, ...], str]:
    """The SVG of each row, "" without an estimate, and the SVG of the axis.

    Args:
        rows: differences in printed units.
        higher_is_better: whether a difference above 0 is good.
    """
    known = [row for row in rows if row is not None and math.isfinite(row.low + row.high)]
    low = min([0.0, *(row.low for row in known)])
    high = max([0.0, *(row.high for row in known)])
    span = (high - low) or 1.0
    low, high = low - _MARGIN * span, high + _MARGIN * span

    def place(x: float) -> float:
        return 100 * (x - low) / (high - low)

    cells = tuple(
        _cell(row, place(0.0), place, higher_is_better) if row in known else "" for row in rows
    )
    return cells, _axis(low, high, place(0.0))


def _cell(
    row: Difference | Interval, zero: float, place: Callable[[float], float], higher_is_better: bool
) -> str:
    kind = reading(row, higher_is_better)
    left, middle, right = (place(x) for x in (row.low, row.value, row.high))
    title = f"{row.value:.3g}, 95 % interval {row.low:.3g} to {row.high:.3g}"
    if kind == REFERENCE:
        title = "the reference"
    return (
        f'<svg class="{kind}" role="img" width="100%" height="{_HEIGHT}" aria-label="{title}">'
        f"<title>{title}</title>"
        f'<line class="zero" x1="{zero:.2f}%" x2="{zero:.2f}%" y1="0" y2="{_HEIGHT}"/>'
        f'<line class="reach" x1="{left:.2f}%" x2="{right:.2f}%" y1="{_MIDDLE}" y2="{_MIDDLE}"/>'
        f'<svg x="{middle:.2f}%" y="{_MIDDLE}" overflow="visible">{_MARKS[kind]}</svg></svg>'
    )


def _axis(low: float, high: float, zero: float) -> str:
    places = [(100 * (tick - low) / (high - low), tick) for tick in axis_ticks(low, high)]
    labels = "".join(
        f'<text x="{at:.2f}%" y="13" text-anchor="{_anchor(at)}">{tick_label(tick)}</text>'
        for at, tick in places
    )
    return (
        f'<svg class="axis" aria-hidden="true" width="100%" height="18">{labels}'
        f'<line class="zero" x1="{zero:.2f}%" x2="{zero:.2f}%" y1="15" y2="18"/></svg>'
    )


def _anchor(at: float) -> str:
    """Labels near an edge stay within it."""
    return "start" if at < _EDGE else "end" if at > 100 - _EDGE else "middle"
