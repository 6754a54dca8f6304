"""All tables of one folder, with their versions and age."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from posology.domain.pharmacogenomics.definitions import GeneDefinition
from posology.domain.pharmacogenomics.guidance import Guidance
from posology.domain.pharmacogenomics.phenotypes import PhenotypeTable

STALE_DAYS = 365
"""CPIC changes some guideline nearly every month; our choice."""


@dataclass(frozen=True, slots=True)
class TableVersion:
    """One kind of table, and when it was made."""

    content: str
    """`allele definitions`, `phenotypes` or `recommendations`."""
    version: str
    made: date | None
    """The oldest of its files; None if neither version nor file name has one."""
    entries: int

    def describe(self, today: date) -> str:
        """`recommendations v1.20.0 (2022-09), 4.2 years old`."""
        text = f"{self.content} {self.version or 'without a version'}"
        if self.made is None:
            return f"{text}, age unknown"
        days = (today - self.made).days
        age = f"{days} days old" if days < STALE_DAYS else f"{days / 365.25:.1f} years old"
        return f"{text}, {age}"

    def is_stale(self, today: date) -> bool:
        """Whether it is older than STALE_DAYS, or of unknown age."""
        return self.made is None or (today - self.made).days > STALE_DAYS


@dataclass(frozen=True, slots=True)
class PgxTables:
    """Tables of alleles, phenotypes and recommendations."""

    definitions: Mapping[str, GeneDefinition]
    """By gene."""
    phenotypes: Mapping[str, PhenotypeTable]
    """By gene."""
    guidance: tuple[Guidance, ...]
    versions: tuple[TableVersion, ...]


def find_date(text: str) -> date | None:
    """The first date in a version or a file name, `2025-11-05-00-25` or `2022-09`."""
    found = re.search(r"(?<!\d)(20\d\d)-(0[1-9]|1[0-2])(?:-([0-2]\d|3[01]))?(?!\d)", text)
    if found is None:
        return None
    year, month, day = found.groups()
    try:
        return date(int(year), int(month), int(day or 1))
    except ValueError:
        return None
