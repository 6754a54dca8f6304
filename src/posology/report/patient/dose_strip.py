"""A dose on its scale: what the data support, what to plan for, what to be ready for."""

from collections.abc import Callable, Iterator
from html import escape

from posology.domain.recommendation.option import DoseAdvice
from posology.language.catalogue import tr
from posology.language.numbers import number
from posology.report.axis import axis_ticks
from posology.report.patient.words import dose_number, dose_reach, dose_span, dose_words

_TOP, _BAND, _INNER = 24, 40, 24
"""Pixels above the band, its height, and that of the intervals within it."""
_NEAR = 26
"""Labels closer than this, in per cent, stand on two lines."""
_REACH = 1.3
"""The axis ends at so many times the largest dose of interest, if more is supported."""
_ROOM = 22
"""Per cent of the width that `not advised` needs."""


def dose_strip(dose: DoseAdvice, is_advised: bool = True) -> str:
    """The strip as SVG; the same numbers stand in a list under it.

    Args:
        is_advised: whether the dose is marked, or its intervals alone.
    """
    ends = [dose.dose, dose.usual or 0.0]
    ends += [span[1] for span in (dose.plan_for, dose.ready_for) if span]
    ticks = _ticks(max(min(dose.supported[1], _REACH * max(ends)), *ends))
    high = ticks[-1]

    def place(x: float) -> float:
        return min(max(100 * x / high, 0.0), 100.0)

    near = dose.usual is not None and abs(place(dose.usual) - place(dose.dose)) < _NEAR
    top = _TOP + (18 if near else 0)
    inner = top + (_BAND - _INNER) / 2
    parts = [_box("supported", dose.supported, place, (top, _BAND))]
    if dose.ready_for is not None:
        parts.append(_box("ready", dose.ready_for, place, (inner, _INNER)))
    if dose.plan_for is not None:
        parts.append(_box("plan", dose.plan_for, place, (inner, _INNER)))
    if dose.usual is not None:
        at, label = place(dose.usual), tr("usual {dose}").format(dose=dose_number(dose.usual))
        parts.append(
            f'<svg x="{at:.2f}%" y="{top + _BAND / 2}" overflow="visible">'
            '<path class="hollow" d="M0-6L6 0L0 6L-6 0Z"/></svg>'
        )
        parts.append(_text(at, 13, label, ""))
    right = place(dose.supported[1])
    if dose.supported[1] > high:
        end = tr("to {dose}").format(dose=dose_number(dose.supported[1]))
        parts.append(_text(100.0, top + 25, f"{end} \u2192", ""))
    elif 100 - right >= _ROOM:
        parts.append(_text((100 + right) / 2, top + 24, tr("not advised"), ""))
    if is_advised:
        parts.extend(_dose_mark(dose, place(dose.dose), top))
    return _frame(dose, parts, ticks, top + _BAND + 10, is_advised)


def _dose_mark(dose: DoseAdvice, at: float, top: float) -> Iterator[str]:
    for kind, width in (("halo", 7), ("dose", 3)):
        yield (
            f'<line class="{kind}" stroke-width="{width}" x1="{at:.2f}%" x2="{at:.2f}%" '
            f'y1="{top - 4}" y2="{top + _BAND + 4}"/>'
        )
    yield _text(at, top - 8, dose_number(dose.dose), "figure")


def _frame(
    dose: DoseAdvice, parts: list[str], ticks: list[float], axis: float, is_advised: bool
) -> str:
    parts.append(f'<line class="scale" x1="0" x2="100%" y1="{axis}" y2="{axis}"/>')
    for tick in ticks:
        parts.append(_text(100 * tick / ticks[-1], axis + 17, number(f"{tick:g}"), ""))
    first = f"{dose_words(dose)}; " if is_advised else ""
    title = first + tr("supported {span}").format(span=dose_span(dose.supported))
    spans = ((tr("plan for {span}"), dose.plan_for), (tr("be ready for {span}"), dose.ready_for))
    for words, span in spans:
        title += f"; {words.format(span=dose_reach(span))}" if span else ""
    return (
        f'<svg class="strip" role="img" height="{axis + 22}"><title>{escape(title)}</title>'
        f"{''.join(parts)}</svg>"
    )


def _ticks(largest: float) -> list[float]:
    """Round numbers from 0 to the first that is not below the largest."""
    ticks = axis_ticks(0.0, largest or 1.0)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else (largest or 1.0)
    while ticks[-1] < largest:
        ticks.append(round(ticks[-1] + step, 10))
    return ticks


def _box(
    kind: str,
    span: tuple[float, float],
    place: Callable[[float], float],
    size: tuple[float, float],
) -> str:
    left, right = place(span[0]), place(span[1])
    y, height = size
    return (
        f'<rect class="{kind}" x="{left:.2f}%" width="{max(right - left, 0.3):.2f}%" y="{y}" '
        f'height="{height}" rx="4"/>'
    )


def _text(at: float, y: float, text: str, kind: str) -> str:
    anchor = "start" if at < 7 else "end" if at > 93 else "middle"
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{at:.2f}%" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
