"""How figures of the report on effects are written, alike on the page and on the screen."""

import math
from dataclasses import dataclass

from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.intervals import Difference, Interval


@dataclass(frozen=True, slots=True)
class Scale:
    """Outcomes as printed: percentages where they are chances."""

    unit: str
    factor: float

    def value(self, x: float) -> str:
        """A mean outcome."""
        return number(self.factor * x) + (" %" if self.factor == 100 else "")

    def span(self, found: Difference | Interval) -> str:
        """Low to high."""
        if found.low != found.low:
            return ""
        digits = _digits(self.factor * (found.high - found.low))
        return f"{self.factor * found.low:.{digits}f} to {self.factor * found.high:.{digits}f}"

    def change(self, found: Difference | Interval) -> str:
        """A signed difference with its interval."""
        if found.value != found.value:
            return "too few to judge"
        digits = _digits(self.factor * (found.high - found.low))
        return f"{self.factor * found.value:+.{digits}f} ({self.span(found)})"


def _digits(width: float) -> int:
    """Decimals that an interval of this width deserves: its third digit is noise."""
    return 0 if not width > 0 else int(min(max(2 - math.floor(math.log10(width)), 0), 6))


def number(x: float) -> str:
    """Three significant digits, without an exponent."""
    if x != x:
        return "not known"
    if abs(x) == float("inf"):
        return "no limit" if x > 0 else "no limit below"
    return f"{x:.0f}" if abs(x) >= 100 else f"{x:.3g}" if abs(x) >= 5e-4 else "0"


def interval(found: Interval) -> str:
    """An estimate with its interval, as it is."""
    return f"{number(found.value)} ({number(found.low)} to {number(found.high)})"


def learned(found: EffectStudy) -> str:
    """How personal the rule was, where it was learned for this page."""
    if found.personalised_folds is None:
        return ""
    return f" The rule was personal in {found.personalised_folds} of 5 folds."


def p_value(p: float) -> str:
    """A p value in a sentence."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def share(x: float) -> str:
    """A percentage."""
    return (
        "not known" if x != x else f"{100 * x:.0f} %" if x >= 0.1 or x == 0 else f"{100 * x:.1f} %"
    )
