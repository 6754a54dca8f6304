"""The rules of cleaning by name, with their reasons and settings; the engine is `cleaning.py`.

A service cleans one patient by them without loading an engine.
"""

from dataclasses import dataclass
from pathlib import Path

REPAIRS = {
    "code_normalised": "spaces trimmed, family in capitals, ICD codes without a dot (MIMIC's form)",
    "unit_spelling": "the unit's spelling converted to UCUM 2.1",
    "unit_converted": "the value converted to the code's unit (UCUM 2.1 factors, molar masses)",
    "unit_assumed": "no unit stated: the code book's unit is assumed (own choice)",
    "text_number": "a number written as text ('1,200'), or a bound read as its number ('<5', "
    "'>=90'); the text is kept too",
    "not_a_number": "NaN or infinity is a missing value (IEEE 754)",
    "duplicate": "exact duplicates of an event are merged (MEDS has no order within a time)",
}
"""What each repair rule does, and its source."""

REJECTION_REASONS = {
    "no_subject": "no patient is named",
    "no_code": "the code is empty",
    "free_text_code": "its code is a free text; ingest anew with --free-text-codes to keep such",
    "impossible_time": "the year is outside those an event can lie in",
    "unit_incompatible": "the unit cannot be converted to the code's unit",
    "out_of_range": "the value is outside the code's plausible limits",
    "conflicting_birth": "another record states an earlier birth of this patient",
    "conflicting_death": "another record states a later death of this patient",
    "before_birth": "the event lies before the patient's birth",
    "after_death": "the event lies too long after the patient's death",
}
"""Why each rule rejects an event. The first rule that applies is reported."""

REJECTION_RULES = tuple(REJECTION_REASONS)
"""A cleaned row stores the index of its rule."""

PATIENT_RULES = ("conflicting_birth", "conflicting_death", "before_birth", "after_death")
"""Rules whose rejections later records of the same patient may undo."""

NUMBER = (
    r"^ *[<>≤≥]?=? ?[-+]?"
    r"(([1-9][0-9]{0,2}(,[0-9]{3}){1,9}|0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?|\.[0-9]{1,30})"
    r"([eE][-+]?[0-9]{1,2})? *(; .*)?$"
)
"""A number as laboratories write it, with an optional text after a semicolon. '02139' and '1,2' do
not match: they could mean something else."""


@dataclass(frozen=True, slots=True)
class CleaningSettings:
    """Limits and units that cleaning applies."""

    codebook: Path | None = None
    """A TOML file with units and plausible limits of your own codes, added to the package's."""
    years: tuple[int, int] = (1850, 2300)
    """Years an event can lie in: from the oldest plausible birth (OHDSI Data Quality Dashboard,
    plausibleValueLow of year_of_birth) to beyond the shifted dates of MIMIC (2100 to 2200)."""
    free_text_codes: bool = False
    """Whether a text without a code may become a code: it may name a person (own choice)."""
    after_death_days: int = 60
    """Accept events up to this many days after death: certificates and bills come late (OHDSI
    Data Quality Dashboard, plausibleBeforeDeath)."""
