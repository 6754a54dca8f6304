"""The treatments a study chooses among, and the doses they may have."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, slots=True)
class DoseRange:
    """Doses allowed, in one unit.

    A bound is closed unless `open_low` or `open_high` says that it is not itself allowed.
    """

    low: float
    high: float
    unit: str
    step: float = 0.0
    """What can be dispensed: doses are rounded to multiples of it; 0 leaves them as they are."""
    open_low: bool = False
    open_high: bool = False


@dataclass(frozen=True, slots=True)
class Treatment:
    """One option, with the event codes (prefixes) that mean it was given."""

    name: str
    title: str
    codes: tuple[str, ...] = ()
    dose: DoseRange | None = None
    together: tuple[str, ...] = ()
    """Names of the options that this one combines: it was given where all of them were."""
    otherwise: bool = False
    """Whether this is what happened where no other option was given."""


@dataclass(frozen=True, slots=True)
class Formulary:
    """The options in the study's order; every axis named `treatment` follows it."""

    treatments: tuple[Treatment, ...]
    dose: DoseRange | None = None
    """The range of the one dose asked for, where the study asks only how much."""

    @property
    def names(self) -> tuple[str, ...]:
        """The options' names, in order."""
        return tuple(t.name for t in self.treatments)


def inside(dose: Float64[np.ndarray, " decision"], allowed: DoseRange) -> np.ndarray:
    """Whether each dose lies within the range, its open bounds excluded; NaN never does."""
    above = dose > allowed.low if allowed.open_low else dose >= allowed.low
    below = dose < allowed.high if allowed.open_high else dose <= allowed.high
    return above & below


def clip(dose: np.ndarray, allowed: DoseRange) -> np.ndarray:
    """Doses moved to the nearest allowed one; an open bound is kept off by a thousandth."""
    low = allowed.low + (1e-3 if allowed.open_low else 0.0)
    high = allowed.high - (1e-3 if allowed.open_high else 0.0)
    return np.clip(dose, low, high)
