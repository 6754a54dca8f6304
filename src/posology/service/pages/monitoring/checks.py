"""Checks of one model: the last week against the weeks before, and against training."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from posology.advice.amounts import span
from posology.advice.wording.fact_names import fact_name
from posology.advice.wording.titles import small_first
from posology.language.catalogue import deferred, tr
from posology.language.numbers import number
from posology.report.patient.sections import MIN_CELL, UNDER_5
from posology.report.patient.words import MINUS, capitalise, count_words
from posology.service.pages.monitoring.weeks import Use, Week

OK, OUT, UNKNOWN = "ok", "out", "unknown"
_EARLIER, _LAST = 50, 10
"""Answers that the weeks before, and the last week, must have for a share to be judged."""
_SIGMAS = 3.0
"""Control limits of Shewhart's p chart."""
_MOST_FACTS = 4
_SLOW = 500.0
"""Milliseconds."""
_TIMED, _TIMED_WEEKS = 100, 4
"""Answers that must be timed, in the last week or else in the last weeks, before the slowest of 100
is judged: of fewer, one slow answer decides."""
_SHIFT, _SHIFT_PATIENTS = 0.5, 20
"""Standard deviations of training by which the mean may move, and patients needed to say so. It
may also move by three standard errors of the mean, which is more for fewer than 36 patients."""


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
        _share(tr("Unlike training"), outside, tr("Patients beyond those it learned from")),
        *_shifts(weeks, training),
    ]
    return (
        CheckGroup(
            tr("Use"),
            (
                _count(weeks),
                _share(tr("No answer given"), abstained, tr("Abstentions")),
                _time(weeks),
            ),
        ),
        CheckGroup(tr("Input"), tuple(inputs)),
    )


def headline(groups: Sequence[CheckGroup]) -> str:
    """What needs a look, or that nothing does."""
    rows = [row for group in groups for row in group.rows]
    out = [row for row in rows if row.state == OUT]
    if not out:
        return _all_clear(sum(row.state == OK for row in rows), len(rows))
    text = tr("{count} things need a look; first: {check} is {last}, {expected} expected")
    if len(out) == 1:
        text = tr("One thing needs a look: {check} is {last}, {expected} expected")
    first = out[0]
    return text.format(
        count=len(out), check=small_first(first.name), last=first.last, expected=first.expected
    )


def _all_clear(judged: int, checks: int) -> str:
    """What to say of checks none of which is out of range."""
    if judged == checks:
        return tr("Everything is as expected")
    if not judged:
        return tr(_FEW_ANSWERS)
    text = tr("What was judged is as expected: {judged} of {checks} checks could be judged")
    if 2 * judged < checks:
        text = tr("Too early to say: {judged} of {checks} checks could be judged")
    return text.format(judged=judged, checks=checks)


def few(count: int) -> str:
    """A count of patients or answers; small ones are not shown."""
    return tr(UNDER_5) if 0 < count < MIN_CELL else number(f"{count:,}")


def _count(weeks: Sequence[Week]) -> Check:
    counts = [week.answers for week in weeks]
    earlier = [n for n in counts[:-1] if n]
    name, last, words = tr("Answers a week"), few(counts[-1]), [few(n) for n in counts]
    if len(earlier) < 4 or sum(earlier) < _EARLIER:
        reading = tr(_FEW_WEEKS if len(earlier) < 4 else _FEW_ANSWERS)
        return Check(name, UNKNOWN, last, tr(_NOT_YET), spark(counts, None, words), reading)
    mean = sum(earlier) / len(earlier)
    spread = math.sqrt(sum((n - mean) ** 2 for n in earlier) / len(earlier))
    reach = _SIGMAS * max(spread, math.sqrt(mean))
    low, high = max(mean - reach, 0.0), mean + reach
    state = OK if low <= counts[-1] <= high else OUT
    picture = spark(counts, (low, high), words, state == OUT)
    expected = span(f"{low:.0f}", f"{high:.0f}")
    reading = tr("{mean} before").format(mean=f"{mean:.0f}")
    return Check(name, state, last, expected, picture, reading)


_FEW_WEEKS = deferred("Too few weeks to judge yet")
_FEW_ANSWERS = deferred("Too few answers to judge yet")
_NOT_YET = deferred("not known yet")


def _share(name: str, counts: Sequence[tuple[int, int]], reading: str = "") -> Check:
    """A share that should not grow. counts: of each week, how many, and of how many."""
    shares = [100 * part / whole if whole >= MIN_CELL else None for part, whole in counts]
    words = [_share_words(*pair) for pair in counts]
    part, whole = counts[-1]
    before, before_of = (sum(column) for column in zip(*counts[:-1], strict=True))
    if whole < _LAST or before_of < _EARLIER:
        picture = spark(shares, None, words)
        return Check(name, UNKNOWN, words[-1], tr(_NOT_YET), picture, tr(_FEW_ANSWERS))
    mean = before / before_of
    reach = _SIGMAS * math.sqrt(max(mean * (1 - mean), 1 / before_of) / whole)
    high = 100 * min(mean + reach, 1.0)
    state = OK if 100 * part / whole <= high else OUT
    expected = tr("at most {count} of 100").format(count=f"{high:.0f}")
    if state == OUT:
        reading = tr("{count} of 100 in the weeks before").format(count=count_words(100 * mean))
    picture = spark(shares, (0.0, high), words, state == OUT)
    return Check(name, state, words[-1], expected, picture, reading)


def _share_words(part: int, whole: int) -> str:
    """A share of 100; of small counts not even that, since it shows them."""
    if not whole:
        return tr("no answers")
    if whole < MIN_CELL:
        return tr("under 5 answers")
    if 0 < part < MIN_CELL:
        return tr("{count} of {all}").format(count=few(part), all=few(whole))
    return tr("{count} of 100").format(count=count_words(100 * part / whole))


def _time(weeks: Sequence[Week]) -> Check:
    slowest = [percentile(week.milliseconds, 0.99) for week in weeks]
    times, reading = weeks[-1].milliseconds, ""
    if len(times) < _TIMED:
        times = [x for week in weeks[-_TIMED_WEEKS:] for x in week.milliseconds]
        reading = tr("Of the last {count} weeks").format(count=_TIMED_WEEKS)
    last, name, limits = percentile(times, 0.99), tr("Time to answer, 99 of 100"), (0.0, _SLOW)
    words = [tr("none") if x is None else _milliseconds(x) for x in slowest]
    expected = tr("under {bound}").format(bound=_milliseconds(_SLOW))
    shown = tr("no answers") if last is None else _milliseconds(last)
    if last is None or len(times) < _TIMED:
        text = tr("Judged from {answers} answers in {weeks} weeks")
        reading = text.format(answers=_TIMED, weeks=_TIMED_WEEKS)
        return Check(name, UNKNOWN, shown, expected, spark(slowest, limits, words), reading)
    state = OK if last < _SLOW else OUT
    picture = spark(slowest, limits, words, state == OUT)
    return Check(name, state, shown, expected, picture, reading)


def _milliseconds(value: float) -> str:
    return number(f"{value:,.0f} ms")


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that so large a share does not exceed; None of nothing."""
    ordered = sorted(values)
    return ordered[min(math.ceil(share * len(ordered)), len(ordered)) - 1] if ordered else None


def _missing(weeks: Sequence[Week]) -> list[Check]:
    """The facts whose share changed most come first; at most a few."""
    names = {name for week in weeks for name in week.missing}
    checks = [
        _share(
            tr("{fact} missing").format(fact=capitalise(fact_name(name))),
            [(week.missing[name], week.read) for week in weeks],
        )
        for name in sorted(names)
    ]
    order = {OUT: 0, OK: 1, UNKNOWN: 2}
    return sorted(checks, key=lambda check: order[check.state])[:_MOST_FACTS]


def _shifts(weeks: Sequence[Week], training: Mapping[str, tuple[float, float, str]]) -> list[Check]:
    """Of each fact its mean in the last four weeks; nothing is shown of fewer than five values."""
    checks = []
    for name, (center, spread, unit) in training.items():
        means = [_shift(week.numbers.get(name, []), center, spread) for week in weeks]
        recent = [x for week in weeks[-4:] for x in week.numbers.get(name, [])]
        if not recent or spread <= 0:
            continue
        title = tr("{fact}, shift").format(fact=capitalise(fact_name(name)))
        last, reach = _shift(recent, center, spread), max(_SHIFT, _SIGMAS / math.sqrt(len(recent)))
        if last is None:
            shown, expected = tr("under 5 values"), _within(_SHIFT)
            checks.append(Check(title, UNKNOWN, shown, expected, "", tr(_FEW_ANSWERS)))
            continue
        state = UNKNOWN
        if len(recent) >= _SHIFT_PATIENTS:
            state = OK if abs(last) <= reach else OUT
        words = [tr("none or few") if x is None else _deviations(x) for x in means]
        picture = spark(means, (-reach, reach), words, state == OUT)
        digits = max(0, 1 - math.floor(math.log10(spread)))  # two of the standard deviation
        both = (f"{x:.{digits}f}" for x in (sum(recent) / len(recent), center))
        recently, before = (f"{number(x)} {unit}".strip() for x in both)
        reading = tr("mean {mean}; {training} in training").format(mean=recently, training=before)
        checks.append(Check(title, state, _deviations(last), _within(reach), picture, reading))
    return checks


def _within(deviations: float) -> str:
    return tr("within {bound} SD").format(bound=number(f"{deviations:.2g}"))


def _deviations(value: float) -> str:
    return number(f"{value:+.2f} SD").replace("-", MINUS)


def _shift(values: Sequence[float], center: float, spread: float) -> float | None:
    """Standard deviations from training; None of so few values that they would be shown."""
    if len(values) < MIN_CELL or spread <= 0:
        return None
    return (sum(values) / len(values) - center) / spread


def spark(
    values: Sequence[float | None],
    limits: tuple[float, float] | None,
    words: Sequence[str],
    is_out: bool = False,
) -> str:
    """Twelve weeks as a line on the range that is expected; the last one is a mark.

    Args:
        words: of each week, for who cannot see the picture.
        is_out: whether the check is judged out of range: the mark says what its row says.
    """
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
        mark = (
            f'<rect class="out" x="-4" y="{y(last) - 4:.1f}" width="8" height="8"/>'
            if is_out
            else f'<circle cy="{y(last):.1f}" r="4"/>'
        )
        parts.append(f'<svg x="96%" overflow="visible">{mark}</svg>')
    text = tr("The last {count} weeks: {values}")
    title = escape(text.format(count=len(values), values=", ".join(words)))
    return f'<svg class="series spark" role="img"><title>{title}</title>{"".join(parts)}</svg>'
