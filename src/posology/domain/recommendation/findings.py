"""What is said beside the options: safety findings, missing facts, how sure the answer is."""

from dataclasses import dataclass

WARNING, NOT_CHECKED, FORBIDS, USED_IN_DOSE, CLEAR = (
    "warning",
    "not_checked",
    "forbids",
    "used_in_dose",
    "clear",
)
FINDING_KINDS = (FORBIDS, WARNING, NOT_CHECKED, USED_IN_DOSE, CLEAR)


@dataclass(frozen=True, slots=True)
class SafetyFinding:
    """One rule of safety or pharmacogenomics, applied to this patient."""

    kind: str
    """One of FINDING_KINDS."""
    options: tuple[str, ...]
    """Titles of the options that it concerns."""
    finding: str
    """What was found: `CYP2C9 *2/*3, poor metabolizer`, `ALT not recorded`."""
    meaning: str
    """What it means here: a whole sentence."""
    strength: str
    """Such as `contraindicated`, `strong`; empty if the source grades nothing."""
    source: str
    """Publication or label."""
    version: str = ""
    """Version or date of the table or knowledge pack."""


@dataclass(frozen=True, slots=True)
class KnownFact:
    """A fact of the patient that the model used."""

    fact: str
    value: str
    """In words, with its unit."""
    date: str = ""
    """Since when it is known, ISO 8601; empty for a fact without a date."""


@dataclass(frozen=True, slots=True)
class MissingFact:
    """A fact that is not recorded, and what it would help; the most helpful first."""

    fact: str
    assumed: str
    """What was assumed in its place: `the mean of patients of the same sex`."""
    would_help: str
    """What could change if it were known: whole sentence; empty if that was not worked out."""
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Certainty:
    """How sure the answer is, from patients that the model did not learn from."""

    similar_patients: int | None = None
    """Training patients like this one."""
    needed_patients: int | None = None
    """How many the study file asks for."""
    distance: float | None = None
    """Share of training patients that are less unusual than this one, 0 to 1."""
    is_outside_training: bool = False
    outside: tuple[str, ...] = ()
    """What is unlike training: `Age 97 is above the highest it saw, 94.`"""
    option_set: tuple[str, ...] = ()
    """Titles of the options in the conformal set."""
    set_coverage: float | None = None
    """Nominal coverage of the set."""
    remarks: tuple[str, ...] = ()
    """Further whole sentences."""
