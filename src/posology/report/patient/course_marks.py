"""The course of a value under one plan as a small picture: a band, a line, and a dot a step.

Positions are in per cent of the cell, so that dots and strokes keep their size at any width. All
plans of a page share one scale; the dashed line is the value now.
"""

from dataclasses import dataclass
from html import escape

from posology.domain.recommendation.planned import PlannedCourses, PlannedValue

_MARGIN = 0.06
"""Share of the height left free above and below."""
_LEFT, _RIGHT = 4.0, 96.0
"""Per cent of the width at which the value now, and the last one, stand."""


@dataclass(frozen=True, slots=True)
class ValueScale:
    """The values at the bottom and at the top of each picture."""

    low: float
    high: float

    def place(self, x: float) -> float:
        """Per cent of the height, from above."""
        return 100 * (self.high - x) / (self.high - self.low)


def value_scale(plans: PlannedCourses) -> ValueScale | None:
    """The scale that holds the value now and every interval; None without a course."""
    if not plans.courses:
        return None
    values = [value for course in plans.courses for value in course.values]
    low = min(plans.last_value, *(value.low for value in values))
    high = max(plans.last_value, *(value.high for value in values))
    margin = _MARGIN * ((high - low) or 1.0)
    return ValueScale(low - margin, high + margin)


def course_svg(scale: ValueScale, now: float, values: tuple[PlannedValue, ...], title: str) -> str:
    """The value now at the left edge, then every step. title: for readers who cannot see it."""
    days = values[-1].days
    across = [_LEFT, *(_LEFT + (_RIGHT - _LEFT) * v.days / days for v in values)]
    middle = [scale.place(x) for x in (now, *(v.expected for v in values))]
    upper = [scale.place(x) for x in (now, *(v.high for v in values))]
    lower = [scale.place(x) for x in (now, *(v.low for v in values))]
    band = _points(across + across[::-1], upper + lower[::-1])
    dots = "".join(
        f'<circle cx="{x:.2f}%" cy="{y:.2f}%" r="{2.5 if step else 3.5}"/>'
        for step, (x, y) in enumerate(zip(across, middle, strict=True))
    )
    level = f"{middle[0]:.2f}%"
    return (
        f'<svg class="course" fill="currentColor" role="img"><title>{escape(title)}</title>'
        f'<line class="zero" stroke-dasharray="3 3" x1="0" x2="100%" y1="{level}" y2="{level}"/>'
        '<svg width="100%" height="100%" viewBox="0 0 100 100" preserveAspectRatio="none">'
        f'<polygon fill-opacity="0.2" points="{band}"/><polyline fill="none" '
        f'stroke="currentColor" stroke-width="2" vector-effect="non-scaling-stroke" '
        f'points="{_points(across, middle)}"/></svg>{dots}</svg>'
    )


def _points(across: list[float], down: list[float]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in zip(across, down, strict=True))
