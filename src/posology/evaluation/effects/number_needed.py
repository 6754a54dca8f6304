"""Number needed to treat, whose interval runs through infinity where the gain may be 0.

Altman 1998 (doi:10.1136/bmj.317.7168.1309): a benefit of one patient in 25 is NNTB 25 (number
needed to treat for one more to benefit), a harm of one in 30 is NNTH 30. No effect at all is
infinite, so that the interval of a gain from -1/30 to 1/10 is NNTB 10 to infinity to NNTH 30.
"""

from dataclasses import dataclass

from posology.evaluation.intervals import Difference


@dataclass(frozen=True, slots=True)
class NumberNeeded:
    """Patients to treat by the rule for one more good outcome; below 0 for one fewer (harm)."""

    value: float
    low: float
    """Inverse of the largest gain."""
    high: float
    """Inverse of the smallest gain. If it is below 0 and `low` above, the interval consists of two
    parts that meet at infinity: from `low` to infinity, and from minus infinity to `high`."""

    @property
    def is_disjoint(self) -> bool:
        """Whether the interval has two parts."""
        return self.low > 0 > self.high


def number_needed_to_treat(gain: Difference) -> NumberNeeded:
    """Number of patients to treat by the rule for one more good outcome; binary outcomes only."""
    return NumberNeeded(_inverse(gain.value), _inverse(gain.high), _inverse(gain.low))


def describe_number_needed(number: NumberNeeded) -> str:
    """Such as `NNTB 12 (NNTB 8 to NNTB 25)` or `NNTB 25 (NNTB 10 to ∞ to NNTH 30)`."""
    low, high = _name(number.low), _name(number.high)
    middle = " to ∞ to " if number.is_disjoint else " to "
    return f"{_name(number.value)} ({low}{middle}{high})"


def _inverse(share: float) -> float:
    return 1 / share if share else float("inf")


def _name(number: float) -> str:
    if abs(number) == float("inf"):
        return "∞"
    digits = ".0f" if abs(number) >= 10 else ".1f"
    return f"{'NNTB' if number > 0 else 'NNTH'} {abs(number):{digits}}"
