"""Amounts within a sentence: counts of 100 patients without decimals, means with one."""

import math
from collections.abc import Callable, Sequence

from posology.domain.recommendation.option import Estimate
from posology.language.catalogue import deferred, tr
from posology.language.numbers import number, parse_number

_HARDLY = deferred("hardly any difference")


def count(value: float) -> str:
    """How many of 100 patients."""
    if 0 < value < 0.5:
        return tr("fewer than 1")
    return tr("more than 99") if value >= 99.5 else f"{value:.0f}"


def mean_words(value: float, digits: int | None = None) -> str:
    """A mean in the outcome's unit: `477`, `6.2`, `0.02`; never `-0.0` or `0.0196`.

    digits: decimals; None: as many as its size needs.
    """
    words = f"{value:,.{_digits(value) if digits is None else digits}f}"
    return number(words) if words.strip("-0.") else "0"


def _digits(value: float) -> int:
    size = abs(value)
    return 0 if size >= 99.95 else 1 if size >= 0.995 else 2


def means_of(interval: Estimate) -> Callable[[float], str]:
    """How an interval of a mean, and its estimate, are written: with as many decimals each.

    `1 lower to 210 higher`, not `0.59 lower`: where its ends need other decimals, the width says
    how many count. Nothing reads 0 where the interval excludes it.
    """
    low, high = interval.low, interval.high
    sizes = sorted(abs(x) for x in (low, high) if math.isfinite(x)) or [0.0]
    width = high - low if math.isfinite(high - low) else 0.0
    digits = min(max(_digits(sizes[-1]), decimals_of(width)), _digits(sizes[0]))

    def write(value: float) -> str:
        words = mean_words(value, digits)
        return words if words != "0" or low <= 0 <= high else mean_words(value)

    return write


def more_or_fewer(value: float, unit: str, interval: Estimate | None = None) -> str:
    """`21 more`, `3 fewer` of 100; `3.2 higher` of a mean; `hardly any difference`.

    interval: that of the difference, beside which it is written.
    """
    write = mean_words if interval is None else means_of(interval)
    size = write(abs(value)) if unit else f"{abs(value):.0f}"
    return tr(_HARDLY) if parse_number(size) == 0 else directed(value, unit).format(size=size)


def directed(value: float, unit: str) -> str:
    """A size in the direction of the value."""
    if unit:
        return tr("{size} higher") if value > 0 else tr("{size} lower")
    return tr("{size} more") if value > 0 else tr("{size} fewer")


def difference_range(difference: Estimate, unit: str) -> str:
    """`11 to 31 more`, `2 fewer to 12 more`, `1.2 to 3.4 lower`."""
    low, high = (more_or_fewer(x, unit, difference) for x in (difference.low, difference.high))
    if low == high:
        return low
    if difference.low > 0:
        return span(_or_none(low).split()[0], high)
    if difference.high < 0:
        return span(_or_none(high).split()[0], low)
    return span(_or_none(low), _or_none(high))


def span(low: str, high: str) -> str:
    """Two numbers or amounts that are written already, as an interval."""
    return tr("{low} to {high}").format(low=low, high=high)


def _or_none(words: str) -> str:
    return tr("none") if words == tr(_HARDLY) else words


def difference_as_written(
    pair: tuple[float, float], difference: Estimate, write: Callable[[float], str]
) -> float:
    """The difference of two numbers as they are written, so that what stands side by side adds up.

    Where both read the same, less than half of a unit in the direction of the difference; where one
    is written in words (`fewer than 1`), or the interval excludes the result, as it was estimated.

    Args:
        pair: the option's number and the reference's.
        write: how both are written.
    """
    try:
        first, second = (parse_number(write(x)) for x in pair)
    except ValueError:
        return difference.value
    written = round(first - second, 6)
    if not difference.low - 0.5 <= written <= difference.high + 0.5:
        return difference.value
    if written == 0 and abs(difference.value) >= 0.5:
        return math.copysign(0.4, difference.value)
    return written


def dose_words(dose: float) -> str:
    """A dose within a sentence: `35.0`, `1.25`, `0.125`; a small one is not rounded to 0."""
    plain = f"{dose:.1f}"
    is_enough = abs(dose) >= 10 or float(plain) == float(f"{dose:.3g}")
    return number(plain if is_enough else f"{dose:.3g}")


def error_words(error: float) -> str:
    """An error of doses: `8.4`, `0.048`."""
    return number(f"{error:.1f}" if error >= 1 else f"{error:.2g}")


def dose_ends(low: float, high: float) -> tuple[str, str]:
    """Both ends of a range of doses, with two digits or more of the larger one: `0.12`, `0.25`."""
    digits = decimals_of(max(abs(low), abs(high)))
    return number(f"{low:.{digits}f}"), number(f"{high:.{digits}f}")


def decimals_of(size: float) -> int:
    """Decimals with which a number of this size has two digits."""
    return 0 if size >= 10 or not size > 0 else min(1 - math.floor(math.log10(size)), 6)


def span_words(ends: tuple[float, float]) -> str:
    """`12 to 21`: an interval, whose ends are no more exact than a tenth of its width."""
    width = ends[1] - ends[0]
    digits = 0 if width >= 5 else 1 if width >= 0.5 else 3
    low, high = (number(f"{x:.{digits}f}" if digits < 3 else f"{x:.3g}") for x in ends)
    return low if low == high else span(low, high)


def whole_shares(shares: Sequence[float], total: int = 100) -> list[int]:
    """Whole numbers that sum to the total, each next to its share: the largest remainders go up."""
    scale = total / sum(shares) if sum(shares) > 0 else 0.0
    exact = [share * scale for share in shares]
    whole = [math.floor(x) for x in exact]
    order = sorted(range(len(exact)), key=lambda i: whole[i] - exact[i])
    for i in order[: round(sum(exact)) - sum(whole)]:
        whole[i] += 1
    return whole
