"""What the gate judges: champion and challenger on the same fresh patients, as plain arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.lifecycle.gate.harm_bound import UnestimatedHarm

Column = Float64[np.ndarray, " decision"]


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Probabilities of both models for the option that was given, and what came of it."""

    champion: Column
    challenger: Column
    effective: Column
    """1 if the option was effective, 0 if not."""
    weight: Column
    """Follow-up weight; 0 where the outcome is unknown."""
    subject: Int64[np.ndarray, " decision"]


@dataclass(frozen=True, slots=True)
class Safety:
    """What safety rules say about the choices."""

    forbidden: float
    """Largest probability that the challenger gives to a forbidden option, anywhere."""
    unknown_champion: float
    """Share of decisions at which the chosen option has a rule that the facts cannot settle."""
    unknown_challenger: float
    same_rules: bool
    """Whether both have the same rules."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often intervals of the challenger held the truth."""

    name: str
    """Of what: `dose`."""
    nominal: float
    held: int
    of: int


@dataclass(frozen=True, slots=True, eq=False)
class SinceFirst:
    """The challenger against the first champion: many small steps may add up to a long way."""

    gain: Column
    """As `GateEvidence.gain`."""
    harms: Mapping[str, Column] = field(default_factory=dict)
    """As `GateEvidence.harms`."""


@dataclass(frozen=True, slots=True, eq=False)
class GateEvidence:
    """Fresh patients: they came after the champion was made, and neither model learned from them.

    Rows are the decisions at which both models' options can be judged.
    """

    subject: Int64[np.ndarray, " decision"]
    gain: Column
    """Doubly robust score of the challenger's choice less that of the champion's."""
    differs: Bool[np.ndarray, " decision"]
    """Whether they choose otherwise."""
    safety: Safety
    predicted: Predicted | None = None
    """None where no probability is predicted of the option given."""
    harms: Mapping[str, Column] = field(default_factory=dict)
    """The same as `gain` of each harm: positive is more harm."""
    unestimated: Mapping[str, UnestimatedHarm] = field(default_factory=dict)
    """Harms whose change these patients do not tell, such as one that nobody had."""
    since_first: SinceFirst | None = None
    """None while the first champion is still the champion."""
    groups: Mapping[str, Bool[np.ndarray, " decision"]] = field(default_factory=dict)
    """Members of each of the study's subgroups."""
    coverage: tuple[Coverage, ...] = ()
    fresh: int = 0
    """Fresh patients in all, judged or not."""
    caused: int = 0
    """Decisions at which the champion's recommendation was accepted."""
