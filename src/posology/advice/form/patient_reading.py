"""What was read of a patient's file, and what must be said about it before any answer."""

from dataclasses import dataclass

from posology.domain.recommendation.findings import KnownFact


@dataclass(frozen=True, slots=True)
class PatientReading:
    """Sentences about the facts that were given; empty where there is nothing to say."""

    not_used: tuple[str, ...] = ()
    """Facts that were given and that the model does not use."""
    unread: tuple[str, ...] = ()
    """Codes of the given facts that the model has no column for: formulas may know them."""
    beyond: tuple[str, ...] = ()
    """Numbers beyond anything that the model saw in training."""
    assumed: tuple[str, ...] = ()
    """What was assumed where the file leaves it open, such as a missing date."""
    known: tuple[KnownFact, ...] = ()
    """The facts that are used."""
    required: tuple[str, ...] = ()
    """Why there is no answer yet: a fact that the study needs is missing or was not read."""
    unknown: tuple[str, ...] = ()
    """Prefixes of the needed facts of which it is stated that they are not known."""
    age: tuple[float, float] | None = None
    """Youngest and oldest age in years that the facts allow; None if age is not recorded."""
    decision: str = ""
    """Moment of the decision, ISO 8601."""


NOTHING_TO_SAY = PatientReading()
