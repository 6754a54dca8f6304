"""Small pictures of the page: intervals against the reference, and two-sided bars.

x is in per cent of the cell and y in pixels, so that text and marks keep their size at any width.
Shape carries the meaning: a triangle up is better, one down is worse, a dot is no clear difference,
a hollow diamond is the reference. Colours come from classes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from posology.domain.recommendation.option import Estimate
from posology.language.numbers import number
from posology.report.axis import axis_ticks, tick_label
from posology.report.patient.content import BAD, GOOD, REFERENCE, SAME

_SHAPES = {
    GOOD: '<path d="M0-6L6 5H-6Z"/>',
    BAD: '<path d="M0 6L6-5H-6Z"/>',
    SAME: '<circle r="5"/>',
    REFERENCE: '<path class="hollow" d="M0-6L6 0L0 6L-6 0Z"/>',
}
_MIDDLE, _LABELS = 25, 54
"""Heights of the mark, and of the labels on narrow screens, below the cell's top."""
_MARGIN = 0.08
"""Share of the axis left free at either side."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis for all options."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, x: float) -> float:
        """Per cent of the width."""
        return 100 * (x - self.low) / (self.high - self.low)


def common_axis(differences: Sequence[Estimate]) -> Axis | None:
    """The axis that holds every interval and 0; None without an interval."""
    known = [d for d in differences if math.isfinite(d.low + d.high)]
    if not known:
        return None
    low = min(0.0, *(d.low for d in known))
    high = max(0.0, *(d.high for d in known))
    span = (high - low) or 1.0
    low, high = low - _MARGIN * span, high + _MARGIN * span
    return Axis(low, high, tuple(axis_ticks(low, high)))


def axis_svg(axis: Axis) -> str:
    """The numbers above the column."""
    labels = "".join(_label(axis, tick, 12) for tick in axis.ticks)
    return f'<svg class="axis" aria-hidden="true">{labels}</svg>'


def interval_svg(axis: Axis, difference: Estimate | None, kind: str, title: str) -> str:
    """One row of the column. difference: None of the reference."""
    zero = axis.place(0.0)
    grid = "".join(
        f'<line class="{"zero" if tick == 0 else "grid"}" x1="{axis.place(tick):.2f}%" '
        f'x2="{axis.place(tick):.2f}%" y1="0" y2="100%"/>'
        for tick in (*axis.ticks, *(() if 0 in axis.ticks else (0.0,)))
    )
    labels = "".join(_label(axis, tick, _LABELS, "tick") for tick in axis.ticks)
    middle, reach = zero, ""
    if difference is not None:
        left, middle, right = (
            axis.place(x) for x in (difference.low, difference.value, difference.high)
        )
        reach = (
            f'<line class="reach" x1="{left:.2f}%" x2="{right:.2f}%" y1="{_MIDDLE}" '
            f'y2="{_MIDDLE}"/>'
        )
    return (
        f'<svg class="interval {kind}" role="img"><title>{escape(title)}</title>{grid}{reach}'
        f'<svg x="{middle:.2f}%" y="{_MIDDLE}" overflow="visible">{_SHAPES[kind]}</svg>'
        f"{labels}</svg>"
    )


def two_sided_bar(value: float, largest: float, title: str) -> str:
    """A bar to the right of the middle for the first option, to the left for the other one."""
    width = 50 * min(abs(value) / largest, 1.0) if largest else 0.0
    left = 50.0 if value >= 0 else 50 - width
    kind = "for" if value >= 0 else "against"
    return (
        f'<svg class="bar" role="img"><title>{escape(title)}</title>'
        f'<rect class="{kind}" x="{left:.2f}%" width="{width:.2f}%" y="2" height="14" rx="2"/>'
        '<line class="zero" x1="50%" x2="50%" y1="0" y2="18"/></svg>'
    )


def share_bar(share: float, title: str) -> str:
    """A bar from the left edge."""
    return (
        f'<svg class="bar" role="img"><title>{escape(title)}</title>'
        f'<rect class="against" x="0" width="{100 * share:.2f}%" y="4" height="10" rx="2"/></svg>'
    )


def _label(axis: Axis, tick: float, y: int, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    text = number(f"+{tick_label(tick)}" if tick > 0 else tick_label(tick))
    return f'<text{name} x="{axis.place(tick):.2f}%" y="{y}" text-anchor="middle">{text}</text>'
