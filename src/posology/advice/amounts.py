"""Amounts within a sentence: counts of 100 patients without decimals, means with one."""

from posology.domain.recommendation.option import Estimate


def count(value: float) -> str:
    """How many of 100 patients."""
    if 0 < value < 0.5:
        return "fewer than 1"
    return "more than 99" if value >= 99.5 else f"{value:.0f}"


def mean_words(value: float) -> str:
    """A mean in the outcome's unit."""
    return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


def more_or_fewer(value: float, unit: str) -> str:
    """`21 more`, `3 fewer`, `no more and no fewer`."""
    size = mean_words(abs(value)) if unit else f"{abs(value):.0f}"
    if float(size) == 0:
        return "hardly any difference"
    return f"{size} {'more' if value > 0 else 'fewer'}"


def difference_range(difference: Estimate, unit: str) -> str:
    """`11 to 31 more`, `2 fewer to 12 more`."""
    low, high = more_or_fewer(difference.low, unit), more_or_fewer(difference.high, unit)
    if low == high:
        return low
    if difference.low > 0:
        return f"{low.removesuffix(' more')} to {high}"
    if difference.high < 0:
        return f"{high.removesuffix(' fewer')} to {low}"
    return f"{_or_none(low)} to {_or_none(high)}"


def _or_none(words: str) -> str:
    return "none" if words == "hardly any difference" else words
