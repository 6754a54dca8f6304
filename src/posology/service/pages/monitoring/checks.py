"""Checks of one model: the last week against the weeks before, and against training."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from posology.report.patient.words import capitalise, count_words
from posology.service.pages.monitoring.weeks import Use, Week

OK, OUT, UNKNOWN = "ok", "out", "unknown"
_EARLIER, _LAST = 50, 10
"""Answers that the weeks before, and the last week, must have for a share to be judged."""
_SIGMAS = 3.0
"""Control limits of Shewhart's p chart."""
_MOST_FACTS = 4
_SLOW = 500.0
"""Milliseconds."""
_SHIFT, _SHIFT_PATIENTS = 0.5, 20
"""Standard deviations of training by which the mean may move, and patients needed to say so."""


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the table."""

    name: str
    state: str
    """`ok`, `out` or `unknown`."""
    last: str
    expected: str
    picture: str
    """SVG."""
    reading: str


@dataclass(frozen=True, slots=True)
class CheckGroup:
    """Rows of one kind."""

    heading: str
    rows: tuple[Check, ...]


def check_groups(
    use: Use, training: Mapping[str, tuple[float, float, str]]
) -> tuple[CheckGroup, ...]:
    """All checks.

    Args:
        training: of each fact with a number, its mean, standard deviation and unit in training.
    """
    weeks = use.weeks
    abstained = [(week.abstained, week.answers) for week in weeks]
    outside = [(week.outside, week.read) for week in weeks]
    inputs = [
        *_missing(weeks),
        _share("Unlike training", outside, "Patients beyond those it learned from"),
        *_shifts(weeks, training),
    ]
    return (
        CheckGroup(
            "Use",
            (_count(weeks), _share("No answer given", abstained, "Abstentions"), _time(weeks)),
        ),
        CheckGroup("Input", tuple(inputs)),
    )


def headline(groups: Sequence[CheckGroup]) -> str:
    """What needs a look, or that nothing does."""
    rows = [row for group in groups for row in group.rows]
    out = [row for row in rows if row.state == OUT]
    if not out:
        judged = sum(row.state == OK for row in rows)
        if judged == len(rows):
            return "Everything is as expected"
        share = f"{judged} of {len(rows)} checks could be judged"
        if 2 * judged < len(rows):
            return f"Too early to say: {share}" if judged else "Too few answers to judge yet"
        return f"What was judged is as expected: {share}"
    first = f"{out[0].name[:1].lower()}{out[0].name[1:]} is {out[0].last}, {out[0].expected}"
    if len(out) == 1:
        return f"One thing needs a look: {first} expected"
    return f"{len(out)} things need a look; first: {first} expected"


def _count(weeks: Sequence[Week]) -> Check:
    counts = [week.answers for week in weeks]
    earlier = [n for n in counts[:-1] if n]
    name, last = "Answers a week", f"{counts[-1]:,}"
    if len(earlier) < 4:
        return Check(name, UNKNOWN, last, "not known yet", spark(counts, None), _FEW_WEEKS)
    mean = sum(earlier) / len(earlier)
    spread = math.sqrt(sum((n - mean) ** 2 for n in earlier) / len(earlier))
    reach = _SIGMAS * max(spread, math.sqrt(mean))
    low, high = max(mean - reach, 0.0), mean + reach
    state = OK if low <= counts[-1] <= high else OUT
    words = f"{low:.0f} to {high:.0f}"
    return Check(name, state, last, words, spark(counts, (low, high)), f"{mean:.0f} before")


_FEW_WEEKS = "Too few weeks to judge yet"
_FEW_ANSWERS = "Too few answers to judge yet"


def _share(name: str, counts: Sequence[tuple[int, int]], reading: str = "") -> Check:
    """A share that should not grow. counts: of each week, how many, and of how many."""
    shares = [100 * part / whole if whole else None for part, whole in counts]
    part, whole = counts[-1]
    before, before_of = (sum(column) for column in zip(*counts[:-1], strict=True))
    last = f"{count_words(100 * part / whole)} of 100" if whole else "no answers"
    if whole < _LAST or before_of < _EARLIER:
        return Check(name, UNKNOWN, last, "not known yet", spark(shares, None), _FEW_ANSWERS)
    mean = before / before_of
    reach = _SIGMAS * math.sqrt(max(mean * (1 - mean), 1 / before_of) / whole)
    high = 100 * min(mean + reach, 1.0)
    state = OK if 100 * part / whole <= high else OUT
    words = f"at most {high:.0f} of 100"
    if state == OUT:
        reading = f"{count_words(100 * mean)} of 100 in the weeks before"
    return Check(name, state, last, words, spark(shares, (0.0, high)), reading)


def _time(weeks: Sequence[Week]) -> Check:
    slowest = [percentile(week.milliseconds, 0.99) for week in weeks]
    last, name = slowest[-1], "Time to answer, 99 of 100"
    words, limits = f"under {_SLOW:.0f} ms", (0.0, _SLOW)
    if last is None:
        return Check(name, UNKNOWN, "no answers", words, spark(slowest, limits), _FEW_ANSWERS)
    state = OK if last < _SLOW else OUT
    return Check(name, state, f"{last:.0f} ms", words, spark(slowest, limits), "")


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that so large a share does not exceed; None of nothing."""
    ordered = sorted(values)
    return ordered[min(math.ceil(share * len(ordered)), len(ordered)) - 1] if ordered else None


def _missing(weeks: Sequence[Week]) -> list[Check]:
    """The facts whose share changed most come first; at most a few."""
    names = {name for week in weeks for name in week.missing}
    checks = [
        _share(f"{capitalise(name)} missing", [(week.missing[name], week.read) for week in weeks])
        for name in sorted(names)
    ]
    order = {OUT: 0, OK: 1, UNKNOWN: 2}
    return sorted(checks, key=lambda check: order[check.state])[:_MOST_FACTS]


def _shifts(weeks: Sequence[Week], training: Mapping[str, tuple[float, float, str]]) -> list[Check]:
    checks = []
    for name, (center, spread, unit) in training.items():
        means = [_shift(week.numbers.get(name, []), center, spread) for week in weeks]
        recent = [x for week in weeks[-4:] for x in week.numbers.get(name, [])]
        last = _shift(recent, center, spread)
        if last is None or not recent:
            continue
        mean = f"mean {sum(recent) / len(recent):.4g} {unit}".strip()
        reading = f"{mean}; {center:.4g} in training"
        words, limits = f"within {_SHIFT:g} SD", (-_SHIFT, _SHIFT)
        state = UNKNOWN
        if len(recent) >= _SHIFT_PATIENTS:
            state = OK if abs(last) <= _SHIFT else OUT
        shown = f"{last:+.2f} SD".replace("-", "\u2212")
        title = f"{capitalise(name)}, shift"
        checks.append(Check(title, state, shown, words, spark(means, limits), reading))
    return checks


def _shift(values: Sequence[float], center: float, spread: float) -> float | None:
    return (sum(values) / len(values) - center) / spread if values and spread > 0 else None


def spark(values: Sequence[float | None], limits: tuple[float, float] | None) -> str:
    """Twelve weeks as a line on the range that is expected; the last one is a mark."""
    known = [v for v in values if v is not None]
    if not known:
        return ""
    ends = [*known, *(limits or ())]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0

    def y(value: float) -> float:
        return 22 - 18 * (value - low) / span

    parts = []
    if limits is not None:
        top, bottom = y(limits[1]), y(limits[0])
        parts.append(
            f'<rect class="usual" width="96%" y="{top:.1f}" height="{max(bottom - top, 2):.1f}"/>'
        )
    places = [(100 * i / (len(values) - 1), v) for i, v in enumerate(values) if v is not None]
    path = " ".join(f"{x:.1f},{y(v):.1f}" for x, v in places)
    parts.append(
        '<svg viewBox="0 0 100 26" preserveAspectRatio="none" width="96%" height="26">'
        f'<polyline class="path" points="{path}"/></svg>'
    )
    last = values[-1]
    if last is not None:
        is_out = limits is not None and not limits[0] <= last <= limits[1]
        mark = (
            f'<rect class="out" x="-4" y="{y(last) - 4:.1f}" width="8" height="8"/>'
            if is_out
            else f'<circle cy="{y(last):.1f}" r="4"/>'
        )
        parts.append(f'<svg x="96%" overflow="visible">{mark}</svg>')
    words = ", ".join("none" if v is None else f"{v:.3g}" for v in values)
    title = escape(f"The last {len(values)} weeks: {words}")
    return f'<svg class="series spark" role="img"><title>{title}</title>{"".join(parts)}</svg>'
