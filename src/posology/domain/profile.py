"""The vocabulary and scaling that turn raw events into a History."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32

from posology.domain.codes import rows_by_prefix, words_of_code
from posology.domain.embedding_components import EmbeddingReduction
from posology.domain.formulas.formula import Formula


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Vocabulary, scaling and formulas, fitted on the training split.

    A policy carries its profile, so that new patients are encoded as the training patients were.
    """

    codes: tuple[str, ...]
    """The vocabulary: a History's `code` is a row of it. Other codes are reported, not used."""
    center: Float32[np.ndarray, " code"]
    """Mean of each code's numbers on the training split; 0 if it has none."""
    spread: Float32[np.ndarray, " code"]
    """Standard deviation of each code's numbers on the training split; 1 if it has none."""
    formulas: tuple[Formula, ...] = ()
    """Formulas refitted on the training split; each result is an event of the profile."""
    reductions: tuple[EmbeddingReduction, ...] = ()
    """Principal components of each image model's vectors; only the components are in `codes`."""
    titles: tuple[str, ...] = ()
    """Name of each code: the study file's, else the records', else ""; () if no code has one."""

    units: tuple[str, ...] = ()
    """Unit of each code's numbers in the records, "" if there is none; () if no code has one."""

    def name(self, row: int) -> str:
        """The code of a row in words."""
        return self.title(row) or words_of_code(self.codes[row])

    def unit(self, row: int) -> str:
        """Unit of the numbers of a row, "" if the records have none."""
        return self.units[row] if self.units else ""

    def title(self, row: int) -> str:
        """Name of the code of a row in the study file or the records; "" if it has none."""
        return self.titles[row] if self.titles else ""

    def rows(self, prefixes: tuple[str, ...]) -> frozenset[int]:
        """Vocabulary rows of the codes that have any of the prefixes."""
        return _rows_by_prefix(self)(prefixes)


@lru_cache(maxsize=64)
def _rows_by_prefix(profile: Profile) -> Callable[[tuple[str, ...]], frozenset[int]]:
    """By the profile itself, whose vocabulary need not be hashed again."""
    return rows_by_prefix(profile.codes)
