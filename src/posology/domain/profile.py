"""How raw events become a History: what was fitted on the training split."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from posology.domain.codes import matching_rows
from posology.domain.embedding_components import EmbeddingReduction
from posology.domain.formulas.formula import Formula


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The vocabulary, the scaling and the formulas of the training split.

    A policy carries its profile, so that a patient met later is encoded exactly as the training
    patients were.
    """

    codes: tuple[str, ...]
    """The vocabulary: a History's `code` is a row of it. Others are reported, not used."""
    center: Float32[np.ndarray, " code"]
    """Mean of a code's numbers on the training split; 0 where it has none."""
    spread: Float32[np.ndarray, " code"]
    """Standard deviation of a code's numbers on the training split; 1 where it has none."""
    formulas: tuple[Formula, ...] = ()
    """Formulas whose answer is an event of the profile, refitted on the training split."""
    reductions: tuple[EmbeddingReduction, ...] = ()
    """Of each image model's vectors; what comes of them is in the vocabulary, they are not."""
    titles: tuple[str, ...] = ()
    """What each code means in the records' words, "" where they have none; () if they never do."""

    def title(self, row: int) -> str:
        """What the code of a row means, "" where the records do not say."""
        return self.titles[row] if self.titles else ""

    def rows(self, prefixes: tuple[str, ...]) -> frozenset[int]:
        """Vocabulary rows of the codes that belong to the prefixes."""
        return matching_rows(self.codes, prefixes)
