"""What the record holds with a date: results as small pictures, all else as bars up to now."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from types import MappingProxyType

from posology.advice.amounts import span
from posology.advice.form.known import own_word
from posology.advice.form.unit_names import plain_unit
from posology.advice.wording.fact_names import fact_name
from posology.domain.codes import has_prefix
from posology.domain.study import Bounds, Study
from posology.language.catalogue import ENGLISH, current_language, deferred, tr
from posology.language.numbers import number
from posology.report.patient.words import capitalise, date_words
from posology.workflows.advice.what_if import FactValue, PatientFacts

MOST_ROWS = 10
_SPANS = {
    14: deferred("two weeks"),
    60: deferred("two months"),
    180: deferred("six months"),
    365: deferred("12 months"),
}
_WINDOWS = tuple(_SPANS)
"""Days that the axis may span; what is older is an arrow at its left edge."""
_TOP, _BOTTOM = 20, 42
"""Heights of the largest and the smallest result, in pixels."""
_NEAR = 14.0
"""Labels closer than this, in per cent of the width, are left out, but for the last."""

LONG_GAP = 1 / 3
"""Share of the axis without a result over which no line is drawn through. Our choice."""

_Point = tuple[datetime.datetime, float]


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """One result or course."""

    label: str
    unit: str
    picture: str
    """SVG."""
    latest: str
    has_target: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """Rows on one axis of time."""

    note: str
    axis: str
    """SVG."""
    results: tuple[TimelineRow, ...]
    """Those with most points first."""
    more: tuple[TimelineRow, ...]
    """Results beyond MOST_ROWS."""
    courses: tuple[TimelineRow, ...]


@dataclass(frozen=True, slots=True)
class _Axis:
    now: datetime.datetime
    days: int

    def place(self, time: datetime.datetime) -> float:
        """Per cent of the width; 4 per cent stay free at the right for the last mark."""
        age = (self.now - time) / datetime.timedelta(days=1)
        return 96 * (1 - age / self.days)


def target_ranges(study: Study) -> dict[str, Bounds]:
    """Of each code that the study's goal names with a range, the range to be reached."""
    goal = study.outcome.range
    return {} if goal is None else dict.fromkeys(study.outcome.codes, goal)


def timeline(
    facts: PatientFacts, targets: Mapping[str, Bounds] = MappingProxyType({})
) -> Timeline | None:
    """The dated facts; None where nothing has a date.

    Args:
        targets: of codes, or prefixes of codes, the range that a result should lie in.
    """
    numbers, marks = _dated(facts)
    times = [t for points in numbers.values() for t, _ in points]
    times += [t for found in marks.values() for t in found]
    if not times:
        return None
    oldest = (facts.decision - min(times)).days
    axis = _Axis(facts.decision, next((d for d in _WINDOWS if d >= oldest), _WINDOWS[-1]))
    by_name = {fact.field.name: fact for fact in facts.values}

    def fewest_last(item: tuple[str, list[_Point]]) -> int:
        return -min(sum(axis.place(time) >= 0 for time, _ in item[1]), 2)

    ordered = sorted(numbers.items(), key=fewest_last)
    results = tuple(
        _result(by_name[name], points, axis, _target_of(by_name[name], targets))
        for name, points in ordered
    )
    note = [tr("The last {span}. Dashed: the decision.").format(span=_span_words(axis.days))]
    if any(r.has_target for r in results):
        note.append(tr("Shaded: the range to be reached."))
    return Timeline(
        note=" ".join(note),
        axis=_axis_svg(axis),
        results=results[:MOST_ROWS],
        more=results[MOST_ROWS:],
        courses=tuple(_course(by_name[name], found, axis) for name, found in marks.items()),
    )


def _dated(
    facts: PatientFacts,
) -> tuple[dict[str, list[_Point]], dict[str, list[datetime.datetime]]]:
    """Of each field's name, its dated numbers, or the days on which it was recorded."""
    owner: dict[str, FactValue] = {}
    for fact in facts.values:
        codes = [code for word, code in fact.field.choices if code and word != "no"]
        owner.update(dict.fromkeys(codes or [fact.field.stem], fact))
    numbers: dict[str, list[_Point]] = {}
    marks: dict[str, list[datetime.datetime]] = {}
    for event in facts.events.select(["code", "time", "numeric_value"]).to_pylist():
        fact, time = owner.get(event["code"]), event["time"]
        if fact is None or time is None or fact.field.kind == "age":
            continue
        if event["numeric_value"] is None:
            marks.setdefault(fact.field.name, []).append(time)
        else:
            numbers.setdefault(fact.field.name, []).append((time, event["numeric_value"]))
    return numbers, marks


def _target_of(fact: FactValue, targets: Mapping[str, Bounds]) -> Bounds | None:
    return next((b for code, b in targets.items() if has_prefix(fact.field.stem, code)), None)


def _result(
    fact: FactValue, points: list[_Point], axis: _Axis, target: Bounds | None
) -> TimelineRow:
    points = sorted(points)
    time, value = points[-1]
    unit = plain_unit(fact.field.unit)
    title = "; ".join(_on_day(v, t) for t, v in points)
    if target is not None:
        title = tr("{results}; to be reached: {range}").format(
            results=title, range=_target_words(target)
        )
    picture = _series_svg(points, axis, target, title)
    return TimelineRow(
        capitalise(fact_name(fact.field.name)),
        unit,
        picture,
        _on_day(value, time),
        target is not None,
    )


def _on_day(value: float, time: datetime.datetime) -> str:
    day = date_words(time.date().isoformat())
    return tr("{value} on {day}").format(value=_number(value), day=day)


def _target_words(target: Bounds) -> str:
    low, high = target.at_least, target.at_most
    if low is None:
        return tr("at most {bound}").format(bound=number(f"{high:g}"))
    if high is None:
        return tr("at least {bound}").format(bound=number(f"{low:g}"))
    return span(number(f"{low:g}"), number(f"{high:g}"))


def _series_svg(points: Sequence[_Point], axis: _Axis, target: Bounds | None, title: str) -> str:
    shown = [point for point in points if axis.place(point[0]) >= 0]
    ends = [value for _, value in points]
    ends += (
        [] if target is None else [x for x in (target.at_least, target.at_most) if x is not None]
    )
    low, high = min(ends), max(ends)

    def height(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * ((value - low) / (high - low) if high > low else 0.5)

    places = [(axis.place(t), height(v), v) for t, v in shown]
    band = "" if target is None else _band(target, height)
    parts = [band, _now(axis, 52), *_lines(places)]
    last_label = 200.0
    for x, y, value in reversed(places):
        parts.append(f'<circle cx="{x:.2f}%" cy="{y:.1f}" r="3.5"/>')
        if last_label - x >= _NEAR:
            parts.append(_text(x, y - 8, _number(value)))
            last_label = x
    if not shown:
        parts.append(_text(0, 30, f"\u25c4 {date_words(points[-1][0].date().isoformat())}"))
    return f'<svg class="series" role="img"><title>{escape(title)}</title>{"".join(parts)}</svg>'


def _band(target: Bounds, y: Callable[[float], float]) -> str:
    """The range to be reached; a side without a bound runs to the edge of the row."""
    top = 0.0 if target.at_most is None else y(target.at_most)
    bottom = 52.0 if target.at_least is None else y(target.at_least)
    return f'<rect class="usual" width="96%" y="{top:.1f}" height="{max(bottom - top, 2):.1f}"/>'


def _lines(places: Sequence[tuple[float, float, float]]) -> list[str]:
    """Between results a line; over a long time without any, a dotted one: nobody knows it."""
    parts = []
    for (x, y, _), (later, height, _) in pairwise(places):
        kind = "path gap" if later - x > 100 * LONG_GAP else "path"
        parts.append(
            f'<line class="{kind}" x1="{x:.2f}%" y1="{y:.1f}" x2="{later:.2f}%" y2="{height:.1f}"/>'
        )
    return parts


def _course(fact: FactValue, times: list[datetime.datetime], axis: _Axis) -> TimelineRow:
    first, last = min(times), max(times)
    since = date_words(first.date().isoformat())
    until = date_words(last.date().isoformat())
    words = tr("since {day}").format(day=since) if first == last else span(since, until)
    left = max(axis.place(first), 0.0)
    name = capitalise(fact_name(fact.field.name))
    title = escape(f"{name} {words}")
    value = "" if fact.value in ("", "yes") else f"{_word(fact)}, "
    return TimelineRow(
        name,
        "",
        f'<svg class="bar" role="img"><title>{title}</title>{_now(axis, 18)}'
        f'<rect class="for" x="{left:.2f}%" width="{max(96 - left, 0.6):.2f}%" y="4" height="10" '
        'rx="2"/></svg>',
        f"{value}{words}",
    )


def _word(fact: FactValue) -> str:
    """The value of a choice in words."""
    titles = fact.field.titles or ("",) * len(fact.field.choices)
    words = {
        word: title or own_word(word)
        for (word, _), title in zip(fact.field.choices, titles, strict=True)
    }
    return words.get(fact.value, fact.value)


def _number(value: float) -> str:
    return number(f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}")


def _axis_svg(axis: _Axis) -> str:
    labels = []
    for quarter in range(4):
        time = axis.now - datetime.timedelta(days=axis.days * (4 - quarter) / 4)
        day = date_words(time.date().isoformat())
        labels.append(_text(axis.place(time), 12, _axis_day(day, axis.days > 180)))
    labels.append(_text(100, 12, tr("now")))
    return f'<svg class="axis" aria-hidden="true">{"".join(labels)}</svg>'


def _axis_day(day: str, is_long: bool) -> str:
    """`27-Nov`, or `Nov` on a long axis; in German `27.11.`, or `11/26`."""
    if current_language() == ENGLISH:
        return day[3:6] if is_long else day[:6]
    return f"{day[3:5]}/{day[8:10]}" if is_long else day[:6]


def _now(axis: _Axis, height: int) -> str:
    x = f"{axis.place(axis.now):.2f}%"
    return f'<line class="now" x1="{x}" x2="{x}" y1="0" y2="{height}"/>'


def _text(x: float, y: float, text: str) -> str:
    anchor = "start" if x < 4 else "end" if x > 97 else "middle"
    return f'<text x="{x:.2f}%" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _span_words(days: int) -> str:
    return tr(_SPANS[days])
