"""How estimates are written, the same on every page and on the terminal."""

import math
from dataclasses import dataclass

from posology.evaluation.intervals import Difference, Interval, decimals_of_width


@dataclass(frozen=True, slots=True)
class Scale:
    """How outcomes are printed: as percentages if they are probabilities."""

    unit: str
    factor: float
    """100 for probabilities, else 1."""

    def rescale(self, difference: Difference) -> Difference:
        """A difference in printed units; its p value is unchanged."""
        f = self.factor
        return Difference(
            f * difference.value, f * difference.low, f * difference.high, difference.p
        )

    def format_value(self, x: float) -> str:
        """A mean outcome without its interval."""
        if self.factor == 100 and not math.isnan(x):
            return f"{100 * x:.1f} %"
        return format_number(self.factor * x) + self._percent

    def format_interval(self, estimate: Difference | Interval) -> str:
        """`low to high`."""
        if math.isnan(estimate.low):
            return ""
        digits = self._decimals(estimate)
        low, high = self.factor * estimate.low, self.factor * estimate.high
        return f"{low:,.{digits}f} to {high:,.{digits}f}"

    def format_estimate(self, estimate: Difference | Interval) -> str:
        """A mean outcome with its interval."""
        if math.isnan(estimate.low):
            return self.format_value(estimate.value)
        digits = self._decimals(estimate)
        value = f"{self.factor * estimate.value:,.{digits}f}{self._percent}"
        return f"{value} ({self.format_interval(estimate)})"

    def _decimals(self, estimate: Difference | Interval) -> int:
        """Decimals by the width of the interval; percentages have one at least."""
        digits = decimals_of_width(self.factor * (estimate.high - estimate.low))
        return max(digits, 1) if self.factor == 100 else digits

    @property
    def _percent(self) -> str:
        return " %" if self.factor == 100 else ""

    def format_difference(self, estimate: Difference | Interval) -> str:
        """A signed difference with its interval."""
        if math.isnan(estimate.value):
            return "too few patients"
        digits = self._decimals(estimate)
        value = f"{self.factor * estimate.value:+,.{digits}f}"
        if not value.strip("+-0."):
            value = value[1:]  # no minus zero
        return f"{value} ({self.format_interval(estimate)})"


def format_number(x: float) -> str:
    """Three significant digits, without an exponent."""
    if math.isnan(x):
        return "not known"
    if abs(x) == float("inf"):
        return "no limit" if x > 0 else "no limit below"
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}" if abs(x) >= 5e-4 else "0"


def format_estimate(estimate: Difference | Interval) -> str:
    """An estimate with its interval, in the outcome's own unit."""
    low, high = format_number(estimate.low), format_number(estimate.high)
    return f"{format_number(estimate.value)} ({low} to {high})"


def format_p(p: float) -> str:
    """A p value for a sentence."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def format_p_value(p: float) -> str:
    """A p value for a column."""
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def begin_sentence(text: str) -> str:
    """The text with a large first letter."""
    return text[:1].upper() + text[1:]


def format_share(x: float) -> str:
    """A percentage; 100 % is all."""
    if math.isnan(x):
        return "not known"
    if 0.99 < x < 1:
        return f"{min(100 * x, 99.9):.1f} %"
    return f"{100 * x:.0f} %" if x >= 0.1 or x == 0 else f"{100 * x:.1f} %"
