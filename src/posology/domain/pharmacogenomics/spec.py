"""What a study says about pharmacogenomics."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PgxSpec:
    """The table `[pharmacogenomics]` of a study file."""

    tables: str
    """Absolute path of the folder of tables; nothing of it is copied."""
    population: str = ""
    """Of the guidelines, such as `CVI ACS PCI`; empty for all."""
