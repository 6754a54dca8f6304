"""One statement that a CDS Service is held to."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["SHALL", "SHOULD", "ADVICE"]
"""SHALL (also SHALL NOT): a failure is a fault. SHOULD: recommended by the same source. ADVICE:
our own, from failures of other services; neither changes the exit code."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a service must do, in our words.

    Attributes:
        id: `cds-N` is statement N of the requirements sheet of the Inferno Da Vinci CRD test kit
            for CDS Hooks 2.0; `cds-r-N`, `cds-resp-N`, `cds-fb-N` are invariants of HL7's logical
            models; `jwt-*` come from the JWT and JWS RFCs; `own-*` are ours.
        source: document and section.
        absent: why the statement did not apply where no reply touched it.
        unseen: why nobody can see it from outside; empty where it is checked.
    """

    id: str
    level: Level
    about: str
    source: str
    absent: str = ""
    unseen: str = ""
