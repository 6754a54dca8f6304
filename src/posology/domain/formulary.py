"""The treatment options of a study and their allowed doses."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64

from posology.domain.safety_rules.bounds import is_above, is_at_least, is_at_most, is_below, slack


@dataclass(frozen=True, slots=True)
class DoseRange:
    """The allowed doses, in one unit.

    A bound is allowed itself unless `open_low` or `open_high` excludes it.
    """

    low: float
    high: float
    unit: str
    step: float = 0.0
    """Doses are rounded to multiples of this dispensable step; 0: no rounding."""
    open_low: bool = False
    open_high: bool = False


@dataclass(frozen=True, slots=True)
class Treatment:
    """One option, and the event codes (prefixes) that show that it was given."""

    name: str
    title: str
    codes: tuple[str, ...] = ()
    dose: DoseRange | None = None
    together: tuple[str, ...] = ()
    """Names of the options that this one combines: it was given if all of them were."""
    otherwise: bool = False
    """Whether this is the option of patients who received no other one."""


@dataclass(frozen=True, slots=True)
class Formulary:
    """The options in the study's order; every axis named `treatment` follows it."""

    treatments: tuple[Treatment, ...]
    dose: DoseRange | None = None
    """Range of the single dose, for a study that asks only how much to give."""
    unlearned: tuple[str, ...] = ()
    """Of a policy: names of the options that too few of its training patients were given."""

    @property
    def names(self) -> tuple[str, ...]:
        """The options' names, in order."""
        return tuple(t.name for t in self.treatments)

    @property
    def is_learned(self) -> Bool[np.ndarray, " treatment"]:
        """False for the options that were not learned."""
        return np.array([name not in self.unlearned for name in self.names], dtype=bool)


def is_in_range(dose: Float64[np.ndarray, " decision"], allowed: DoseRange) -> np.ndarray:
    """Whether each dose lies in the range, open bounds excluded; False for NaN."""
    is_over, is_under = (
        is_above if allowed.open_low else is_at_least,
        is_below if allowed.open_high else is_at_most,
    )
    return is_over(dose, allowed.low) & is_under(dose, allowed.high)


def clip_to_range(dose: np.ndarray, allowed: DoseRange) -> np.ndarray:
    """The nearest allowed dose; 0.001 inside an open bound, more where rounding hides that."""
    low, high = allowed.low, allowed.high
    if allowed.open_low:
        low += max(1e-3, 2 * float(slack(low)))
    if allowed.open_high:
        high -= max(1e-3, 2 * float(slack(high)))
    return np.minimum(np.maximum(dose, low), high)


def narrow_range(allowed: DoseRange, low: float, high: float) -> DoseRange:
    """The range without doses below `low` and above `high`; both may be infinite."""
    return replace(
        allowed,
        low=max(allowed.low, low),
        high=min(allowed.high, high),
        open_low=allowed.open_low and low <= allowed.low,
        open_high=allowed.open_high and high >= allowed.high,
    )
