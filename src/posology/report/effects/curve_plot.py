"""Kaplan-Meier curves with numbers at risk as one inline SVG, readable at any width.

x is in per cent, y in pixels; only the curves themselves stretch. The style sheet gives each arm a
colour and a dash pattern by its class.
"""

from html import escape

from posology.evaluation.arms.event_curves import EventCurve, EventCurves
from posology.report.axis import axis_ticks

_HEIGHT = 240
"""Of the curves, in pixels."""
_LINE = 17
"""Height of a line of text."""


def draw_curves(curves: EventCurves) -> str:
    """The curves, their 95 % intervals, and the numbers at risk below the axis."""
    top = _lowest(curves)
    drawn = "".join(_curve(k, c, curves.horizon, top) for k, c in enumerate(curves.curves))
    height = _HEIGHT + _LINE * (3 + 2 * len(curves.curves))
    title = escape("; ".join(_describe(c, curves.horizon) for c in curves.curves), quote=True)
    return (
        f'<svg class="km" role="img" width="100%" height="{height}" aria-label="{title}">'
        f"<title>{title}</title>{_grid(top)}"
        f'<svg x="0" y="0" width="100%" height="{_HEIGHT}" viewBox="0 0 1000 1000" '
        f'preserveAspectRatio="none">{drawn}</svg>{_below(curves)}</svg>'
    )


def _describe(curve: EventCurve, horizon: float) -> str:
    return (
        f"{curve.option}: {100 * curve.share[-1]:.0f} % without the event at day {horizon:,g}, "
        f"{curve.events:,} events among {curve.patients:,}"
    )


def _lowest(curves: EventCurves) -> float:
    """Lower end of the axis: 0, or a round share below all curves if they stay above a half."""
    lowest = min(min(c.low) for c in curves.curves)
    return next((low for low in (0.9, 0.8, 0.5) if lowest > low), 0.0)


def _y(share: float, lowest: float) -> float:
    return (1 - share) / (1 - lowest)


def _curve(number: int, curve: EventCurve, horizon: float, lowest: float) -> str:
    def steps(values: tuple[float, ...]) -> list[str]:
        points = []
        for at, (day, share) in enumerate(zip(curve.days, values, strict=True)):
            x, y = 1000 * day / horizon, 1000 * _y(share, lowest)
            if at:
                points.append(f"{x:.1f},{1000 * _y(values[at - 1], lowest):.1f}")
            points.append(f"{x:.1f},{y:.1f}")
        return points

    band = " ".join([*steps(curve.high), *reversed(steps(curve.low))])
    line = " ".join(steps(curve.share))
    return (
        f'<g class="s{number % 5}"><polygon points="{band}"/>'
        f'<polyline points="{line}" vector-effect="non-scaling-stroke"/></g>'
    )


def _grid(lowest: float) -> str:
    lines = []
    for share in axis_ticks(100 * lowest, 100.0):
        y = _HEIGHT * _y(share / 100, lowest)
        lines.append(
            f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="-8" y="{y + 4:.1f}" text-anchor="end">{share:g}</text>'
        )
    return "".join(lines)


def _below(curves: EventCurves) -> str:
    """Days, then the number at risk of each arm."""
    y = _HEIGHT + _LINE
    parts = [_row([f"{t:,.0f}" for t in curves.ticks], y)]
    y += _LINE + 8
    parts.append(f'<text class="head" x="-8" y="{y}">Number at risk</text>')
    for number, curve in enumerate(curves.curves):
        y += _LINE
        name = escape(curve.option)
        parts.append(f'<text class="s{number % 5}" x="-8" y="{y}">{name}</text>')
        y += _LINE
        parts.append(_row([f"{n:,}" for n in curve.at_risk], y))
    return "".join(parts)


def _row(texts: list[str], y: int) -> str:
    last = len(texts) - 1
    anchors = ["start" if not i else "end" if i == last else "middle" for i in range(len(texts))]
    return "".join(
        f'<text x="{100 * i / last:.1f}%" y="{y}" text-anchor="{anchor}">{text}</text>'
        for i, (text, anchor) in enumerate(zip(texts, anchors, strict=True))
    )
