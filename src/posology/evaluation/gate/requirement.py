"""What a gate requires of a policy, and its verdict with every reason.

A gate is closed unless every requirement holds. A requirement that cannot be judged, for too few
patients or without overlap, does not hold: what is not shown is not assumed.
"""

import math
from dataclasses import dataclass
from typing import Any

from posology.evaluation.intervals import Interval

GATE_CLOSED = 3
"""Exit code of a command whose gate is closed; 2 is an error that the caller can mend."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement and whether it holds."""

    name: str
    """A word for machines, the same in every version: value, calibration, safety, groups, ..."""
    holds: bool
    reason: str
    """One sentence for people, with the figures that decided."""
    estimate: Interval | None = None
    """What was estimated; None where it could not be."""
    threshold: float | None = None
    """What the estimate, or a limit of its interval as `reason` states, is compared with."""


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Every requirement in the order it was judged."""

    requirements: tuple[Requirement, ...]

    def __post_init__(self) -> None:
        if not self.requirements:
            raise ValueError("a gate without requirements would let every policy through")

    @property
    def is_open(self) -> bool:
        """Whether every requirement holds."""
        return all(requirement.holds for requirement in self.requirements)

    def to_json(self) -> dict[str, Any]:
        """The verdict and its reasons as JSON values."""
        return {
            "gate": "open" if self.is_open else "closed",
            "requirements": [_to_json(requirement) for requirement in self.requirements],
        }


def _to_json(requirement: Requirement) -> dict[str, Any]:
    interval = requirement.estimate
    return {
        "name": requirement.name,
        "holds": requirement.holds,
        "reason": requirement.reason,
        "estimate": None if interval is None else interval.value,
        "low": None if interval is None or math.isnan(interval.low) else interval.low,
        "high": None if interval is None else interval.high,
        "threshold": requirement.threshold,
    }
