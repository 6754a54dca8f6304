"""How numbers, doses and dates of a recommendation are written: of 100 patients, without decimals.

No count reads 100 and no small one reads 0 unless it is: `more than 99` and `under 1` say what
is known.
"""

import datetime
import math
import re

from posology.advice.amounts import directed, mean_words, means_of, span, span_words
from posology.advice.wording.titles import inside_sentence, small_first
from posology.domain.recommendation.option import DoseAdvice, Estimate
from posology.language.catalogue import deferred, tr
from posology.language.numbers import day, number
from posology.report.text import format_number

MINUS = "\u2212"
_NOT_FINITE = (deferred("not known"), deferred("no limit"), deferred("no limit below"))
"""What format_number writes for numbers that are none."""
_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def count_words(x: float) -> str:
    """How many of 100 patients."""
    if x >= 99.5:
        return tr("more than 99")
    return "0" if x <= 0 else tr("under 1") if x < 0.5 else f"{x:.0f}"


def value_words(x: float, unit: str, interval: Estimate | None = None) -> str:
    """A mean in its unit, or how many of 100 where there is no unit.

    interval: beside which, or as whose end, it is written.
    """
    if not unit:
        return count_words(x)
    write = mean_words if interval is None else means_of(interval)
    return (write(x) if math.isfinite(x) else tr(format_number(x))).replace("-", MINUS)


def interval_words(estimate: Estimate, unit: str) -> str:
    """`50 to 66`; one number where both ends read the same."""
    low, high = (value_words(x, unit, estimate) for x in (estimate.low, estimate.high))
    return low if low == high else span(low, high)


def change_words(x: float, unit: str, interval: Estimate | None = None) -> str:
    """`21 more`, `23 fewer`; `3.2 higher` or `3.2 lower` of a mean."""
    size = value_words(abs(x), unit, interval)
    return tr("no change") if size == "0" else directed(x, unit).format(size=size)


def change_interval_words(estimate: Estimate, unit: str) -> str:
    """`11 to 31 more`, `5 fewer to 17 more`, `16 to 30 fewer`."""
    low, high = estimate.low, estimate.high
    if (low > 0) == (high > 0) and low * high > 0:
        near, far = sorted((abs(low), abs(high)))
        first, second = (value_words(x, unit, estimate) for x in (near, far))
        size = first if first == second else span(first, second)
        return directed(low, unit).format(size=size)
    first, second = (change_words(x, unit, estimate) for x in (low, high))
    return first if first == second else span(first, second)


def signed_words(x: float, unit: str) -> str:
    """`+6`, a minus sign for less; a decimal only of small amounts in a unit."""
    below = 9.95 if unit else 0.95
    size = f"{abs(x):,.0f}" if abs(x) >= below else f"{abs(x):.1f}"
    if not size.strip("0."):
        return "0"
    return f"{'+' if x > 0 else MINUS}{number(size)}"


def dose_words(dose: DoseAdvice) -> str:
    """`16 mg a week`."""
    return f"{dose_number(dose.dose)} {dose.unit}".strip()


def dose_number(x: float) -> str:
    """A dose without needless decimals."""
    return number(f"{x:.4g}" if abs(x) < 10_000 else f"{x:.0f}")


def dose_span(ends: tuple[float, float]) -> str:
    """`12 to 21`."""
    low, high = (dose_number(x) for x in ends)
    return low if low == high else span(low, high)


def dose_reach(ends: tuple[float, float]) -> str:
    """`12 to 21`: an interval, whose ends are no more exact than a tenth of its width."""
    return span_words(ends)


def after_name(name: str, text: str) -> tuple[str, str]:
    """A sentence in two parts: the name, if it begins with it, and the rest."""
    if text[: len(name)].lower() == name.lower():
        return f"{capitalise(name)}", text[len(name) :].strip()
    return f"{capitalise(name)}.", sentence(text)


def date_words(iso: str) -> str:
    """`27-Nov-2026 08:40`; the hour only where there is one. Other texts stay as they are."""
    try:
        moment = datetime.datetime.fromisoformat(iso)
    except ValueError:
        return iso
    date = day(moment)
    return f"{date} {moment:%H:%M}" if (moment.hour, moment.minute) != (0, 0) else date


def with_dates(text: str) -> str:
    """A source with its days written as `01-Mar-2026`."""
    return _DAY.sub(lambda match: date_words(match.group()), text)


def capitalise(text: str) -> str:
    """The first letter large, unless the word has its own spelling, such as eGFR."""
    word = text.split(" ", 1)[0]
    return f"{text[:1].upper()}{text[1:]}" if word.islower() else text


def lower_first(text: str) -> str:
    """The first letter small, unless the word has its own spelling, such as CYP2C9 or HbA1c."""
    word = text.split(" ", 1)[0]
    return small_first(text) if word[1:].islower() else text


def inside(title: str) -> str:
    """The name of an option within a sentence."""
    return inside_sentence(title)


def without_stop(text: str) -> str:
    """A heading: without its full stop."""
    return text.strip().removesuffix(".")


def sentence(text: str) -> str:
    """Capital first, full stop last."""
    text = capitalise(text.strip())
    return text if not text or text[-1] in ".!?" else f"{text}."
