"""Predicted against observed, as one small picture and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from posology.advice.amounts import span
from posology.domain.recommendation.evidence import ProbabilityBin
from posology.language.catalogue import tr
from posology.language.numbers import number

_LEFT, _WIDTH = 9.0, 88.0
"""Per cent of the width: where 0 lies, and how far it is to 100."""
_TOP, _HEIGHT = 5.0, 82.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """The variables of the section."""

    picture: str
    """SVG."""
    rows: tuple[tuple[str, str, str, str], ...]
    """Predicted, observed, its 95 % interval, patients."""
    note: str


def calibration(bins: Sequence[ProbabilityBin], note: str) -> Calibration | None:
    """The bins; None without any."""
    if not bins:
        return None
    rows = tuple(
        (
            f"{100 * b.predicted:.0f}",
            f"{b.observed.value:.0f}",
            span(f"{b.observed.low:.0f}", f"{b.observed.high:.0f}"),
            number(f"{b.patients:,}"),
        )
        for b in bins
    )
    return Calibration(_picture(bins), rows, note)


def _picture(bins: Sequence[ProbabilityBin]) -> str:
    parts = []
    for tick in (0, 50, 100):
        parts.append(
            f'<line class="grid" x1="{_LEFT}%" x2="{_LEFT + _WIDTH}%" y1="{_y(tick):.1f}%" '
            f'y2="{_y(tick):.1f}%"/><text x="{_LEFT - 2}%" y="{_y(tick):.1f}%" dy="4" '
            f'text-anchor="end">{tick}</text>'
            f'<text x="{_x(tick):.1f}%" y="99%" text-anchor="middle">{tick}</text>'
        )
    parts.append(
        f'<line class="agree" x1="{_x(0)}%" y1="{_y(0)}%" x2="{_x(100)}%" y2="{_y(100)}%"/>'
    )
    for b in bins:
        x = _x(100 * b.predicted)
        parts.append(
            f'<line class="reach" x1="{x:.2f}%" x2="{x:.2f}%" y1="{_y(b.observed.low):.2f}%" '
            f'y2="{_y(b.observed.high):.2f}%"/><circle cx="{x:.2f}%" '
            f'cy="{_y(b.observed.value):.2f}%" r="4"/>'
        )
    words = tr("predicted {predicted}, observed {observed} of 100")
    title = "; ".join(
        words.format(predicted=f"{100 * b.predicted:.0f}", observed=f"{b.observed.value:.0f}")
        for b in bins
    )
    return f'<svg class="plot" role="img"><title>{escape(title)}</title>{"".join(parts)}</svg>'


def _x(value: float) -> float:
    return _LEFT + _WIDTH * min(max(value, 0.0), 100.0) / 100


def _y(value: float) -> float:
    return _TOP + _HEIGHT * (1 - min(max(value, 0.0), 100.0) / 100)
